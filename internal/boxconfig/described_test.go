package boxconfig

import (
	"os"
	"strings"
	"testing"

	"haochaping/internal/cli/clitest"
)

func TestTheConfigurationIsDescribedInBothLanguages(t *testing.T) {
	clitest.Comments(t, DefaultTOML())
	text, err := os.ReadFile("../../deploy/ratingd/ratingd.toml")
	if err != nil {
		t.Fatal(err)
	}
	clitest.Example(t, string(text), func(text string) error {
		_, err := Parse([]byte(strings.Replace(text, "centre_key = \"\"", "centre_key = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", 1)))
		return err
	})
}
