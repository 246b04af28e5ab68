package boxconfig

import (
	"fmt"

	"haochaping/internal/keptfile"
	"haochaping/internal/rating"
)

// Catalogue returns the catalogue of reasons of a file, the built-in one without a file.
func Catalogue(file string) (rating.Catalogue, error) {
	if file == "" {
		return rating.BuiltInCatalogue()
	}
	b, err := keptfile.ReadSmall(file)
	if err != nil {
		return rating.Catalogue{}, err
	}
	c, err := rating.ParseCatalogue(b)
	if err != nil {
		return rating.Catalogue{}, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}
