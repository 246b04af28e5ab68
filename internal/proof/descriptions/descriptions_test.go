package descriptions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"haochaping/internal/proof/testkit"
)

const (
	root    = "../../.."
	modules = root + "/.ci/npm/node_modules"
	schemas = root + "/docs/schema"
)

// need skips a test that lacks something, and fails it with CI=1.
func need(t *testing.T, what string, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("%s: %v", what, err)
	default:
		t.Skipf("%s: %v", what, err)
	}
}

func needNode(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("node")
	need(t, "node is missing: install the Debian package nodejs", err)
	_, err = os.Stat(modules)
	need(t, "the tools of npm are missing: make descriptions", err)
}

// output runs a command and returns what it prints.
func output(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", c, err, out, said.String())
	}
	return string(out)
}

// TestSpectral lints the descriptions with the rules of OpenAPI and AsyncAPI; a warning is a fault.
func TestSpectral(t *testing.T) {
	needNode(t)
	lint := exec.Command(filepath.Join(modules, ".bin/spectral"), "lint", "--fail-severity", "warn", "--ruleset",
		root+"/.ci/npm/spectral.yaml", root+"/docs/asyncapi.yaml")
	for _, path := range apis() {
		lint.Args = append(lint.Args, root+path)
	}
	output(t, lint)
}

// apis returns the descriptions of all HTTP APIs, by names for packages.
func apis() map[string]string {
	return map[string]string{"windowclient": "/internal/windowapi/openapi.yaml", "centreclient": "/internal/central/web/api/openapi.yaml",
		"casesclient": "/internal/central/cases/openapi.yaml"}
}

// TestOAPICodegen generates a client of each API and compiles it, in the place of a package of this module that does not exist.
func TestOAPICodegen(t *testing.T) {
	tools := "-modfile=" + root + "/.ci/tools.mod"
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	replace := make(map[string]string)
	build := exec.Command("go", "build", tools, "-overlay", filepath.Join(t.TempDir(), "overlay.json"))
	build.Env = testkit.BuildEnv()
	for name, path := range apis() {
		client := filepath.Join(t.TempDir(), name+".go")
		generate := exec.Command("go", "tool", tools, "oapi-codegen", "-generate", "types,client", "-package", name, "-o", client, root+path)
		generate.Env = testkit.BuildEnv()
		output(t, generate)
		replace[filepath.Join(here, name, "client.go")] = client
		build.Args = append(build.Args, "./"+name)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(build.Args[4], overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	output(t, build)
}

// sample is a value and the schema that it must satisfy, or must not.
type sample struct {
	Schema string          `json:"schema"`
	Value  json.RawMessage `json:"value"`
	good   bool
}

// samples are the records and messages of the tests, and some that no reader may accept: each has a fault that the regular expressions of
// some language let pass.
func samples(t *testing.T) (all []sample) {
	t.Helper()
	record := "record.schema.json"
	lines, err := os.ReadFile(root + "/internal/rating/testdata/records.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(lines)) {
		all = append(all, sample{record, json.RawMessage(line), true})
	}
	for file, part := range map[string]string{"ack": "ack", "command": "command", "config": "config", "health": "health"} {
		b, err := os.ReadFile(root + "/sync/wire/testdata/" + file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, sample{"message.schema.json#/$defs/" + part, b, true})
	}
	first := string(all[0].Value)
	for _, device := range []string{`lz-0417\n`, "LZ", "-a", "abcdefghijklm", ""} {
		all = append(all, sample{record, json.RawMessage(strings.Replace(first, `"device":"lz-0417"`, `"device":"`+device+`"`, 1)), false})
	}
	for _, name := range []string{`\u0000`, `\u001f`, `\u007f`, `\u0085`, `\u009f`, `a\n`} {
		all = append(all, sample{record + "#/$defs/name", json.RawMessage(`"` + name + `"`), false})
	}
	for _, name := range []string{`\u00a0`, `综合受理12号窗口`, `\ud83d\ude00`, `\u2028`, strings.Repeat(`\ud83d\ude00`, 120)} {
		all = append(all, sample{record + "#/$defs/name", json.RawMessage(`"` + name + `"`), true})
	}
	for _, code := range []string{`a b`, `码`, `a\n`, strings.Repeat("x", 65)} {
		all = append(all, sample{record + "#/$defs/code", json.RawMessage(`"` + code + `"`), false})
	}
	for _, id := range []string{`0000000000000000`, `00000000000000aA`, `00000000000000a`, `00000000000000a1\n`} {
		all = append(all, sample{record + "#/$defs/id", json.RawMessage(`"` + id + `"`), false})
	}
	return all
}

// validated lets a validator judge the samples.
func validated(t *testing.T, c *exec.Cmd) {
	t.Helper()
	all := samples(t)
	var in bytes.Buffer
	for _, s := range all {
		if err := json.NewEncoder(&in).Encode(s); err != nil {
			t.Fatal(err)
		}
	}
	c.Stdin = &in
	verdicts := strings.Split(strings.TrimSpace(output(t, c)), "\n")
	if len(verdicts) != len(all) {
		t.Fatalf("%d verdicts for %d samples: %q", len(verdicts), len(all), verdicts)
	}
	for i, s := range all {
		if (verdicts[i] == "ok") != s.good {
			t.Errorf("%s of %s: %s", s.Value, s.Schema, verdicts[i])
		}
	}
}

func TestAjv(t *testing.T) {
	needNode(t)
	absolute, err := filepath.Abs(modules)
	if err != nil {
		t.Fatal(err)
	}
	validated(t, exec.Command("node", "validate.cjs", absolute, schemas))
}

func TestPythonJSONSchema(t *testing.T) {
	// The system's, whose packages apt installs.
	const python = "/usr/bin/python3"
	out, err := exec.Command(python, "-c", "import jsonschema").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w %s", err, out)
	}
	need(t, "jsonschema is missing: install the Debian package python3-jsonschema", err)
	validated(t, exec.Command(python, "validate.py", schemas))
}
