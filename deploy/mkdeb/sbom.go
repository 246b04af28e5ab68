package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Licences that no file in a module's folder says in a way that the detector understands, in SPDX's terms.
const (
	ownLicence  = "Apache-2.0"
	stdLicence  = "BSD-3-Clause"
	fontLicence = "OFL-1.1"
	// pahoLicence: the file LICENSE holds the one, edl-v10 the other, and NOTICE.md lets choose.
	pahoLicence = "EPL-2.0 OR BSD-3-Clause"
)

// bom writes the list of what a program is made of, with the licence of each part (CycloneDX).
func (b *builder) bom(ctx context.Context, binary, path string) error {
	if err := b.run(ctx, toolEnv(), "go", "tool", "-modfile=.ci/tools.mod", "cyclonedx-gomod", "bin",
		"-json", "-std", "-licenses", "-assert-licenses", "-noserial", "-notimestamp", "-version", b.src.version, "-output", path,
		binary); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if text, err = completeBOM(text); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return os.WriteFile(path, text, 0o644)
}

// component is a part in a CycloneDX list.
type component map[string]any

func (c component) licensed(expression string) {
	if strings.Contains(expression, " ") {
		c["licenses"] = []any{map[string]any{"expression": expression}}
		return
	}
	c["licenses"] = []any{map[string]any{"license": map[string]any{"id": expression}}}
}

// completeBOM adds the licences that the detector does not find, and the fonts. A part without a licence is an error: then nobody may
// hand the program on.
func completeBOM(text []byte) ([]byte, error) {
	var bom struct {
		Metadata   map[string]any
		Components []component
	}
	var whole map[string]any
	if err := errors.Join(json.Unmarshal(text, &bom), json.Unmarshal(text, &whole)); err != nil {
		return nil, fmt.Errorf("read the list of parts: %w", err)
	}
	if main, ok := bom.Metadata["component"].(map[string]any); ok {
		component(main).licensed(ownLicence)
	}
	for _, c := range bom.Components {
		switch c["name"] {
		case "std":
			c.licensed(stdLicence)
		case "github.com/eclipse/paho.mqtt.golang":
			c.licensed(pahoLicence)
		}
		if found, ok := c["licenses"].([]any); !ok || len(found) == 0 {
			return nil, fmt.Errorf("the licence of %v %v is not known: name it in sbom.go", c["name"], c["version"])
		}
	}
	for name, about := range map[string]string{
		"NotoSansSC-Medium-subset.otf": "a built-in font, a subset of Noto Sans SC",
		"NotoSerifTibetan-subset.ttf":  "a built-in font, a subset of Noto Serif Tibetan",
	} {
		font := component{"bom-ref": "font:" + name, "type": "file", "name": name, "description": about}
		font.licensed(fontLicence)
		bom.Components = append(bom.Components, font)
	}
	slices.SortStableFunc(bom.Components, func(a, b component) int { return strings.Compare(fmt.Sprint(a["name"]), fmt.Sprint(b["name"])) })
	whole["metadata"], whole["components"] = bom.Metadata, bom.Components
	out, err := json.MarshalIndent(whole, "", "  ")
	return append(out, '\n'), err
}
