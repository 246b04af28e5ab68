package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"haochaping/internal/tomlfile"
)

// What programs read of a configuration has the status of the plain form, and each fault its line, its field, and words in both languages.
func TestCheckConfigForPrograms(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "centrald.toml")
	for _, c := range []struct {
		add    string
		status int
		want   tomlfile.Fault
	}{
		{"", 0, tomlfile.Fault{}},
		{"deadline.silent_days = 999\n", 78, tomlfile.Fault{Line: 1, Field: "deadline.silent_days", Stops: true}},
		{"rate.catalogue = \"/no/such\"\n", 78, tomlfile.Fault{Line: 1, Field: "rate.catalogue", Stops: true}},
		{"broker.url = \"mqtt://127.0.0.1:1\"\n", 1, tomlfile.Fault{Line: 1, Field: "broker.url"}},
	} {
		text := c.add + fmt.Sprintf("state = %q\n", dir)
		for _, door := range []string{"broker", "admin", "rate"} {
			text += door + ".listen = \"127.0.0.1:0\"\n"
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err := run(t.Context(), []string{"-check-config", "-json", "-config", path}, environment{&out, io.Discard, time.Now, rand.Reader,
			manager})
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
}
