package main

import (
	"bytes"
	"strings"
	"testing"

	"haochaping/internal/cli"
	"haochaping/internal/cli/clitest"
	"haochaping/internal/condition"
)

func TestHelpIsInOneLanguage(t *testing.T) { clitest.OneLanguage(t, program) }

// Each part that may have a trouble has a name in Chinese.
func TestPartsHaveNames(t *testing.T) {
	for _, k := range condition.Kinds() {
		if name := (sayer{cli.Chinese}).part(k.Part()); name == k.Part() {
			t.Errorf("the part %s has no Chinese name", name)
		}
	}
}

// Completion and overview know each word that a command's own help has.
func TestEachWordOfFleetIsListed(t *testing.T) {
	var out bytes.Buffer
	if err := program(&out, &out).Run(t.Context(), []string{"help"}); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"box", "ask", "bundle"} {
		if !strings.Contains(out.String(), "|"+word+"|") {
			t.Errorf("the overview does not have fleet %s", word)
		}
	}
}

// What the documents have people type exists.
func TestDocumentsNameWhatThereIs(t *testing.T) { clitest.Documents(t, "../..", program) }
