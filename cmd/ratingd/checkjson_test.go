package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"haochaping/internal/tomlfile"
)

// What programs read of a configuration has the status of the plain form, and each fault its line, its field, and words in both languages.
func TestCheckConfigForPrograms(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ratingd.toml")
	for _, c := range []struct {
		add    string
		status int
		want   tomlfile.Fault
	}{
		{"", 0, tomlfile.Fault{}},
		{"visit.wait = \"1h\"\n", 78, tomlfile.Fault{Line: 1, Field: "visit.wait", Stops: true}},
		{"uplink.password_file = \"/no/such\"\n", 1, tomlfile.Fault{Line: 1, Field: "uplink.password_file"}},
	} {
		writeFile(t, path, c.add+checkedConfig+fmt.Sprintf("screen.fonts = []\nwindow_api.listen = \"127.0.0.1:0\"\nstate = %q\n", dir))
		var out, said bytes.Buffer
		err := run(t.Context(), []string{"-check-config", "-json", "-config", path}, machine(&out, &said))
		var v tomlfile.Verdict
		if e := json.Unmarshal(out.Bytes(), &v); e != nil {
			t.Fatalf("%s: %v in %s", c.add, e, out.String())
		}
		if status := exitStatus(err); status != c.status || v.OK != (status == 0) || v.File != path || v.Faults == nil {
			t.Errorf("%s: status %d, %+v", c.add, status, v)
		}
		if c.status == 0 {
			continue
		}
		if len(v.Faults) != 1 {
			t.Fatalf("%s: %+v", c.add, v.Faults)
		}
		f := v.Faults[0]
		if f.Line != c.want.Line || f.Field != c.want.Field || f.Stops != c.want.Stops || f.What.ZH == "" || f.What.EN == "" || f.Do.ZH == "" ||
			f.Do.EN == "" {
			t.Errorf("%s: %+v", c.add, f)
		}
	}
	if err := run(t.Context(), []string{"-json"}, machine(new(bytes.Buffer), new(bytes.Buffer))); exitStatus(err) != 2 {
		t.Errorf("-json by itself: %v", err)
	}
}
