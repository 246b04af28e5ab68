package account

import (
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// docs/roles.md and Rules say the same.
func TestRolesPage(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/roles.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, r := range Rules() {
		line := "| `" + string(r.Action) + "` | " + r.Means
		if r.Reason {
			line += "（须说明理由）"
		}
		for _, role := range Roles() {
			cell := string(r.Reach[role])
			if cell == "" {
				cell = "–"
			}
			line += " | " + cell
		}
		want = append(want, line+" |")
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") && strings.Count(line, "|") == len(Roles())+3 {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("docs/roles.md has\n%s\nthe code has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// areas are some of a tree, the country last.
func areas() []string {
	return []string{"620000000000", "620100000000", "620102000000", "620102001000", "620102001001", "620200000000", "610000000000",
		"000000000000"}
}

func drawGrant(t *rapid.T) Grant {
	g := Grant{Role: rapid.SampledFrom(Roles()).Draw(t, "role"), Area: rapid.SampledFrom(areas()).Draw(t, "area"),
		From: rapid.SampledFrom([]int64{0, 100, 200}).Draw(t, "from"), To: rapid.SampledFrom([]int64{0, 100, 200}).Draw(t, "to")}
	g.Scope = g.Area
	if g.Role.Scope() != InArea {
		g.Scope = rapid.SampledFrom([]string{"one", "other", ""}).Draw(t, "scope")
	}
	return g
}

func drawObject(t *rapid.T) Object {
	some := rapid.SampledFrom([]string{"", "one", "other"})
	return Object{Area: rapid.SampledFrom(append(areas(), "", "62", "62010200000x")).Draw(t, "area"),
		Units: rapid.SliceOfN(some, 0, 3).Draw(t, "units"),
		Hall:  some.Draw(t, "hall"), Staff: some.Draw(t, "staff"), Account: rapid.SampledFrom([]string{"", "me", "you"}).Draw(t, "account"),
		Closed: rapid.Bool().Draw(t, "closed"), Counted: rapid.IntRange(0, 2*LeastCounted).Draw(t, "counted")}
}

func drawPerson(t *rapid.T) Person {
	return Person{Account: rapid.SampledFrom([]string{"me", ""}).Draw(t, "who"),
		Grants: rapid.SliceOfN(rapid.Custom(drawGrant), 0, 4).Draw(t, "grants"), At: 150,
		Second: rapid.Bool().Draw(t, "second"), Token: rapid.IntRange(0, 3).Draw(t, "token") == 0,
		Only:  rapid.SliceOf(rapid.SampledFrom(actions())).Draw(t, "only"),
		Bound: rapid.SampledFrom(append(areas(), "", "")).Draw(t, "bound")}
}

func actions() (all []Action) {
	for _, r := range Rules() {
		all = append(all, r.Action)
	}
	return all
}

// lies says the same as reaches in other words: which ids of the object the grant's scope must be among.
func lies(g Grant, o Object) bool {
	switch g.Role {
	case Unit:
		return slices.Contains(o.Units, g.Scope)
	case Hall:
		return g.Scope == o.Hall
	case Staff:
		return g.Scope == o.Staff && o.Closed && o.Counted >= 20
	}
	if o.Area == "" {
		return strings.HasSuffix(g.Scope, "0000000000")
	}
	return len(o.Area) == 12 && strings.Trim(o.Area, "0123456789") == "" && strings.HasPrefix(o.Area, stem(g.Scope))
}

// Nobody does what no valid grant of theirs allows, and everybody what one does.
func TestMay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, o, a := drawPerson(t), drawObject(t), rapid.SampledFrom(append(actions(), "nothing", "")).Draw(t, "action")
		rule, known := RuleOf(a)
		want := false
		owes := false
		for _, g := range p.Grants {
			if g.From > p.At || g.To != 0 && g.To <= p.At {
				continue
			}
			owes = owes || g.Role == Province || g.Role == City || g.Role == County || g.Role == Unit || g.Role == Auditor || g.Role == Inspector
			want = want || rule.Reach[g.Role] != Nowhere && g.Scope != "" && lies(g, o)
		}
		if a == Start || a == UseOwn {
			want = o.Account == p.Account
		}
		want = want && known && p.Account != ""
		if owes && !p.Second && a != UseOwn {
			want = false
		}
		if p.Token && (rule.Reason || a == EditAccounts || a == UseOwn || !slices.Contains(p.Only, a)) {
			want = false
		}
		within := p.Bound == "" || a == Start || a == UseOwn || lies(Grant{Role: Province, Scope: p.Bound}, o) &&
			(o.Area != "" || stem(p.Bound) == p.Bound[:2] || stem(p.Bound) == "")
		free := want
		want = want && within
		if got := May(p, a, o); got != want {
			t.Fatalf("May(%+v, %s, %+v) = %v", p, a, o, got)
		}
		if want && !Ever(p, a) {
			t.Fatalf("May allows %s and Ever does not", a)
		}
		if granted := Grants(p, a); a != Start && a != UseOwn && within &&
			free != slices.ContainsFunc(granted, func(g Grant) bool { return lies(g, o) }) {
			t.Fatalf("the grants %+v are not those by which May says %v", granted, want)
		}
	})
}

// What the roles are for, said once more by hand.
func TestWhoNeverSees(t *testing.T) {
	for _, x := range []struct {
		role  Role
		never []Action
	}{
		{Hall, []Action{SeeLive, SeeEvaluations, TakeEvaluations, SeeText, SeeIdentity, SeeAccounts, SeeAudit}},
		{Staff, []Action{SeeLive, SeeEvaluations, TakeEvaluations, SeeText, SeeIdentity, SeeFigures, SeeBoxes, SeeDirectory, SeeAccounts,
			SeeAudit}},
		{Technician, []Action{SeeLive, SeeEvaluations, TakeEvaluations, SeeText, SeeIdentity, SeeFigures, SeeOwnFigures, SeeOrders, SeeAccounts,
			SeeAudit}},
		{Auditor, []Action{SeeIdentity, SeeClues, EditAccounts, EditBoxes, EditDirectory, WorkOrders, ReviewOrders}},
		{Inspector, []Action{SeeLive, SeeEvaluations, SeeText, SeeIdentity, SeeOrders, WorkOrders, ReviewOrders, SeeAccounts, SeeAudit}},
		{Province, []Action{SeeClues, WorkOrders}}, {City, []Action{SeeClues}}, {County, []Action{SeeClues}},
		{Unit, []Action{SeeClues, SeeBoxes, SeeAccounts, SeeAudit, EditDirectory, ReviewOrders}},
	} {
		for _, a := range x.never {
			if r, _ := RuleOf(a); r.Reach[x.role] != Nowhere {
				t.Errorf("%s may %s", x.role, a)
			}
		}
	}
	for _, r := range Roles() {
		if got, want := r.NeedsSecond(), r != Hall && r != Staff && r != Technician; got != want {
			t.Errorf("%s needs a second factor: %v, want %v", r, got, want)
		}
	}
}
