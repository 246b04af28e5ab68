package upward

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestTables reads those that are built in, and says what is wrong with others.
func TestTables(t *testing.T) {
	for _, name := range BuiltIn() {
		table, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if !table.Assumed || table.Name != name {
			t.Errorf("%s says that it is the province's own text", name)
		}
	}
	good, err := Text("gansu")
	if err != nil {
		t.Fatal(err)
	}
	for change, want := range map[[2]string]string{
		{`"from": "staff"`, `"from": "contact"`}:                "what may be sent is",
		{`"keypad": "5", `, ``}:                                 `no code for "keypad"`,
		{`"keypad": "5"`, `"key": "5"`}:                         `"key" is not one of`,
		{`{"name": "dataVersion", "from": "version"},`, ``}:     "no field says the version",
		{`"name": "areaCode"`, `"name": "projectNo"`}:           "is there already",
		{`"2006-01-02 15:04:05"`, `"2006-01-02 15:04"`}:         "loses something",
		{`"no_case": "own"`, `"no_case": "maybe"`}:              "no_case is own or omit",
		{`"wait_minutes": 30`, `"wait_minutes": 300000`}:        "wait_minutes 0 to",
		{`"accepted": ["0", "200"]`, `"accepted": []`}:          "nothing would ever be accepted",
		{`"accepted": ["0", "200"]`, `"accepted": ["409"]`}:     "there twice",
		{`"title"`, `"titel"`}:                                  "unknown field",
		{`"service": "/services"`, `"service": ""`}:             "go together",
		{`"reasons": {}`, `"reasons": {"3": "1"}`}:              "no bad level",
		{`{"name": "pf", "from": "channel"}`, `{"name": "pf"}`}: "has a source (from) or a value",
		{`"from": "service_time"}`, `"from": "satisfaction"}`}:  "nothing is known as",
	} {
		text := strings.Replace(string(good), change[0], change[1], 1)
		if text == string(good) {
			t.Errorf("the table lacks %s", change[0])
		}
		if _, err := ParseTable([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with %s it says %v, want %q", change[1], err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "own.json")
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Error(err)
	}
	if _, err := Load("nowhere"); err == nil || !strings.Contains(err.Error(), "gansu, shandong, zhejiang") {
		t.Errorf("of a table that is not there it says %v", err)
	}
}

// TestTheSchemaIsTheTables: what docs/schema says of a table's file is what this program reads.
func TestTheSchemaIsTheTables(t *testing.T) {
	s, err := jsonschema.NewCompiler().Compile("../../../docs/schema/upward-table.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	valid := func(text string) error {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return s.Validate(v)
	}
	for _, name := range BuiltIn() {
		text, err := Text(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(string(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for from, to := range map[string]string{`"from": "area"`: `"from": "contact"`, `"name": "areaCode", "from"`: `"name": "areaCode", "form"`,
			`"no_case": "own"`: `"no_case": "never"`, `"assumed": true`: `"assumed": "yes"`, `"wait_minutes": 30`: `"wait_minutes": -1`,
			`"codes"`: `"code"`} {
			wrong := strings.Replace(string(text), from, to, 1)
			if wrong == string(text) {
				t.Fatalf("%s lacks %s", name, from)
			}
			if _, err := ParseTable([]byte(wrong)); err == nil || valid(wrong) == nil {
				t.Errorf("%s with %s: the program says %v, the schema %v", name, to, err, valid(wrong))
			}
		}
	}
	for _, source := range Sources() {
		one := strings.Replace(`{"name":"a","title":"a","assumed":false,"source":"a","paths":{"evaluation":"/e"},"service":[],`+
			`"codes":{},"time":"x","separator":",","max_text":0,"bare_bad":{},"no_case":"own",`+
			`"answers":{"accepted":["0"]},"evaluation":[{"name":"x","from":"SOURCE"}]}`,
			"SOURCE", string(source), 1)
		if err := valid(one); err != nil {
			t.Errorf("the schema does not know the source %s: %v", source, err)
		}
	}
}

// TestNoFieldSaysWhoTheApplicantIs: what may be sent is a closed list.
func TestNoFieldSaysWhoTheApplicantIs(t *testing.T) {
	want := strings.Fields("applicant area channel default effective id operation project reasons satisfaction service_name service_number " +
		"service_time staff staff_name status subject task task_item task_name text time unit version")
	var got []string
	for _, s := range Sources() {
		got = append(got, string(s))
	}
	if !slices.Equal(got, want) {
		t.Errorf("what may be sent is %q; whoever adds to it reads docs/upward.md first", got)
	}
}
