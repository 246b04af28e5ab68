package rating

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// recordSchema reads the schema that others write and read records by.
func recordSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile("../../docs/schema/record.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func accepts(t *testing.T, s *jsonschema.Schema, raw []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

func TestSchemaAcceptsTheGoldenRecords(t *testing.T) {
	s := recordSchema(t)
	for _, r := range goldenRecords() {
		raw, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := accepts(t, s, raw); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// TestSchemaAndCodeAgree changes one value of a valid record to one that may be out of bounds, and asks both.
func TestSchemaAndCodeAgree(t *testing.T) {
	s := recordSchema(t)
	var records []map[string]any
	for _, r := range goldenRecords() {
		raw, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		records = append(records, m)
	}
	refused := 0
	rapid.Check(t, func(r *rapid.T) {
		m := clone(rapid.SampledFrom(records).Draw(r, "record")).(map[string]any)
		place := rapid.SampledFrom(places(m, nil)).Draw(r, "place")
		value := rapid.SampledFrom([]any{0, 1, 2, 5, 6, -1, 601, 9007199254740991, 9007199254740992, 1.5, "", "x", "a b", "staff", "matter",
			"0000000000000000",
			strings.Repeat("长", 121), strings.Repeat("长", 151), strings.Repeat("x", 64), strings.Repeat("x", 65), "tab\t", true, []any{},
			map[string]any{}}).Draw(r, "value")
		set(m, place, value)
		raw, err := json.Marshal(m)
		if err != nil {
			r.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			r.Fatal(err)
		}
		schemaErr := s.Validate(v)
		_, codeErr := DecodeRecord(raw)
		for _, words := range []string{"article 14", "salvaged: ", "base64"} { // the schema says in words that it does not hold these
			if codeErr != nil && strings.Contains(codeErr.Error(), words) {
				return
			}
		}
		if (schemaErr == nil) != (codeErr == nil) {
			r.Fatalf("%v = %v: the schema says %v, the code says %v", place, value, schemaErr, codeErr)
		}
		if codeErr != nil {
			refused++
		}
	})
	if refused == 0 {
		t.Error("nothing was refused; the test proves nothing")
	}
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any)
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	case []any:
		var out []any
		for _, e := range v {
			out = append(out, clone(e))
		}
		return out
	}
	return v
}

// places lists the keys of all values inside objects, by their paths.
func places(m map[string]any, prefix []string) (all [][]string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		path := append(append([]string(nil), prefix...), k)
		all = append(all, path)
		if inner, ok := m[k].(map[string]any); ok {
			all = append(all, places(inner, path)...)
		}
	}
	return all
}

func set(m map[string]any, path []string, v any) {
	for _, k := range path[:len(path)-1] {
		m = m[k].(map[string]any)
	}
	m[path[len(path)-1]] = v
}
