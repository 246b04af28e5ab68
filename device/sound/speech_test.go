package sound

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPromptsAreSpoken(t *testing.T) {
	if _, err := exec.LookPath("espeak-ng"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("install the Debian package espeak-ng")
		}
		t.Skip("install the Debian package espeak-ng")
	}
	for _, words := range []string{AskingWords, ThanksWords} {
		c, err := Prompt(t.Context(), "", "espeak-ng", words)
		if err != nil {
			t.Fatal(err)
		}
		loud := 0
		for _, s := range c.Samples {
			if s > 2000 || s < -2000 {
				loud++
			}
		}
		if l := c.Length(); l < time.Second || l > 8*time.Second || loud < len(c.Samples)/50 {
			t.Errorf("%s lasts %v, %d of %d samples are loud", words, l, loud, len(c.Samples))
		}
	}
}

func TestWhatCannotSpeakSaysWhy(t *testing.T) {
	babble := filepath.Join(t.TempDir(), "babble")
	if err := os.WriteFile(babble, []byte("#!/bin/sh\necho no sound at all\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{"nowhere-ng": "espeak-ng", babble: "not understood", "false": "false"} {
		if _, err := Speak(t.Context(), command, ThanksWords); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", command, err, want)
		}
	}
	if c, err := Prompt(t.Context(), "", "", ThanksWords); err != nil || len(c.Samples) > 0 {
		t.Errorf("without recording and program: %v, %d samples", err, len(c.Samples))
	}
}
