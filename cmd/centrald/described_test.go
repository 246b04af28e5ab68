package main

import (
	"os"
	"testing"

	"haochaping/internal/cli/clitest"
)

func TestTheConfigurationIsDescribedInBothLanguages(t *testing.T) {
	clitest.Comments(t, defaultTOML)
	text, err := os.ReadFile("../../deploy/centrald/centrald.toml")
	if err != nil {
		t.Fatal(err)
	}
	clitest.Example(t, string(text), func(text string) error {
		_, err := parseConfig(text)
		return err
	})
}
