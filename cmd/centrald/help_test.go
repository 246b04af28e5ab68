package main

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
	"time"
)

// TestHelpNamesEachCommand runs the program as somebody does who does not know it yet.
func TestHelpNamesEachCommand(t *testing.T) {
	for _, ask := range []string{"help", "-h", "--help"} {
		var out bytes.Buffer
		env := environment{&out, &out, time.Now, rand.Reader, manager}
		if err := run(t.Context(), []string{ask}, env); err != nil {
			t.Fatalf("%s: %v", ask, err)
		}
		for _, does := range (&command{}).commands() {
			if !strings.Contains(out.String(), "\n  centrald "+does.Name) {
				t.Errorf("%s does not name %s", ask, does.Name)
			}
		}
	}
}

func TestWrongSealKeyNamesWhatPrintsIt(t *testing.T) {
	for _, args := range [][]string{{"check-proof", "-seal-key", "abc", "proof.json"}, {"witness", "-once", "-seal-key", "abc", "http://127.0.0.1/seal"}} {
		var out bytes.Buffer
		err := run(t.Context(), args, environment{&out, &out, time.Now, rand.Reader, manager})
		if err == nil || !strings.Contains(err.Error(), "centrald key -seal") {
			t.Errorf("%v: %v", args, err)
		}
	}
}
