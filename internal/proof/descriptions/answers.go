package descriptions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"haochaping/internal/proof/testkit"

	"gopkg.in/yaml.v3"
)

// Document is an OpenAPI document.
type Document map[string]any

// ReadDocument reads one in YAML.
func ReadDocument(path string) (Document, error) {
	var d map[string]any // of which yaml makes the inner maps too
	text, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(text, &d)
	}
	if err != nil {
		return nil, fmt.Errorf("read the description %s: %w", path, err)
	}
	return d, nil
}

// Operations returns the methods of all paths, as "GET /v1/x".
func (d Document) Operations() (all []string) {
	paths, _ := d["paths"].(map[string]any)
	for path, item := range paths {
		methods, _ := item.(map[string]any)
		for m := range methods {
			switch m {
			case "get", "put", "post", "delete", "patch", "head":
				all = append(all, strings.ToUpper(m)+" "+path)
			}
		}
	}
	return all
}

// TakesBody reports whether an operation, as "POST /v1/x", has a body in its request.
func (d Document) TakesBody(operation string) bool {
	method, path, _ := strings.Cut(operation, " ")
	escaped := strings.NewReplacer("~", "~0", "/", "~1").Replace(path)
	body, _ := d.resolve("/paths/" + escaped + "/" + strings.ToLower(method) + "/requestBody")
	return body != nil
}

// Answer is what an operation has answered.
type Answer struct {
	Method, Path string // as the document has it
	Status       int
	Kind         string // Content-Type
	Body         []byte
}

// resolve follows a reference of the document.
func (d Document) resolve(pointer string) (any, string) {
	var at any = map[string]any(d)
	for word := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		word = strings.NewReplacer("~1", "/", "~0", "~").Replace(word)
		item, _ := at.(map[string]any)
		at = item[word]
		if next, ok := at.(map[string]any); ok {
			if ref, ok := next["$ref"].(string); ok {
				at, pointer = d.resolve(strings.TrimPrefix(ref, "#"))
			}
		}
	}
	return at, pointer
}

// schemaOf returns where the schema of an answer is: that of its status, or of "default".
func (d Document) schemaOf(a Answer) (string, error) {
	escaped := strings.NewReplacer("~", "~0", "/", "~1").Replace
	kind, _, _ := strings.Cut(a.Kind, ";")
	for _, status := range []string{strconv.Itoa(a.Status), "default"} {
		at := "/paths/" + escaped(a.Path) + "/" + strings.ToLower(a.Method) + "/responses/" + status
		response, found := d.resolve(at)
		if response == nil {
			continue
		}
		inner, _ := response.(map[string]any)["content"].(map[string]any)
		if _, ok := inner[kind]; !ok {
			return "", fmt.Errorf("%s %s %d: the description has no %s", a.Method, a.Path, a.Status, kind)
		}
		return found + "/content/" + escaped(kind) + "/schema", nil
	}
	return "", fmt.Errorf("%s %s: the description has no status %d", a.Method, a.Path, a.Status)
}

// ErrTools says that what reads a document is not installed.
var ErrTools = errors.New("install the Debian package nodejs, and run: make descriptions")

// Wrong returns what ajv finds wrong with answers, or ErrTools.
func (d Document) Wrong(answers []Answer) (wrong []string, err error) {
	module := testkit.Module()
	installed := filepath.Join(module, ".ci/npm/node_modules")
	if _, err := os.Stat(installed); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTools, err)
	}
	type asked struct {
		Pointer string          `json:"pointer"`
		Value   json.RawMessage `json:"value"`
	}
	in := struct {
		Document Document `json:"document"`
		Answers  []asked  `json:"answers"`
	}{Document: d}
	var of []Answer
	for _, a := range answers {
		pointer, err := d.schemaOf(a)
		switch {
		case err != nil:
			wrong = append(wrong, err.Error())
		case !json.Valid(a.Body):
			wrong = append(wrong, fmt.Sprintf("%s %s %d: %q is no JSON", a.Method, a.Path, a.Status, a.Body))
		default:
			in.Answers, of = append(in.Answers, asked{(&url.URL{Fragment: pointer}).EscapedFragment(), a.Body}), append(of, a)
		}
	}
	text, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	c := exec.Command("node", filepath.Join(module, "internal/proof/descriptions/answers.cjs"), installed)
	var said bytes.Buffer
	c.Stdin, c.Stderr = bytes.NewReader(text), &said
	out, err := c.Output()
	if errors.Is(err, exec.ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrTools, err)
	}
	if err != nil {
		return nil, fmt.Errorf("ask ajv: %w %s", err, said.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(of) {
		return nil, fmt.Errorf("%d verdicts for %d answers", len(lines), len(of))
	}
	for i, a := range of {
		if lines[i] != "ok" {
			wrong = append(wrong, fmt.Sprintf("%s %s %d: %s\n%s", a.Method, a.Path, a.Status, lines[i], a.Body))
		}
	}
	return wrong, nil
}

// Want reports each answer that is not as the document has it. Without what reads it the test is skipped, and fails where CI is set.
func Want(t testing.TB, path string, answers []Answer) {
	t.Helper()
	d, err := ReadDocument(path)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := d.Wrong(answers)
	if errors.Is(err, ErrTools) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range slices.Compact(wrong) {
		t.Error(w)
	}
}
