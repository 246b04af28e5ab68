package main

import (
	"io"
	"testing"

	"haochaping/internal/cli"
	"haochaping/internal/cli/clitest"
)

func TestHelpIsInOneLanguage(t *testing.T) {
	clitest.OneLanguage(t, func(stdout, stderr io.Writer) cli.Program {
		return program(environment{stdout: stdout, stderr: stderr})
	})
}

// What the documents have people type exists.
func TestDocumentsNameWhatThereIs(t *testing.T) {
	clitest.Documents(t, "../..", func(stdout, stderr io.Writer) cli.Program {
		return program(environment{stdout: stdout, stderr: stderr})
	})
}
