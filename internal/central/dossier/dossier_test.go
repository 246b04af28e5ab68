package dossier

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
)

// TestMachines: whatever is done, in whatever order and by whomever, a dossier comes into no state that its kind does not have, what needs
// other eyes is done by nobody whose hand is in the draft, and nothing is published that was not approved.
func TestMachines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom(Kinds()).Draw(t, "kind")
		d := Dossier{Kind: k, Name: "n", Title: "t", State: Waiting, Hands: []string{"a"}}
		now := int64(1)
		for range rapid.IntRange(1, 20).Draw(t, "deeds") {
			now++
			some := k.Deeds()
			if next := d.Next(); len(next) > 0 && rapid.IntRange(0, 3).Draw(t, "possible") > 0 {
				some = next
			}
			a := rapid.SampledFrom(some).Draw(t, "deed")
			e := Event{Do: a.Do, At: now, Account: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "who"),
				Owner: rapid.SampledFrom([]string{"", "u"}).Draw(t, "owner"), Due: now + rapid.Int64Range(-1, 2).Draw(t, "due"), Draft: "x"}
			next, err := Apply(d, e)
			var refusal *Refusal
			if err != nil && (!errors.As(err, &refusal) || !cmp.Equal(next, d)) {
				t.Fatalf("%s of %+v: %v", a.Do, d, err)
			}
			if err == nil {
				check(t, d, a, e, next)
			}
			d = next
		}
	})
	d := Dossier{Kind: Publication, Name: "n", Title: "t", State: Waiting, Hands: []string{"a"}}
	for _, e := range []Event{{Do: Edit, Account: "a", Draft: "x"}, {Do: Submit, Account: "b"}, {Do: Approve, Account: "c"},
		{Do: Publish, Account: "c"}} {
		var err error
		if d, err = Apply(d, e); err != nil {
			t.Fatalf("%s by %s: %v", e.Do, e.Account, err)
		}
	}
	if d.State != Published || d.Draft != "x" || !cmp.Equal(d.By, []string{"c"}) || !cmp.Equal(d.Hands, []string{"a", "b"}) {
		t.Errorf("published as %+v", d)
	}
}

// check holds what every deed that was done must hold.
func check(t *rapid.T, d Dossier, a About, e Event, next Dossier) {
	t.Helper()
	switch {
	case next.State.Chinese(next.Kind) == "" || next.State == State(next.State.Chinese(next.Kind)):
		t.Fatalf("the state %s of a %s has no name", next.State, next.Kind)
	case a.Other && slices.Contains(d.Hands, e.Account):
		t.Fatalf("%s approves their own: %+v", e.Account, d)
	case next.State == Published && (len(next.By) == 0 || slices.ContainsFunc(next.By,
		func(by string) bool { return slices.Contains(next.Hands, by) })):
		t.Fatalf("published without other eyes: %+v", next)
	case next.State == Published && next.Draft != d.Draft:
		t.Fatalf("publishing has changed the text")
	case a.Due && next.Due <= e.At, a.Owner && next.Owner == "":
		t.Fatalf("%s names no day or nobody: %+v", a.Do, next)
	case d.Told && !next.Told, next.State == Assigned && !next.Told:
		t.Fatalf("whom it concerns was told, and it is not known: %+v", next)
	case next.State.Ended() && next.Due != 0:
		t.Fatalf("what has ended is still due: %+v", next)
	}
}

// TestDossiers runs the contract of the room on SQLite and on PostgreSQL.
func TestDossiers(t *testing.T) {
	contract := map[string]func(*testing.T, *journal.Journal, *Dossiers){"OpenedOnce": checkOpenedOnce, "History": checkHistory,
		"TheTablesFollowFromTheActs": checkTheTablesFollowFromTheActs, "Lists": checkLists,
		"PublishedAtOnce": checkPublishedAtOnce}
	run := func(t *testing.T, url func(*testing.T) string) {
		for _, name := range slices.Sorted(maps.Keys(contract)) {
			t.Run(name, func(t *testing.T) {
				j, _, _ := journaltest.Open(t, url(t))
				d, err := Open(t.Context(), j)
				if err != nil {
					t.Fatal(err)
				}
				contract[name](t, j, d)
			})
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		run(t, func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "journal.db") })
	})
	t.Run("postgres", func(t *testing.T) {
		server := dbtest.StartPostgres(t)
		run(t, func(t *testing.T) string { return server.Database(t) })
	})
}

func sign(name string) Dossier {
	return Dossier{Kind: Sign, Name: name, Title: "甲区 1 号窗口", Area: "629901000000", Hall: "H", Units: []string{"u"},
		Found: json.RawMessage(`{"rule":"fast_presses"}`)}
}

func add(t *testing.T, d *Dossiers, by string, x Dossier) Kept {
	t.Helper()
	id, fresh, err := d.Add(t.Context(), By{Account: by}, x)
	if err != nil || !fresh {
		t.Fatalf("opened: %v, %v", fresh, err)
	}
	k, err := d.Dossier(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func checkOpenedOnce(t *testing.T, _ *journal.Journal, d *Dossiers) {
	k := add(t, d, Source, sign("a"))
	if string(k.Found) != `{"rule":"fast_presses"}` || k.State != Waiting || len(k.Hands) > 0 {
		t.Errorf("opened as %+v", k)
	}
	for _, by := range []string{Source, "acc1"} {
		if id, fresh, err := d.Add(t.Context(), By{Account: by}, sign("a")); err != nil || fresh || id != k.ID {
			t.Errorf("opened again by %s: %d, %v, %v", by, id, fresh, err)
		}
	}
	if p := add(t, d, "acc1", Dossier{Kind: Publication, Name: "2026", Title: "通报"}); !slices.Equal(p.Hands, []string{"acc1"}) {
		t.Errorf("the hand of who has begun a draft is not in it: %+v", p)
	}
	if _, _, err := d.Add(t.Context(), By{Account: Source}, Dossier{Kind: "else", Name: "a", Title: "b"}); err == nil {
		t.Error("a dossier of no kind is opened")
	}
	if _, err := d.Dossier(t.Context(), k.ID+100); !errors.Is(err, ErrNone) {
		t.Errorf("no dossier: %v", err)
	}
}

func checkHistory(t *testing.T, _ *journal.Journal, d *Dossiers) {
	k := add(t, d, Source, sign("a"))
	var refusal *Refusal
	if _, err := d.Do(t.Context(), By{Account: "acc1"}, k, Event{Do: Explain}, "核对过监控"); !errors.As(err, &refusal) {
		t.Errorf("closed unseen: %v", err)
	}
	seen, err := d.Do(t.Context(), By{Account: "acc1"}, k, Event{Do: Acknowledge, Owner: "x", Draft: "y", Due: 7}, "")
	if err != nil || seen.State != Seen || seen.Owner != "" || seen.Draft != "" || seen.Due != 0 {
		t.Fatalf("acknowledged: %+v, %v", seen, err)
	}
	if _, err := d.Do(t.Context(), By{Account: "acc2"}, k, Event{Do: Assign, Owner: "acc3", Due: time.Now().Add(48 * time.Hour).UnixMilli()},
		""); !errors.Is(err, ErrMeanwhile) && !errors.As(err, &refusal) {
		t.Errorf("done after another: %v", err)
	}
	if _, err := d.Do(t.Context(), By{Account: "acc1"}, seen, Event{Do: Confirm}, "无"); !errors.As(err, &refusal) {
		t.Errorf("closed without a reason: %v", err)
	}
	closed, err := d.Do(t.Context(), By{Account: "acc1"}, seen, Event{Do: Confirm}, "核实为工作人员代按")
	if err != nil || closed.State != Closed || closed.Ended != Confirm {
		t.Fatalf("closed: %+v, %v", closed, err)
	}
	all, err := d.History(t.Context(), k.ID)
	if err != nil || len(all) != 3 || all[0].Do != "" || all[1].Do != Acknowledge || all[2].Text != "核实为工作人员代按" || all[2].Source != "acc1" {
		t.Errorf("history %+v, %v", all, err)
	}
}

// checkTheTablesFollowFromTheActs makes the tables anew from the journal.
func checkTheTablesFollowFromTheActs(t *testing.T, j *journal.Journal, d *Dossiers) {
	k := add(t, d, Source, sign("a"))
	add(t, d, "acc1", Dossier{Kind: Problem, Name: "p", Title: "材料要求不一"})
	if _, err := d.Do(t.Context(), By{Account: "acc1"}, k, Event{Do: Acknowledge}, "已看"); err != nil {
		t.Fatal(err)
	}
	dump := func() (all []string) {
		for _, text := range []string{"SELECT CAST(id AS TEXT) || kind || name || area || state || CAST(ended AS TEXT) || CAST(due AS TEXT) || " +
			"CAST(changed AS TEXT) || body || found FROM dossier ORDER BY id",
			"SELECT CAST(pos AS TEXT) || ' ' || CAST(dossier AS TEXT) FROM dossier_act ORDER BY pos"} {
			rows, err := db.Query(t.Context(), d.db, func(s db.Scanner) (x string, err error) { return x, s.Scan(&x) }, text)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, rows...)
		}
		return all
	}
	before := dump()
	entries, err := j.Read(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	err = d.db.Write(t.Context(), func(tx *db.Tx) error {
		for _, table := range tables() {
			if _, err := tx.ExecContext(t.Context(), "DELETE FROM "+table); err != nil {
				return err
			}
		}
		for _, e := range entries {
			if e.Kind != journal.Acted {
				continue
			}
			a, err := e.Act()
			if err == nil && strings.HasPrefix(a.Do, prefix) {
				err = enter(context.Background(), tx, e.Pos, a)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, dump()); diff != "" || len(before) != 5 {
		t.Errorf("made anew they are others:\n%s\n%v", diff, before)
	}
}

func checkLists(t *testing.T, _ *journal.Journal, d *Dossiers) {
	var ids []int64
	for i := range 5 {
		ids = append(ids, add(t, d, Source, sign(fmt.Sprintf("规则 W%d 2026", i))).ID)
	}
	k, err := d.Dossier(t.Context(), ids[4])
	if err == nil {
		k, err = d.Do(t.Context(), By{Account: "acc1"}, k, Event{Do: Acknowledge}, "")
	}
	if err == nil {
		_, err = d.Do(t.Context(), By{Account: "acc1"}, k, Event{Do: Explain}, "情况正常")
	}
	if err != nil {
		t.Fatal(err)
	}
	got := func(f Filter) (all []int64) {
		some, err := d.List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range some {
			all = append(all, k.ID)
		}
		return all
	}
	if all := got(Filter{Kind: Sign, Limit: 2}); !slices.Equal(all, []int64{ids[3], ids[2]}) {
		t.Errorf("open: %v of %v", all, ids)
	}
	if all := got(Filter{Kind: Sign, Limit: 9, Before: ids[2]}); !slices.Equal(all, []int64{ids[1], ids[0]}) {
		t.Errorf("further: %v of %v", all, ids)
	}
	if all := got(Filter{Kind: Sign, Ended: true, Limit: 9}); !slices.Equal(all, ids[4:]) {
		t.Errorf("ended: %v of %v", all, ids)
	}
	if all, err := d.Begun(t.Context(), Sign, "规则 W3 "); err != nil || len(all) != 1 || all[0].ID != ids[3] {
		t.Errorf("begun: %+v, %v", all, err)
	}
	if x, err := d.Named(t.Context(), Sign, "规则 W0 2026"); err != nil || x.ID != ids[0] || len(x.Found) == 0 {
		t.Errorf("named: %+v, %v", x, err)
	}
}

// checkPublishedAtOnce: of two results that are published at the same moment, each beside what was there before, one is told to look again.
func checkPublishedAtOnce(t *testing.T, _ *journal.Journal, d *Dossiers) {
	approved := func(name string) Kept {
		k := add(t, d, "acc1", Dossier{Kind: Publication, Name: name, Title: "通报"})
		k, err := d.Do(t.Context(), By{Account: "acc1"}, k, Event{Do: Submit}, "")
		if err == nil {
			k, err = d.Do(t.Context(), By{Account: "acc2"}, k, Event{Do: Approve}, "")
		}
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	one, two := approved("one"), approved("two")
	after, err := d.Published(t.Context(), Publication)
	if err == nil {
		_, err = d.Do(t.Context(), By{Account: "acc2"}, one, Event{Do: Publish, After: after}, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Do(t.Context(), By{Account: "acc3"}, two, Event{Do: Publish, After: after}, ""); !errors.Is(err, ErrMeanwhile) {
		t.Errorf("published beside what nobody has looked at: %v", err)
	}
	if after, err = d.Published(t.Context(), Publication); err == nil {
		two, err = d.Do(t.Context(), By{Account: "acc3"}, two, Event{Do: Publish, After: after}, "")
	}
	if err != nil || two.State != Published {
		t.Errorf("published after a look: %+v, %v", two, err)
	}
}
