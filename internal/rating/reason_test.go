package rating

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestAReasonIsOfOneEvaluation adds reasons to random lives, right ones and wrong ones, in any order.
func TestAReasonIsOfOneEvaluation(t *testing.T) {
	explained, replaced, second, stray := 0, 0, 0, 0
	check := func(t *rapid.T) {
		l := randomLife(t)
		reasons := randomReasons(t, l)
		h := l.history()
		for _, r := range rapid.Permutation(reasons).Draw(t, "order") {
			h.Explain(r)
			h.Explain(r) // a resend changes nothing
		}
		again := l.history()
		for _, r := range rapid.Permutation(reasons).Draw(t, "other order") {
			again.Explain(r)
		}
		other, used := again.Decide(), 0
		for i, d := range h.Decide() {
			if (d.Reason == nil) != (other[i].Reason == nil) || d.Reason != nil && *d.Reason != *other[i].Reason {
				t.Fatalf("%+v has the reason %+v, in another order %+v", d.Given, d.Reason, other[i].Reason)
			}
			fits := 0
			for _, r := range reasons {
				g, e := d.Given, d.Given.Evaluation
				about := r.Device == g.Device && r.Epoch == g.Epoch && g.Seq != 0 && r.Reason.Of == g.Seq && r.Seq > g.Seq &&
					r.Reason.Visit == e.Visit && r.Reason.Subject == e.Subject && r.Reason.Case == e.Case
				if about {
					fits++
				}
				if about && d.Reason != nil && r.Reason != *d.Reason && lower(reasons, r, *d.Reason) {
					t.Fatalf("%+v was explained before by %+v, yet has %+v", d.Given, r, d.Reason)
				}
			}
			if (fits > 0) != (d.Reason != nil) {
				t.Fatalf("%+v has the reason %+v; %d fit", d.Given, d.Reason, fits)
			}
			if d.Reason == nil {
				continue
			}
			used++
			explained++
			if fits > 1 {
				second++
			}
			if d.Standing == Replaced {
				replaced++
			}
		}
		stray += len(reasons) - used
		plain := l.history().Decide()
		for i, d := range other {
			if d.Standing != plain[i].Standing || len(d.Items) != len(plain[i].Items) {
				t.Fatalf("reasons have changed what counts: %+v, without them %+v", d, plain[i])
			}
		}
	}
	for range 20 { // until each kind has come
		if rapid.Check(t, check); explained > 0 && replaced > 0 && second > 0 && stray > 0 {
			break
		}
	}
	if explained == 0 || replaced == 0 || second == 0 || stray == 0 {
		t.Errorf("%d explained, %d of them replaced, %d more than once, %d strays; the test proves nothing of what is 0",
			explained, replaced, second, stray)
	}
}

// lower reports whether r stands before every record that says what held does.
func lower(all []GivenReason, r GivenReason, held Reason) bool {
	for _, o := range all {
		if o.Reason == held && o.Device == r.Device && o.Seq <= r.Seq {
			return false
		}
	}
	return true
}

// randomReasons draws reasons that name evaluations of a life, or nothing of it.
func randomReasons(t *rapid.T, l life) (all []GivenReason) {
	for i := range rapid.IntRange(0, 8).Draw(t, "reasons") {
		if len(l.given) == 0 {
			return nil
		}
		g := rapid.SampledFrom(l.given).Draw(t, "of")
		r := GivenReason{Device: g.Device, Epoch: 7, Seq: 100 + uint64(i), Reason: Reason{Visit: g.Evaluation.Visit,
			Subject: g.Evaluation.Subject, Case: g.Evaluation.Case, Of: max(g.Seq, 1), Catalogue: 1,
			Code: rapid.SampledFrom([]string{"307", "308"}).Draw(t, "code")}}
		switch rapid.IntRange(0, 7).Draw(t, "wrong") {
		case 0:
			r.Reason.Visit++
		case 1:
			r.Reason.Case = "z"
		case 2:
			r.Epoch = 8
		case 3:
			r.Seq = 0 // before what it explains
		case 4:
			r.Device = "box-3"
		}
		all = append(all, r)
	}
	return all
}

func TestReasonsRefused(t *testing.T) {
	good := Reason{Visit: 5, Subject: StaffSubject, Of: 3, Code: "517", Catalogue: 1}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Reason){
		"visit": func(r *Reason) { r.Visit = 0 }, "subject": func(r *Reason) { r.Subject = "hall" },
		"case of the staff": func(r *Reason) { r.Case = "1" },
		"of":                func(r *Reason) { r.Of = 0 }, "big of": func(r *Reason) { r.Of = 1 << 53 }, "code": func(r *Reason) { r.Code = "" },
		"code with words": func(r *Reason) { r.Code = "服务" }, "long code": func(r *Reason) { r.Code = strings.Repeat("5", MaxCode+1) },
		"catalogue": func(r *Reason) { r.Catalogue = 0 },
	} {
		r := good
		change(&r)
		if r.Check() == nil {
			t.Errorf("%s: %+v was accepted", name, r)
		}
	}
}

func TestBuiltInCatalogue(t *testing.T) {
	c, err := BuiltInCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range Levels() {
		if got := len(c.Of(l)); got != 8 {
			t.Errorf("%d reasons for level %d, want 8", got, l)
		}
		if got := len(c.Limit(CoreReasons).Of(l)); got != 3 {
			t.Errorf("%d core reasons for level %d, want 3", got, l)
		}
		for i, r := range c.OnKeys(l) {
			if r.Level != l || r.Code[0] != byte('0'+l) || r.Key != i+1 {
				t.Errorf("key %d of level %d has %+v", i+1, l, r)
			}
			if found, ok := c.Find(r.Code); !ok || found != r {
				t.Errorf("%s is found as %+v", r.Code, found)
			}
		}
	}
}

func TestCataloguesRefused(t *testing.T) {
	good := string(builtInReasons)
	for name, c := range map[string][2]string{
		"no version": {`"version": 1`, `"version": 0`}, "unknown field": {`"version": 1`, `"version": 1, "hall": "x"`}, "cut": {"\n}\n", "\n"},
		"more": {"\n}\n", "\n}{}"}, "level": {`"level": 5`, `"level": 6`}, "code twice": {`"511"`, `"510"`}, "no code": {`"511"`, `""`},
		"set": {`"core"`, `"hall"`}, "key twice": {`"key": 2`, `"key": 1`}, "key 5": {`"key": 2`, `"key": 5`}, "key missing": {`"key": 2, `, ``},
		"no text": {"服务态度较好", ""}, "long on a key": {`"服务态度较好", "words": "服务 态度 较好"`, `"` + strings.Repeat("好", MaxKeyText+1) + `"`},
		"other words": {"服务 态度 较好", "服务 态度 好"},
		"long text":   {"可以使用自助机办理", strings.Repeat("好", MaxReasonText+1)}, "tab": {"服务态度较好", `\t`},
	} {
		changed := strings.Replace(good, c[0], c[1], 1)
		if changed == good {
			t.Fatalf("%s: the test changes nothing", name)
		}
		if got, err := ParseCatalogue([]byte(changed)); err == nil {
			t.Errorf("%s: accepted as version %d", name, got.Version)
		}
	}
}

// A text's words are the text; what is shown of them leaves nothing behind.
func TestWordsOfReasons(t *testing.T) {
	c, err := BuiltInCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range Levels() {
		for _, r := range c.OnKeys(l) {
			if got := strings.ReplaceAll(r.Label(), "\u200b", ""); got != r.Text || r.Label() == r.Text {
				t.Errorf("%s is shown as %q of the words %q", r.Text, r.Label(), r.Words)
			}
		}
	}
	plain := CatalogueReason{Code: "9", Level: 1, Set: CoreReasons, Text: "多头跑"}
	if plain.Label() != "多头跑" || plain.check() != nil {
		t.Errorf("without words: %q, %v", plain.Label(), plain.check())
	}
	plain.Words = "多头 路"
	if plain.check() == nil {
		t.Error("the words of another text are taken")
	}
}

func FuzzParseCatalogue(f *testing.F) {
	f.Add(builtInReasons)
	f.Add([]byte(`{"version":1,"reasons":[{"code":"1","level":1,"set":"core","key":1,"text":"x"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCatalogue(b)
		if err != nil {
			return
		}
		for _, l := range Levels() {
			if n := len(c.Of(l)); n < KeyReasons || n > MaxReasons {
				t.Errorf("level %d has %d reasons", l, n)
			}
			for _, r := range c.OnKeys(l) {
				if (Reason{Visit: 1, Subject: StaffSubject, Of: 1, Code: r.Code, Catalogue: c.Version}).Check() != nil {
					t.Errorf("%+v could not be recorded", r)
				}
			}
		}
	})
}
