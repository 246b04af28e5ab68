package windowapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// generator draws values that the schemas of the description allow.
type generator struct{ schemas map[string]any }

func (g generator) resolve(schema map[string]any) map[string]any {
	ref, ok := schema["$ref"].(string)
	if !ok {
		return schema
	}
	return g.resolve(g.schemas[strings.TrimPrefix(ref, "#/components/schemas/")].(map[string]any))
}

func (g generator) draw(t *rapid.T, schema map[string]any, at string) any {
	schema = g.resolve(schema)
	if all, ok := schema["allOf"].([]any); ok {
		// What one part requires stands in the properties of another.
		merged := maps.Clone(g.resolve(all[0].(map[string]any)))
		merged["required"] = schema["required"]
		schema = merged
	}
	if enum, ok := schema["enum"].([]any); ok {
		return rapid.SampledFrom(enum).Draw(t, at)
	}
	switch schema["type"] {
	case "object":
		return g.object(t, schema, at)
	case "array":
		n := rapid.IntRange(0, min(schema["maxItems"].(int), 4)).Draw(t, at+" items")
		list := []any{}
		for i := range n {
			v := g.draw(t, schema["items"].(map[string]any), fmt.Sprintf("%s/%d", at, i))
			if schema["uniqueItems"] == true && slices.Contains(list, v) {
				continue
			}
			list = append(list, v)
		}
		return list
	case "string":
		if p, ok := schema["pattern"].(string); ok && p != `^\P{Cc}*$` {
			least, _ := schema["minLength"].(int)
			s := rapid.StringMatching(p).Filter(func(s string) bool { return len(s) <= 64 && len(s) >= least }).Draw(t, at)
			if s == "" && at == "/id" {
				return "0417"
			}
			return s
		}
		return rapid.StringOfN(rapid.RuneFrom([]rune("王丽户政科A 1é👍\u2028<&")), 0, schema["maxLength"].(int), -1).Draw(t, at)
	case "boolean":
		return rapid.Bool().Draw(t, at)
	case "integer":
		return rapid.IntRange(schema["minimum"].(int), schema["maximum"].(int)).Draw(t, at)
	}
	panic(fmt.Sprintf("%s: the test does not know %v", at, schema))
}

func (g generator) object(t *rapid.T, schema map[string]any, at string) map[string]any {
	required, _ := schema["required"].([]any)
	o := make(map[string]any)
	properties := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if slices.Contains(required, any(name)) || rapid.Bool().Draw(t, at+"/"+name+"?") {
			o[name] = g.draw(t, properties[name].(map[string]any), at+"/"+name)
		}
	}
	return o
}

// TestValidRequestsAreTaken draws requests that the description allows: none is called invalid, and every answer is as the
// description says.
func TestValidRequestsAreTaken(t *testing.T) {
	c := unlimited(t)
	g := generator{c.schemas}
	opened := 0
	rapid.Check(t, func(r *rapid.T) {
		method, path, schema := target(r)
		body := encode(g.draw(r, map[string]any{"$ref": schema}, ""))
		if err := c.allowed(method, path, body); err != nil {
			r.Fatalf("the test drew what the description does not allow: %s: %v", body, err)
		}
		a := c.send(method, path, body)
		switch a.StatusCode {
		case http.StatusCreated:
			opened++
		case http.StatusNoContent:
		default:
			if p := a.problem(r); p.Type != "urn:hcp:problem:rule" {
				r.Fatalf("%s %s %s: %s %s", method, path, body, a.Status, a.body)
			}
		}
		if t.Failed() {
			r.FailNow()
		}
	})
	if opened == 0 {
		t.Error("no visit was opened; the test proves nothing")
	}
}

// TestInvalidRequestsAreRefused spoils a request in one place and asks the description and the box: they agree, and the box
// never fails.
func TestInvalidRequestsAreRefused(t *testing.T) {
	c := unlimited(t)
	g := generator{c.schemas}
	refused := 0
	rapid.Check(t, func(r *rapid.T) {
		method, path, schema := target(r)
		v := g.draw(r, map[string]any{"$ref": schema}, "")
		places := placesOf(v, nil)
		places = append(places, []any{"unknown"})
		value := rapid.SampledFrom([]any{nil, 0, 1, -1, 600, 601, 1.5, "", "x", "a b", "staff", "batch", true, false, strings.Repeat("长", 120),
			strings.Repeat("长", 121),
			strings.Repeat("x", 64), strings.Repeat("x", 65), "tab\t", []any{}, []any{"staff"}, []any{"level"}, map[string]any{},
			map[string]any{"level": 5}}).Draw(r, "value")
		v = put(v, rapid.SampledFrom(places).Draw(r, "place"), value)
		body := encode(v)
		allowed := c.allowed(method, path, body)
		a := c.send(method, path, body)
		invalid := a.StatusCode == http.StatusUnprocessableEntity && a.problem(r).Type == "urn:hcp:problem:invalid"
		if invalid != (allowed != nil) && !twice(v) {
			r.Fatalf("%s: the description says %v, the box %s %s", body, allowed, a.Status, a.body)
		}
		if a.StatusCode >= 500 {
			r.Fatalf("%s: %s %s", body, a.Status, a.body)
		}
		if invalid {
			refused++
		}
		if t.Failed() {
			r.FailNow()
		}
	})
	if refused == 0 {
		t.Error("nothing was refused; the test proves nothing")
	}
}

// twice reports whether a subject is named twice: a rule of article 14 to the box, a list with a repetition to the description.
func twice(v any) bool {
	o, ok := v.(map[string]any)
	if !ok {
		return false
	}
	s, _ := o["subjects"].([]any)
	return len(s) > 1 && (len(s) > 2 || s[0] == s[1])
}

func target(r *rapid.T) (method, path, schema string) {
	if rapid.IntRange(0, 3).Draw(r, "staff?") == 0 {
		return "PUT", "/v1/staff", "#/components/schemas/SignedStaff"
	}
	return "POST", "/v1/visits", "#/components/schemas/NewVisit"
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// placesOf lists the paths of all values.
func placesOf(v any, at []any) (all [][]any) {
	all = append(all, at)
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			all = append(all, placesOf(v[k], append(slices.Clone(at), k))...)
		}
	case []any:
		for i, e := range v {
			all = append(all, placesOf(e, append(slices.Clone(at), i))...)
		}
	}
	return all
}

// put returns v with the value at a path.
func put(v any, at []any, value any) any {
	if len(at) == 0 {
		return value
	}
	switch v := v.(type) {
	case map[string]any:
		v[at[0].(string)] = put(v[at[0].(string)], at[1:], value)
	case []any:
		v[at[0].(int)] = put(v[at[0].(int)], at[1:], value)
	}
	return v
}
