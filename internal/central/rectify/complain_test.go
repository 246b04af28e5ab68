package rectify

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/central/journal"
)

func clerk() By { return By{"a-1", "s-1"} }

func complained() Complained {
	return Complained{Way: ByHotline, Number: "12345-7", Unit: police, Matter: "身份证补领", Place: "3号窗口", Words: "排队两小时无人理会",
		Contact: "王先生 13900000031"}
}

func (b *bureau) complain(t testing.TB, name string, c Complained) Order {
	t.Helper()
	x, fresh, err := b.orders.Complain(t.Context(), clerk(), name, c)
	if err != nil || !fresh {
		t.Fatalf("a complaint: %t, %v", fresh, err)
	}
	return x
}

func checkAComplaintOpensOneOrder(t *testing.T, on engine) {
	b := on(t)
	x := b.complain(t, "one", complained())
	k := x.Parts[0]
	if len(x.Parts) != 1 || k.Body.State != Waiting || k.Body.Unit != police || !k.Body.Named || k.Body.Secret || k.Due == 0 ||
		x.About.Evaluation != 0 {
		t.Fatalf("got %+v", x)
	}
	again, fresh, err := b.orders.Complain(t.Context(), clerk(), "one", complained())
	if err != nil || fresh || again.ID != x.ID {
		t.Errorf("a repetition: order %d, new %t, %v; want order %d", again.ID, fresh, err, x.ID)
	}
	other := b.complain(t, "other", complained())
	if other.ID == x.ID {
		t.Error("two complaints have one order")
	}
	if said, err := b.orders.Said(t.Context(), x); err != nil || said != complained().Words {
		t.Errorf("said was %q, %v", said, err)
	}
	if who, err := b.orders.Person(t.Context(), x); err != nil || who != complained().Contact {
		t.Errorf("reached by %q, %v", who, err)
	}
	for _, row := range b.dump(t) {
		if strings.Contains(row, "两小时") || strings.Contains(row, "13900000031") {
			t.Errorf("the tables hold what was said: %s", row)
		}
	}
	for _, d := range []Deed{Contact, Plan, Reply, Pass, Satisfied, Appeal, Grant, Reply, Pass, Satisfied} {
		if k, err = b.orders.Do(t.Context(), clerk(), k, choosing(Event{Do: d}), "已电话沟通"); err != nil {
			t.Fatalf("%s: %v", d, err)
		}
	}
	if k.Body.State != Closed {
		t.Errorf("it ends as %s", k.Body.State)
	}
	// One that is found mistaken is not adopted, and says nothing to the books.
	k = other.Parts[0]
	for _, d := range []Deed{Contact, Claim, Uphold, Appeal, Grant} {
		if k, err = b.orders.Do(t.Context(), clerk(), k, choosing(Event{Do: d}), "经核实系误会"); err != nil {
			t.Fatalf("%s: %v", d, err)
		}
		e, err := b.journal.Entry(t.Context(), k.Changed)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := e.Act(); err != nil || a.Adoption != nil {
			t.Errorf("%s of a complaint tells the books %+v, %v", d, a.Adoption, err)
		}
	}
	before := b.dump(t)
	if err := b.orders.Rebuild(t.Context(), By{"operator", ""}, "for a test", func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, b.dump(t)); diff != "" {
		t.Errorf("made anew the tables differ:\n%s", diff)
	}
}

func checkWhatIsNoComplaint(t *testing.T, on engine) {
	b := on(t)
	for name, change := range map[string]func(*Complained){
		"no way":             func(c *Complained) { c.Way = "" },
		"no words":           func(c *Complained) { c.Words = " 差 " },
		"too many words":     func(c *Complained) { c.Words = strings.Repeat("长", MostWords+1) },
		"a unit of nobody":   func(c *Complained) { c.Unit = "NOBODY" },
		"an area of letters": func(c *Complained) { c.Unit, c.Area = "", "62990000000x" },
		"of tomorrow":        func(c *Complained) { c.At = b.now().Add(24 * time.Hour).UnixMilli() },
		"long ago":           func(c *Complained) { c.At = b.now().AddDate(-2, 0, 0).UnixMilli() },
		"no UTF-8":           func(c *Complained) { c.Contact = "\xff" },
		"a long number":      func(c *Complained) { c.Number = strings.Repeat("9", MostLine+1) },
	} {
		c := complained()
		change(&c)
		var r *Refusal
		if x, _, err := b.orders.Complain(t.Context(), clerk(), name, c); !errors.As(err, &r) || r.Chinese == "" || r.English == "" {
			t.Errorf("%s: order %d, %v", name, x.ID, err)
		}
	}
	if all, err := b.orders.Find(t.Context(), Filter{Limit: 9}); err != nil || len(all) != 0 {
		t.Errorf("there are orders: %+v, %v", all, err)
	}
}

// Retaliation (article 21) is a clue at once: no list but that of clues has it, it never goes to the unit, and what is done about it is for
// few.
func checkRetaliationIsAClue(t *testing.T, on engine) {
	b := on(t)
	c := complained()
	c.Retaliation = true
	x := b.complain(t, "clue", c)
	plain := b.complain(t, "plain", complained())
	k := x.Parts[0]
	if k.Body.Unit != "" || k.Body.Area == "" || !k.Body.Secret || !k.Body.Clue || k.Due == 0 || x.About.Complaint.Against != police {
		t.Fatalf("got %+v", x)
	}
	var r *Refusal
	for _, d := range []Deed{Move, Assign} {
		if _, err := b.orders.Do(t.Context(), clerk(), k, Event{Do: d, Unit: police}, "请办理"); !errors.As(err, &r) {
			t.Errorf("%s: %v", d, err)
		}
	}
	k, err := b.orders.Do(t.Context(), clerk(), k, choosing(Event{Do: Contact}), "已与投诉人见面")
	if err != nil {
		t.Fatal(err)
	}
	for _, pos := range []int64{x.ID, x.About.Complaint.Person, k.Changed} {
		e, err := b.journal.Entry(t.Context(), pos)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := e.Act(); err != nil || !a.Few {
			t.Errorf("row %d is for everybody: %s, %v", pos, a.Do, err)
		}
	}
	for much, text := range map[Clues]string{NoClues: "", ThatClues: "", WholeClues: "已与投诉人见面"} {
		all, err := b.orders.History(t.Context(), x.ID, much)
		if err != nil || len(all) != 2 || all[0].Text != "" || all[1].Text != text {
			t.Errorf("%d: the history is %+v, %v", much, all, err)
		}
	}
	found := func(list func() ([]Listed, error)) (ids []int64) {
		t.Helper()
		all, err := list()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range all {
			ids = append(ids, l.Order)
		}
		return ids
	}
	for name, f := range map[string]Filter{"all": {Limit: 9}, "its area": {Limit: 9, Areas: []Codes{{area, area}}},
		"no unit": {Limit: 9, Units: []string{"", police}}} {
		for _, got := range [][]int64{found(func() ([]Listed, error) { return b.orders.Due(t.Context(), f) }),
			found(func() ([]Listed, error) { return b.orders.Find(t.Context(), f) })} {
			if !cmp.Equal(got, []int64{plain.ID}) {
				t.Errorf("%s: the list has %v, want %d alone", name, got, plain.ID)
			}
		}
		f.Clues = true
		if got := found(func() ([]Listed, error) { return b.orders.Due(t.Context(), f) }); !cmp.Equal(got, []int64{x.ID}) {
			t.Errorf("%s: the clues are %v, want %d alone", name, got, x.ID)
		}
	}
	if all, err := b.orders.Tallies(t.Context(), Filter{}); err != nil || len(all) != 1 || all[0].Unit != police || all[0].Open != 1 {
		t.Errorf("the board counts %+v, %v", all, err)
	}
	if err := b.journal.Erase(t.Context(), x.ID, 0, "operator", "asked for"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.orders.Said(t.Context(), x); !errors.Is(err, journal.ErrErased) {
		t.Errorf("after its erasure: %v", err)
	}
	if who, err := b.orders.Person(t.Context(), x); err != nil || who == "" {
		t.Errorf("how the citizen is reached was erased with it: %q, %v", who, err)
	}
}

// A template is a beginning, and no answer as it stands.
func checkATemplateIsEdited(t *testing.T, on engine) {
	b := on(t)
	x := b.complain(t, "one", complained())
	k := x.Parts[0]
	for _, d := range []Deed{Contact, Plan} {
		var err error
		if k, err = b.orders.Do(t.Context(), clerk(), k, choosing(Event{Do: d}), "已电话沟通"); err != nil {
			t.Fatal(err)
		}
	}
	if len(Templates()) < 3 {
		t.Fatalf("%d templates", len(Templates()))
	}
	for _, text := range Templates() {
		var r *Refusal
		if _, err := b.orders.Do(t.Context(), clerk(), k, Event{Do: Reply}, text.Text); !errors.As(err, &r) ||
			!strings.Contains(r.Chinese, "模板") {
			t.Errorf("%s as it stands: %v", text.Name, err)
		}
	}
	edited := strings.NewReplacer("【", "", "】", "").Replace(Templates()[0].Text)
	if _, err := b.orders.Do(t.Context(), clerk(), k, Event{Do: Reply}, edited); err != nil {
		t.Errorf("edited: %v", err)
	}
}

// checkAReferralIsUnseen: whoever works on an order cannot tell by it that something of it was referred as a clue (article 23): neither
// by what they read, nor by what is refused to them.
func checkAReferralIsUnseen(t *testing.T, on engine) {
	b := on(t)
	x := b.complain(t, "one", complained())
	seen := x.Parts[0]
	before, err := b.orders.Tell(t.Context(), Listed{Kept: seen, About: x.About})
	if err != nil {
		t.Fatal(err)
	}
	referred := seen
	for range 2 { // by two offices at once
		if _, err = b.orders.Do(t.Context(), By{"a-2", ""}, seen, Event{Do: Refer}, "涉嫌收受礼品"); err != nil {
			t.Fatal(err)
		}
		if referred, err = b.orders.Do(t.Context(), By{"a-2", ""}, seen, Event{Do: Refer}, "涉嫌收受礼品"); err != nil || !referred.Body.Clue {
			t.Fatalf("%+v, %v", referred.Body, err)
		}
	}
	after, err := b.orders.Tell(t.Context(), Listed{Kept: referred, About: x.About})
	if diff := cmp.Diff(before, after); err != nil || diff != "" {
		t.Errorf("a program sees the referral: %v\n%s", err, diff)
	}
	if all, err := b.orders.History(t.Context(), x.ID, NoClues); err != nil || len(all) != 1 {
		t.Errorf("the history is %+v, %v", all, err)
	}
	k, err := b.orders.Do(t.Context(), clerk(), seen, choosing(Event{Do: Contact}), "已电话沟通")
	if err != nil {
		t.Fatalf("the unit is told that somebody else was faster: %v", err)
	}
	if !k.Body.Clue || k.Changed == seen.Changed {
		t.Errorf("got %+v", k)
	}
	// Earlier versions showed the row of the referral, and acts name it.
	if k, err = b.orders.Do(t.Context(), By{"a-2", ""}, k, Event{Do: Refer}, "另有线索"); err != nil {
		t.Fatal(err)
	}
	k.Changed = k.Body.Referred
	if k, err = b.orders.Do(t.Context(), clerk(), k, Event{Do: Plan}, ""); err != nil {
		t.Fatalf("by the row of the referral: %v", err)
	}
	k.Changed = k.Body.Referred
	if _, err = b.orders.Do(t.Context(), clerk(), k, Event{Do: Reply}, "已整改"); !errors.Is(err, ErrMeanwhile) {
		t.Errorf("by the row of a referral before the last deed: %v", err)
	}
	rows := b.dump(t)
	if err := b.orders.Rebuild(t.Context(), By{"operator", ""}, "for a test", func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rows, b.dump(t)); diff != "" {
		t.Errorf("made anew the tables differ:\n%s", diff)
	}
}
