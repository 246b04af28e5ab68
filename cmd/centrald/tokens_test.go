package main

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

func TestTokens(t *testing.T) {
	p := tokens{path: filepath.Join(t.TempDir(), "tokens"), log: slog.New(slog.DiscardHandler)}
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte("right")))
	for rest, want := range map[string]string{
		"": "{portal  []} true", " area=6201": "{portal 6201 []} true", " doors=answers,stop area=62": "{portal 62 [answers stop]} true",
		" area=": "{  []} false", " area=lz": "{  []} false", " doors=all": "{  []} false", " doors=": "{  []} false", " more": "{  []} false",
		" area=62 area=63": "{  []} false", " doors=stop doors=cases": "{  []} false",
	} {
		if err := os.WriteFile(p.path, []byte("# systems\nportal "+hash+rest+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		h, ok := p.Holder("right")
		if got := fmt.Sprint(h, ok); got != want {
			t.Errorf("%q: %s, want %s", rest, got, want)
		}
		if _, ok := p.Holder("wrong"); ok {
			t.Errorf("%q lets a wrong token in", rest)
		}
	}
	if err := os.WriteFile(p.path, []byte("file "+hash+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if h, ok := p.Holder("right"); ok {
		t.Errorf("a system has the name of the file of replies: %+v", h)
	}
}
