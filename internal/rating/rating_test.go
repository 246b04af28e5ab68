package rating

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestLevels(t *testing.T) {
	for l := Level(0); l < 10; l++ {
		if got, want := l.Valid(), l >= 1 && l <= 5; got != want {
			t.Errorf("level %d valid: %t", l, got)
		}
		if got, want := l.Bad(), l == 1 || l == 2; got != want {
			t.Errorf("level %d bad: %t (article 10)", l, got)
		}
	}
	if got := VeryDissatisfied.String(); got != "1 非常不满意" {
		t.Errorf("level 1 is %q", got)
	}
}

func deviceIDs() *rapid.Generator[string] {
	return rapid.StringMatching(`[0-9a-z]([0-9a-z-]{0,10}[0-9a-z])?`)
}

func TestPackedDevicesAreToldApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := DeviceID(deviceIDs().Draw(t, "a")), DeviceID(deviceIDs().Draw(t, "b"))
		if got, err := UnpackDeviceID(a.Pack()); err != nil || got != a {
			t.Fatalf("%q came back as %q, %v", a, got, err)
		}
		if (a == b) != (a.Pack() == b.Pack()) {
			t.Fatalf("%q and %q pack to %d and %d", a, b, a.Pack(), b.Pack())
		}
	})
}

func FuzzUnpackDeviceID(f *testing.F) {
	f.Add(DeviceID("lz-0417").Pack())
	f.Add(uint64(0))
	f.Add(^uint64(0))
	f.Fuzz(func(t *testing.T, n uint64) {
		if d, err := UnpackDeviceID(n); err == nil && d.Pack() != n {
			t.Errorf("%d unpacks to %q, which packs to %d", n, d, d.Pack())
		}
	})
}

func TestDeviceIDsRefused(t *testing.T) {
	for _, s := range []string{"", "-a", "a-", "A", "a/b", "a+", "1234567890123", "é"} {
		if _, err := ParseDeviceID(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}

func TestIdentifiersHaveOneSpelling(t *testing.T) {
	for _, s := range []string{"", "0", "0000000000000000", "00000000000000AB", "00000000000000g0", "000000000000000001"} {
		if v, err := ParseVisitID(s); err == nil {
			t.Errorf("visit %q was read as %s", s, v)
		}
		if e, err := ParseEpoch(s); err == nil {
			t.Errorf("epoch %q was read as %s", s, e)
		}
	}
	v, err := NewVisitID(bytes.NewReader(append(make([]byte, 8), 0, 0, 0, 0, 0, 0, 1, 2)))
	if err != nil || v != 0x102 {
		t.Errorf("zero was not skipped: %s, %v", v, err)
	}
	var h Hash
	for _, s := range []string{"", strings.Repeat("A", 42), strings.Repeat("A", 42) + "B", strings.Repeat("!", 43)} {
		if err := h.UnmarshalText([]byte(s)); err == nil {
			t.Errorf("hash %q was accepted", s)
		}
	}
}

// visitOf returns a visit that keeps all rules.
func visitOf() Visit {
	return Visit{ID: 5, Window: Window{ID: "A12", Name: "综合受理12号窗口", Hall: "市民中心", Generation: 3}, Staff: Staff{ID: "0417"},
		Cases:    []Case{{ProjectNo: "6201022026112300017", TaskCode: "11620102", TaskName: "居住证办理", Completed: true}},
		Grouping: Single, Subjects: []Subject{StaffSubject, MatterSubject}, Opener: OpenedByPC, WaitSec: 60}
}

// themeOf returns a theme that is asked about matter by matter, opened by a key.
func themeOf() Visit {
	v := visitOf()
	v.ID, v.Grouping, v.Subjects, v.Separate, v.Opener = 6, Theme, []Subject{MatterSubject}, true, OpenedByStaffKey
	v.Cases = []Case{{ProjectNo: "6201022026112300018", TaskCode: "11620103", TaskName: "营业执照", Completed: true},
		{ProjectNo: "6201022026112300019", TaskCode: "11620104", TaskName: "公章刻制备案", Completed: true}}
	return v
}

func TestVisitRules(t *testing.T) {
	if err := visitOf().Check(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*Visit)
		want   string
	}{
		"no ID":               {func(v *Visit) { v.ID = 0 }, "id"},
		"no wait":             {func(v *Visit) { v.WaitSec = 0 }, "waits"},
		"long wait":           {func(v *Visit) { v.WaitSec = 601 }, "waits"},
		"opener":              {func(v *Visit) { v.Opener = "cat" }, "opener"},
		"no window":           {func(v *Visit) { v.Window.ID = "" }, "window"},
		"generation":          {func(v *Visit) { v.Window.Generation = 0 }, "generation"},
		"nothing asked":       {func(v *Visit) { v.Subjects = nil }, "nothing is asked"},
		"subject":             {func(v *Visit) { v.Subjects = []Subject{"weather"} }, "unknown"},
		"asked twice":         {func(v *Visit) { v.Subjects = []Subject{StaffSubject, StaffSubject} }, "twice"},
		"matter not finished": {func(v *Visit) { v.Cases[0].Completed = false }, "article 14"},
		"batch of one":        {func(v *Visit) { v.Grouping = Batch }, "article 14"},
		"batch of two matters": {func(v *Visit) {
			v.Grouping = Batch
			v.Cases = append(v.Cases, Case{ProjectNo: "x", TaskCode: "other"})
		}, "article 14"},
		"grouping":    {func(v *Visit) { v.Grouping = "heap" }, "grouping"},
		"project":     {func(v *Visit) { v.Cases[0].ProjectNo = "" }, "project_no"},
		"code":        {func(v *Visit) { v.Cases[0].TaskCode = "a b" }, "ASCII"},
		"long name":   {func(v *Visit) { v.Cases[0].TaskName = strings.Repeat("长", MaxName+1) }, "characters"},
		"control":     {func(v *Visit) { v.Staff.Name = "a\x00" }, "control"},
		"not UTF-8":   {func(v *Visit) { v.Staff.Name = "\xff" }, "UTF-8"},
		"many cases":  {func(v *Visit) { v.Cases = make([]Case, MaxCases+1) }, "cases"},
		"staff digit": {func(v *Visit) { v.Staff.ID = strings.Repeat("1", MaxCode+1) }, "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			v := visitOf()
			c.change(&v)
			if err := v.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	two := visitOf()
	two.Grouping = Batch
	two.Cases = append(two.Cases, two.Cases[0])
	if err := two.Check(); err != nil {
		t.Errorf("a batch of two: %v", err)
	}
}

// goldenRecords is one record of each kind.
func goldenRecords() []Record {
	at := Stamp{Boot: 3, Mono: 123456, Wall: 1_790_000_000_000, Synced: true}
	var all []Record
	head := Genesis("lz-0417", 7)
	for i, b := range []Body{
		EventBody(at, EventStarted, "version", "v1.0.0"), VisitBody(at, visitOf()),
		EvaluationBody(at.Add(time.Second), Evaluation{Visit: 5, Subject: StaffSubject, Level: 2, Channel: Keypad, WaitedMS: 1000}),
		EvaluationBody(at.Add(2*time.Second), Evaluation{Visit: 5, Subject: StaffSubject, Level: 4, Channel: Keypad, WaitedMS: 2000, Replaces: 3,
			Reasons: []string{"413"}}),
		OutcomeBody(at.Add(5*time.Second), Closing{Visit: 5, Outcome: Rated, Rated: []Subject{StaffSubject}}),
		SalvagedBody(at.Add(6*time.Second), earlierRecord(at)),
		VisitBody(at.Add(7*time.Second), themeOf()),
		EvaluationBody(at.Add(8*time.Second), Evaluation{Visit: 6, Subject: MatterSubject, Case: "6201022026112300018", Level: 5, Channel: Keypad,
			WaitedMS: 1000}),
		OutcomeBody(at.Add(9*time.Second), Closing{Visit: 6, Outcome: Rated, Rated: []Subject{MatterSubject},
			RatedCases: []string{"6201022026112300018"}}),
		VisitBody(at.Add(10*time.Second), namedRequestOf()),
		ReasonBody(at.Add(11*time.Second), Reason{Visit: 6, Subject: MatterSubject, Case: "6201022026112300018", Of: 8, Code: "510",
			Catalogue: 1}),
		EvaluationBody(at.Add(12*time.Second), Evaluation{Visit: 7, Subject: StaffSubject, Level: 1, Channel: Phone, Reasons: []string{"115"},
			Catalogue: 1}),
	} {
		r := Record{V: RecordVersion, Device: "lz-0417", Epoch: 7, Seq: uint64(i) + 1, Prev: head, Body: b}
		all = append(all, r)
		if raw, err := r.Encode(); err == nil {
			head = HashOf(raw)
		}
	}
	return all
}

// namedRequestOf returns a visit whose PC had given its request a name.
func namedRequestOf() Visit {
	v := visitOf()
	v.ID = 7
	v.Request = &Request{Key: "00112233445566778899aabbccddeeff", Digest: "ffeeddccbbaa99887766554433221100"}
	return v
}

// earlierRecord returns the bytes of a record of another epoch.
func earlierRecord(at Stamp) []byte {
	r := Record{V: RecordVersion, Device: "lz-0417", Epoch: 6, Seq: 1, Prev: Genesis("lz-0417", 6), Body: EventBody(at, EventStarted)}
	raw, err := r.Encode()
	if err != nil {
		panic(err)
	}
	return raw
}

// TestGoldenRecords keeps the bytes of the format: a change here breaks every chain in the field.
func TestGoldenRecords(t *testing.T) {
	var got bytes.Buffer
	for _, r := range goldenRecords() {
		raw, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got.Write(append(raw, '\n'))
		back, err := DecodeRecord(raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, back); diff != "" {
			t.Errorf("record %d came back otherwise (-want +got):\n%s", r.Seq, diff)
		}
	}
	const file = "testdata/records.jsonl"
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("bytes of the records (-want +got):\n%s", diff)
	}
}

func TestRecordsRefused(t *testing.T) {
	for name, change := range map[string]func(*Record){
		"version": func(r *Record) { r.V = 2 }, "device": func(r *Record) { r.Device = "" }, "epoch": func(r *Record) { r.Epoch = 0 },
		"seq": func(r *Record) { r.Seq = 0 }, "big seq": func(r *Record) { r.Seq = 1 << 53 }, "boot": func(r *Record) { r.At.Boot = 0 },
		"mono": func(r *Record) { r.At.Mono = -1 }, "level 0": func(r *Record) { r.Evaluation.Level = 0 },
		"level 6":           func(r *Record) { r.Evaluation.Level = 6 },
		"case of the staff": func(r *Record) { r.Evaluation.Case = "1" },
		"salvaged":          func(r *Record) { r.Body = SalvagedBody(r.At, []byte("{}")) },
		"two payloads":      func(r *Record) { r.Event = &Event{Name: "x"} }, "no payload": func(r *Record) { r.Evaluation = nil },
		"kind": func(r *Record) { r.Kind = KindEvent }, "channel": func(r *Record) { r.Evaluation.Channel = "pigeon" },
		"text": func(r *Record) { r.Evaluation.Text = "长" }, "waited": func(r *Record) { r.Evaluation.WaitedMS = -1 },
		"reasons": func(r *Record) { r.Evaluation.Reasons = make([]string, MaxReasons+1) },
		"subject": func(r *Record) { r.Evaluation.Subject = "" },
	} {
		t.Run(name, func(t *testing.T) {
			r := goldenRecords()[2]
			e := *r.Evaluation
			r.Evaluation = &e
			change(&r)
			if b, err := r.Encode(); err == nil {
				t.Errorf("encoded as %s", b)
			}
			if b, err := json.Marshal(r); err == nil {
				if _, err := DecodeRecord(b); err == nil {
					t.Errorf("%s was accepted", b)
				}
			}
		})
	}
}

func FuzzDecodeRecord(f *testing.F) {
	for _, r := range goldenRecords() {
		raw, err := r.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"v":1,"device":"a","kind":"event","event":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRecord(b)
		if err != nil {
			return
		}
		raw, err := r.Encode()
		if err != nil {
			t.Fatalf("%+v was decoded and cannot be encoded: %v", r, err)
		}
		again, err := DecodeRecord(raw)
		if err != nil || !cmp.Equal(r, again) {
			t.Errorf("%+v came back as %+v, %v", r, again, err)
		}
	})
}

// TestHashesHaveOneSpelling writes 31 bytes and a line break, which a base64 decoder passes over.
func TestHashesHaveOneSpelling(t *testing.T) {
	var h Hash
	for _, s := range []string{strings.Repeat("A", 42) + "\n", strings.Repeat("A", 42) + "\r", strings.Repeat("A", 42) + "B",
		strings.Repeat("A", 42)} {
		if err := h.UnmarshalText([]byte(s)); err == nil {
			t.Errorf("%q was read as %s", s, h)
		}
	}
}

// TestEveryVisitThatIsAllowedCanBeWritten opens visits that keep every bound by itself and yet become large.
func TestEveryVisitThatIsAllowedCanBeWritten(t *testing.T) {
	allowed, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		v := visitOf()
		v.Window.Name = strings.Repeat("<", MaxName)
		name := strings.Repeat(rapid.SampledFrom([]string{"x", "长", "<", "𠀀"}).Draw(t, "character"), rapid.IntRange(0, MaxName).Draw(t, "length"))
		for range rapid.IntRange(0, MaxCases).Draw(t, "cases") {
			v.Cases = append(v.Cases, Case{ProjectNo: strings.Repeat("&", MaxCode), TaskName: name, Completed: true})
		}
		if v.Check() != nil {
			refused++
			return
		}
		allowed++
		r := Record{V: RecordVersion, Device: "abcdefghijkl", Epoch: ^Epoch(0), Seq: maxSafeInt,
			Body: VisitBody(Stamp{Boot: 1<<32 - 1, Mono: maxSafeInt, Wall: -maxSafeInt}, v)}
		if _, err := r.Encode(); err != nil {
			t.Fatalf("a visit that is allowed cannot be written: %v", err)
		}
	})
	if allowed == 0 || refused == 0 {
		t.Errorf("%d allowed and %d refused; the test proves nothing", allowed, refused)
	}
}

// TestNamesAreExact: what a reader of the schema does not see must not count, and what two readers could read in two ways is
// not a record.
func TestNamesAreExact(t *testing.T) {
	raw, err := Record{V: 1, Device: "box-1", Epoch: 7, Seq: 1, Prev: Genesis("box-1", 7), Body: EvaluationBody(Stamp{Boot: 1},
		Evaluation{Visit: 5, Subject: StaffSubject, Level: 5, Channel: Keypad})}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	with := func(old, text string) []byte { return bytes.Replace(raw, []byte(old), []byte(text), 1) }
	r, err := DecodeRecord(with(`"level":5`, `"level":5,"Level":1`))
	if err != nil || r.Evaluation.Level != 5 {
		t.Errorf("with a name of another case: %+v, %v", r.Evaluation, err)
	}
	for name, b := range map[string][]byte{
		"twice":            with(`"level":5`, `"level":5,"level":1`),
		"twice, escaped":   with(`"level":5`, `"level":5,"\u006cevel":1`),
		"unknown, twice":   with(`"level":5`, `"level":5,"x":1,"x":1`),
		"only with a case": with(`"level":5`, `"Level":5`),
		"no UTF-8":         with(`"level":5`, "\"level\":5,\"x\":\"\xff\""),
		"more behind it":   append(raw[:len(raw):len(raw)], "{}"...),
	} {
		if _, err := DecodeRecord(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestWordsAreThoseOfEveryProcess: the JSON library draws one of two words at the start of a process, and what is refused is told in the
// same ones by all.
func TestWordsAreThoseOfEveryProcess(t *testing.T) {
	for _, b := range []string{`null1`, `[]`, `"text"`, `{"v":"1"}`, `{"at":{"mono":1e3}}`, `{"at":{"mono":9223372036854775808}}`} {
		if _, err := DecodeRecord([]byte(b)); err == nil || strings.Contains(err.Error(), "json: unable to") {
			t.Errorf("%s: %v", b, err)
		}
	}
	for _, word := range []string{"cannot", "unable to"} {
		if got, want := Steady(errors.New("json: "+word+" unmarshal JSON string")), "json: cannot unmarshal JSON string"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
