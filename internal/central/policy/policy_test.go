package policy

import (
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"haochaping/internal/rating"
)

// drawSetting returns a setting that a policy may have, of a kind.
func drawSetting(t *rapid.T, k Kind) Setting {
	s := Setting{Name: k.Name, Lower: rapid.Bool().Draw(t, "lower")}
	value := drawValue(t, k)
	if s.Lower && k.Sort == Count && rapid.Bool().Draw(t, "bounded") {
		least, most := rapid.IntRange(k.Least, k.Most).Draw(t, "least"), rapid.IntRange(k.Least, k.Most).Draw(t, "most")
		least, most = min(least, most), max(least, most)
		s.Least, s.Most = &least, &most
		value = strconv.Itoa(rapid.IntRange(least, most).Draw(t, "value"))
	}
	if s.Lower && k.Sort != Count && rapid.Bool().Draw(t, "bounded") {
		s.Allowed = []string{value, drawValue(t, k)}
	}
	s.Value = value
	return s
}

func drawValue(t *rapid.T, k Kind) string {
	switch k.Sort {
	case Count:
		return strconv.Itoa(rapid.IntRange(k.Least, k.Most).Draw(t, "n"))
	case Switch:
		return rapid.SampledFrom([]string{"true", "false"}).Draw(t, "yes")
	case Choice:
		return rapid.SampledFrom(k.Options).Draw(t, "option")
	}
	texts := []string{"", "请评价", "您办理的事项已办结"}
	if slices.Contains(k.Places, Link) {
		texts = append(texts, "请评价：{link}")
	}
	return rapid.SampledFrom(texts).Draw(t, "text")
}

// TestNothingLeavesTheBounds: whatever a policy says, was chosen here under any other policy, or stands in the file, what holds is the
// policy's value or one that it allows; and a value that is not had is named.
func TestNothingLeavesTheBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d Document
		choices, local := make(map[Name]string), make(map[Name]Local)
		for _, k := range Kinds() {
			if rapid.Bool().Draw(t, "set") {
				d.Settings = append(d.Settings, drawSetting(t, k))
			}
			any := rapid.OneOf(rapid.Just(drawValue(t, k)), rapid.SampledFrom([]string{"-1", "999", "maybe", "{link}", "true"}))
			if rapid.Bool().Draw(t, "chosen") {
				choices[k.Name] = any.Draw(t, "choice")
			}
			local[k.Name] = Local{Value: any.Draw(t, "local"), Set: rapid.Bool().Draw(t, "in the file")}
		}
		for _, h := range Resolve(&d, choices, local) {
			s, ok := d.Setting(h.Name)
			if !ok {
				if h.Value != local[h.Name].Value || h.Level != File || h.Setting != nil {
					t.Fatalf("no policy, and %+v", h)
				}
				continue
			}
			checkBounds(t, s, h)
			chosen, have := choices[h.Name]
			if have && s.May(chosen) == nil && h.Value != chosen {
				t.Fatalf("%s was chosen as it may be, and %+v holds", chosen, h)
			}
			if have && s.May(chosen) != nil && chosen != s.Value && (h.Refused == nil || h.Wanted != chosen) {
				t.Fatalf("%s was chosen, may not be, and is not named: %+v", chosen, h)
			}
		}
	})
}

// checkBounds compares what holds with the bounds, by a reading of its own.
func checkBounds(t *rapid.T, s Setting, h Held) {
	if h.Value == s.Value {
		return
	}
	ok := s.Lower && h.Level != Above
	for i, v := range s.Allowed {
		if v == h.Value {
			break
		}
		ok = ok && i < len(s.Allowed)-1
	}
	switch h.Sort {
	case Count:
		n, err := strconv.Atoi(h.Value)
		ok = ok && err == nil && n >= h.Least && n <= h.Most && (s.Least == nil || n >= *s.Least) && (s.Most == nil || n <= *s.Most)
	case Switch:
		ok = ok && (h.Value == "true" || h.Value == "false")
	case Choice:
		ok = ok && slices.Contains(h.Options, h.Value)
	}
	if !ok {
		t.Fatalf("%+v allows no %+v", s, h)
	}
}

func number(n int) *int { return &n }

func document(n int64, from string) Document {
	return Document{Number: n, Title: "统一规定", From: from, Settings: []Setting{
		{Name: "deadline.late_answers_replace", Value: "true"},
		{Name: "orders.office_days", Value: "3", Lower: true, Least: number(2), Most: number(4)}}}
}

func TestDocumentsRefused(t *testing.T) {
	for what, change := range map[string]func(*Document){
		"no number":           func(d *Document) { d.Number = 0 },
		"no title":            func(d *Document) { d.Title = "" },
		"no day":              func(d *Document) { d.From = "soon" },
		"ends before":         func(d *Document) { d.Until = "2020-01-01" },
		"unknown":             func(d *Document) { d.Settings[0].Name = "orders.everything" },
		"twice":               func(d *Document) { d.Settings = append(d.Settings, d.Settings[0]) },
		"out of own bounds":   func(d *Document) { d.Settings[1].Value = "5" },
		"no canonical number": func(d *Document) { d.Settings[1].Value = "03" },
		"bounds for nobody":   func(d *Document) { d.Settings[1].Lower = false },
		"wrong bounds":        func(d *Document) { d.Settings[0].Lower, d.Settings[0].Most = true, number(1) },
		"an address":          func(d *Document) { d.Settings[0] = Setting{Name: "orders.missed_text", Value: "{link}"} },
		"beyond the article":  func(d *Document) { d.Settings[0] = Setting{Name: "orders.contact_days", Value: "6"} },
		"empty catalogue":     func(d *Document) { d.Catalogue = new(rating.Catalogue) },
		"a wrong calendar": func(d *Document) {
			d.Calendars = []rating.Notice{{Year: 2027, Source: "x", Off: []string{"2027-01-02"}}}
		},
	} {
		d := document(1, "2026-01-01")
		if err := d.Check(); err != nil {
			t.Fatal(err)
		}
		change(&d)
		if err := d.Check(); err == nil {
			t.Errorf("%s is allowed", what)
		}
	}
	for _, text := range []string{"", "{}", `{"number":1,"title":"x","valid_from":"2026-01-01","settings":[],"lower_may":true}`, "[]",
		`{"number":1,"title":"x","valid_from":"2026-01-01","settings":[]} {}`,
		`{"number":1,"number":2,"title":"x","valid_from":"2026-01-01","settings":[]}`,
		`{"number":1,"Number":2,"title":"x","valid_from":"2026-01-01","settings":[]}`} {
		if _, err := ParseDocument([]byte(text)); err == nil {
			t.Errorf("%q is a policy", text)
		}
	}
}

func FuzzParseSigned(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	s, err := Sign(document(1, "2026-01-01"), key)
	if err != nil {
		f.Fatal(err)
	}
	good, err := json.Marshal(s)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ParseSigned(b)
		if err != nil {
			return
		}
		if _, err := got.Open(key.Public().(ed25519.PublicKey)); err == nil && got.Policy != s.Policy {
			t.Errorf("opened what nobody has signed: %s", b)
		}
	})
}

// TestATextWithAnAddress: a text of the policy has {link} where the file's may; where no address can be filled in it waits and is named,
// whoever has set it.
func TestATextWithAnAddress(t *testing.T) {
	const name, text = Name("orders.refused_text"), "您的评价未予采纳：{link}"
	d := &Document{Settings: []Setting{{Name: name, Value: text, Lower: true}}}
	if err := d.Settings[0].Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what    string
		noLink  bool
		choices map[Name]string
		value   string
		level   Level
		wants   Level
	}{{"an address", false, nil, text, Above, ""}, {"no address", true, nil, "own", File, Above},
		{"a choice with one", true, map[Name]string{name: "请看 {link}"}, "own", File, Here},
		{"a choice without one", true, map[Name]string{name: "未予采纳"}, "未予采纳", Here, ""}} {
		for _, h := range Resolve(d, c.choices, map[Name]Local{name: {Value: "own", NoLink: c.noLink}}) {
			if h.Name == name && (h.Value != c.value || h.Level != c.level || h.Wants != c.wants || (h.Refused == nil) != (c.wants == "")) {
				t.Errorf("%s: %+v", c.what, h)
			}
		}
	}
}
