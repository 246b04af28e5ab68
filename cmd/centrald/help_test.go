package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"haochaping/internal/cli"
	"haochaping/internal/cli/clitest"
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

func TestHelpIsInOneLanguage(t *testing.T) {
	clitest.OneLanguage(t, func(stdout, stderr io.Writer) cli.Program {
		return (&command{env: environment{stdout: stdout, stderr: stderr}}).program()
	})
}

func TestWrongSealKeyNamesWhatPrintsIt(t *testing.T) {
	for _, args := range [][]string{{"check-proof", "-seal-key", "abc", "proof.json"},
		{"witness", "-once", "-seal-key", "abc", "http://127.0.0.1/seal"}} {
		var out bytes.Buffer
		err := run(t.Context(), args, environment{&out, &out, time.Now, rand.Reader, manager})
		if err == nil || !strings.Contains(err.Error(), "centrald key -seal") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// The centre's keys are told to people as a line and to programs as an object, by the same name in each language.
func TestKeyIsTold(t *testing.T) {
	c := &centre{t: t, config: writeConfig(t, t.TempDir())}
	plain, err := c.command("key", "-config", c.config)
	if err != nil {
		t.Fatal(err)
	}
	for use, args := range map[string][]string{"centre": {"key", "-json"}, "seal": {"key", "-seal", "-lang", "zh", "-json"}} {
		out, err := c.command(append(args, "-config", c.config)...)
		var k printedKey
		if e := json.Unmarshal([]byte(out), &k); e != nil || err != nil || k.Use != use || k.Fingerprint == "" {
			t.Errorf("%v: %v, %v\n%s", args, err, e, out)
		}
		if same := k.Key+"\n" == plain; same != (use == "centre") {
			t.Errorf("%v prints the key %s, and the plain line is %s", args, k.Key, plain)
		}
	}
}

// What the documents have people type exists.
func TestDocumentsNameWhatThereIs(t *testing.T) {
	clitest.Documents(t, "../..", func(stdout, stderr io.Writer) cli.Program {
		return (&command{env: environment{stdout: stdout, stderr: stderr}}).program()
	})
}
