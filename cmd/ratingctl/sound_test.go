package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"haochaping/device/sound"
	"haochaping/internal/boxconfig"
)

// TestSoundIsTried plays through a card that plays, and through one that does not.
func TestSoundIsTried(t *testing.T) {
	c := boxconfig.Default().Sound
	var out bytes.Buffer
	played := 0
	if err := testSound(t.Context(), c, func(context.Context, sound.Clip) error { played++; return nil }, &out); err != nil || played != 1 {
		t.Errorf("by default %d clips are played, %v, want the tone", played, err)
	}
	if got := out.String(); strings.Count(got, "已播放") != 1 || strings.Count(got, "未配置") != 2 {
		t.Errorf("it says\n%s", got)
	}
	out.Reset()
	c.Asking = "/nowhere.wav"
	err := testSound(t.Context(), c, func(context.Context, sound.Clip) error { return errors.New("busy") }, &out)
	if err == nil || !strings.Contains(out.String(), "/nowhere.wav") || strings.Count(out.String(), "没有声音") != 2 {
		t.Errorf("%v, and it says\n%s", err, &out)
	}
	config := filepath.Join(t.TempDir(), "ratingd.toml")
	if err := os.WriteFile(config, []byte("device = \"lz-0417\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ratingctl(t, "sound", "-config", config); err == nil || !strings.Contains(err.Error(), "what to do with the sound") {
		t.Errorf("without -test: %v", err)
	}
}
