package windowapi

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"haochaping/internal/rating"
)

// FuzzNewVisit holds that what is read from a request is what the description allows, and what is refused is explained.
func FuzzNewVisit(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"staff":{"id":"0417","name":"王丽"},"wait_sec":60}`, `{"subjects":["staff","matter"],"grouping":"batch",` +
			`"cases":[{"project_no":"1","task_code":"T","task_name":"n","completed":true},{"project_no":"2","task_code":"T"}]}`,
		`{"grouping":"theme","separate":true}`, `{"cases":null}`, `{"a":1}`, `{"wait_sec":1e0}`, `{"wait_sec":1.5}`,
		`{"staff":{"id":"a","id":"b"}}`, `{"Staff":{}}`, `[]`, `{} {}`, "{\"staff\":{\"name\":\"\xff\"}}",
		`{"staff":{"name":"\u0000"}}`, `{"staff":{"name":"\ud800"}}`, `{"subjects":["staff","staff"]}`,
	} {
		f.Add([]byte(s))
	}
	schema := schemaOf(f, "NewVisit")
	f.Fuzz(func(t *testing.T, body []byte) {
		var j visitJSON
		j.Grouping = rating.Single
		p := decode(body, &j)
		if p == nil {
			p = j.check()
		}
		if p != nil {
			if p.ZH.Detail == "" || p.EN.Detail == "" {
				t.Errorf("%q is refused without a reason", body)
			}
			return
		}
		visit := j.visit()
		visit.ID, visit.Window = 1, rating.Window{ID: "A12", Name: "综合窗口", Hall: "大厅", Generation: 1}
		visit.WaitSec = max(visit.WaitSec, 1)
		if err := rating.CheckVisit(visit); err != nil {
			return // the rules refuse it, which has its own answers
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		if err != nil {
			t.Fatalf("%q was read, and is no JSON: %v", body, err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%q was read, and the description does not allow it: %v", body, err)
		}
		if b, err := json.Marshal(visit); err == nil && strings.Contains(string(b), "\ufffd") && !strings.Contains(string(body), "\ufffd") &&
			!strings.Contains(strings.ToLower(string(body)), `\ufffd`) {
			t.Errorf("%q was changed: %s", body, b)
		}
	})
}
