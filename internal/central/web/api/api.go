package api

import (
	"embed"
	"fmt"

	"haochaping/internal/central/web"
)

//go:embed openapi.yaml
var files embed.FS

// Section returns the route of the description.
func Section() web.Section {
	return web.Section{Name: "api", Files: files,
		Routes: []web.Route{{Method: "GET", Path: "/api/v1/openapi.yaml", Public: true, Do: describe}}}
}

func describe(c *web.Call) error {
	text, err := files.ReadFile("openapi.yaml")
	if err != nil {
		return fmt.Errorf("read the description: %w", err)
	}
	c.W.Header().Set("Content-Type", "application/yaml")
	_, _ = c.W.Write(text) // a failing write means that the reader is gone
	return nil
}
