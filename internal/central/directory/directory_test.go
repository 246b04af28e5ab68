package directory

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
)

const unit1 = "91350100M000100Y43"

// TestDirectory runs each test on SQLite and on PostgreSQL, with a journal and a directory of its own.
func TestDirectory(t *testing.T) {
	tests := map[string]func(*testing.T, *Directory, *journal.Journal){"Apply": testApply, "Drafts": testDrafts, "List": testList,
		"Place": testPlace, "Backup": testBackup}
	start := func(t *testing.T, url string, test func(*testing.T, *Directory, *journal.Journal)) {
		j, _, _ := journaltest.Open(t, url)
		d, err := Open(t.Context(), j)
		if err != nil {
			t.Fatal(err)
		}
		test(t, d, j)
	}
	t.Run("sqlite", func(t *testing.T) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) { start(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"), test) })
		}
	})
	t.Run("postgres", func(t *testing.T) {
		server := dbtest.StartPostgres(t)
		for name, test := range tests {
			t.Run(name, func(t *testing.T) { start(t, server.Database(t), test) })
		}
	})
}

// change previews and applies a file.
func change(t *testing.T, d *Directory, text string) Preview {
	t.Helper()
	p, err := d.Preview(t.Context(), read(t, []byte(text)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Apply(t.Context(), "li", "test", journal.Act{Object: "file"}, p); err != nil {
		t.Fatal(err, p.Lines)
	}
	return p
}

// What is confirmed is what was previewed, it is an act of the journal, and history stays.
func testApply(t *testing.T, d *Directory, j *journal.Journal) {
	p := change(t, d, small)
	if len(p.Changes) != 6 {
		t.Fatalf("%d changes of 6 lines", len(p.Changes))
	}
	e, err := j.Entry(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := e.Act(); err != nil || a.Do != "directory.change" || a.Reason != "test" || !strings.Contains(string(a.Data), "市民中心") ||
		!strings.Contains(string(a.Data), p.Hash) {
		t.Errorf("the act is %+v, %v", a, err)
	}
	// Once more is nothing, and a page that is sent twice is no failure.
	if again := change(t, d, small); len(again.Changes) != 0 {
		t.Errorf("the same file again changes %v", again.Changes)
	}
	if err := d.Apply(t.Context(), "li", "test", journal.Act{}, p); err != nil {
		t.Errorf("the same confirmation again: %v", err)
	}

	lines := read(t, []byte(head+"大厅,H1,政务大厅,2026-01-01,,620100,"+unit1+",,\n"))
	first, err := d.Preview(t.Context(), lines, nil)
	if err != nil {
		t.Fatal(err)
	}
	change(t, d, head+"窗口,H1-02,2号窗口,2020-01-01,,,,H1,\n")
	if err := d.Apply(t.Context(), "li", "", journal.Act{}, first); !errors.Is(err, ErrMeanwhile) {
		t.Errorf("a preview of another version: %v", err)
	}
	forged, err := d.Preview(t.Context(), lines, nil)
	if err != nil {
		t.Fatal(err)
	}
	forged.Changes[0].After.Name = "别的"
	if err := d.Apply(t.Context(), "li", "", journal.Act{}, forged); !errors.Is(err, ErrMeanwhile) {
		t.Errorf("a preview that was changed: %v", err)
	}
	refused, err := d.Preview(t.Context(), read(t, []byte(head+"窗口,H1-03,3号窗口,2020-01-01,,,,H1,\n窗口,H1-04,4号窗口,2020-01-01,,,,H9,\n")), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Apply(t.Context(), "li", "", journal.Act{}, refused); !errors.Is(err, ErrRefused) {
		t.Errorf("a preview with a refused line: %v", err)
	}
	if _, err := d.At(t.Context(), Window, "H1-03", Date(2026, 1, 1)); !errors.Is(err, ErrUnknown) {
		t.Errorf("the other line of a refused file was written: %v", err)
	}
	change(t, d, head+"大厅,H1,政务大厅,2026-01-01,,620100,"+unit1+",,\n")
	for day, want := range map[Day]string{Date(2025, 12, 31): "市民中心", Date(2026, 1, 1): "政务大厅"} {
		if r, err := d.At(t.Context(), Hall, "H1", day); err != nil || r.Name != want {
			t.Errorf("on %s the hall is called %q, %v; want %q", day, r.Name, err, want)
		}
	}
	if all, err := d.History(t.Context(), Hall, "H1"); err != nil || len(all) != 2 {
		t.Errorf("the hall's history is %v, %v", all, err)
	}
	change(t, d, "操作,"+head+"删除,大厅,H1,政务大厅,2026-01-01,,620100,"+unit1+",,\n,大厅,H1,市民中心,2020-01-01,,620100,"+unit1+",,\n")
	if r, err := d.At(t.Context(), Hall, "H1", Date(2026, 1, 1)); err != nil || r.Name != "市民中心" {
		t.Errorf("the hall's second name was taken back, and it is %q, %v", r.Name, err)
	}
}

// A preview is kept for its account alone, and the last one only.
func testDrafts(t *testing.T, d *Directory, _ *journal.Journal) {
	change(t, d, small)
	var all []Preview
	for _, id := range []string{"H1-02", "H1-03"} {
		p, err := d.Preview(t.Context(), read(t, []byte(head+"窗口,"+id+",窗口,2020-01-01,,,,H1,\n")), nil)
		if err == nil {
			err = d.Keep(t.Context(), "li", p)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if _, err := d.Kept(t.Context(), "wang", all[1].Hash, nil); !errors.Is(err, ErrMeanwhile) {
		t.Errorf("another account's preview: %v", err)
	}
	if _, err := d.Kept(t.Context(), "li", all[0].Hash, nil); !errors.Is(err, ErrMeanwhile) {
		t.Errorf("a preview that was replaced: %v", err)
	}
	p, err := d.Kept(t.Context(), "li", all[1].Hash, nil)
	if err == nil {
		err = d.Apply(t.Context(), "li", "", journal.Act{}, p)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.At(t.Context(), Window, "H1-03", Date(2026, 1, 1)); err != nil {
		t.Error(err)
	}
}

func testList(t *testing.T, d *Directory, _ *journal.Journal) {
	change(t, d, small+"区划,620102,区,2020-01-01,,,,,\n区划,629900,别的市,2020-01-01,,,,,\n大厅,H2,Second_Hall,2021-01-01,2022-01-01,620102,"+unit1+
		",,\n窗口,H2-01,1号窗口,2021-01-01,2022-01-01,,,H2,\n")
	day := Date(2021, 6, 1)
	for _, c := range []struct {
		f    Filter
		want string
	}{
		{Filter{Kind: Hall, Day: day}, "H1 H2"}, {Filter{Kind: Hall, Day: day, Limit: 1}, "H1"},
		{Filter{Kind: Hall, Day: day, After: "H1"}, "H2"},
		{Filter{Kind: Hall, Day: Date(2022, 1, 1)}, "H1"}, {Filter{Kind: Hall, Day: Date(2019, 1, 1)}, ""},
		{Filter{Kind: Hall, Day: day, Area: "620102000000"}, "H2"}, {Filter{Kind: Hall, Day: day, Area: "620100000000"}, "H1 H2"},
		{Filter{Kind: Area, Day: day, Area: "620100000000"}, "620100000000 620102000000"},
		{Filter{Kind: Hall, Day: day, Text: "民中"}, "H1"}, {Filter{Kind: Hall, Day: day, Text: "second_"}, "H2"},
		{Filter{Kind: Hall, Day: day, Text: "%"}, ""},
		{Filter{Kind: Window, Day: day, Hall: "H2"}, "H2-01"}, {Filter{Kind: Staff, Day: day, Window: "H1-01", Unit: unit1}, "0001"},
	} {
		if c.f.Limit == 0 {
			c.f.Limit = 10
		}
		all, err := d.List(t.Context(), c.f)
		var ids []string
		for _, r := range all {
			ids = append(ids, r.ID)
		}
		if got := strings.Join(ids, " "); err != nil || got != c.want {
			t.Errorf("%+v lists %q, %v; want %q", c.f, got, err, c.want)
		}
	}
}

// An evaluation finds the window, hall, unit and area as they were on its day, by the box and its generation.
func testPlace(t *testing.T, d *Directory, j *journal.Journal) {
	change(t, d, small)
	serve := func(w rating.Window) {
		t.Helper()
		_, err := j.Do(t.Context(), "li", "", journal.Act{Do: "fleet.test"},
			func(ctx context.Context, tx *db.Tx, pos int64) error { return Served(ctx, tx, "box", w, pos) })
		if err != nil {
			t.Fatal(err)
		}
		d.asked = time.Time{}
	}
	serve(rating.Window{ID: "H1-01", Generation: 1})
	change(t, d, head+"大厅,H1,政务大厅,2026-01-01,,620100,"+unit1+",,\n单位,91330100799655058B,公安局,2026-01-01,,620100,"+unit1+
		",,\n窗口,H1-01,一号,2026-01-01,,,91330100799655058B,H1,\n")
	d.asked = time.Time{}
	before, after := time.Date(2025, 12, 31, 15, 59, 0, 0, time.UTC), time.Date(2025, 12, 31, 16, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		device     rating.DeviceID
		window     string
		generation uint32
		at         time.Time
		want       string
	}{
		{"box", "H1-01", 1, before, "1号窗口 市民中心 政务服务中心 市 省"}, {"box", "H1-01", 1, after, "一号 政务大厅 公安局 市 省"},
		{"box", "H1-01", 2, after, ""}, {"box", "H1-02", 1, after, ""}, {"other", "H1-01", 1, after, ""},
		{"box", "H1-01", 1, time.Unix(0, 0), ""},
	} {
		a, err := d.Atlas(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p, ok := a.Place(c.device, c.window, c.generation, c.at)
		got := ""
		if ok {
			got = fmt.Sprint(p.Window.Name, " ", p.Hall.Name, " ", p.Unit().Name)
			for _, x := range p.Areas {
				got += " " + x.Name
			}
		}
		if got != c.want {
			t.Errorf("%s at %s with generation %d at %s: %q, want %q", c.device, c.window, c.generation, c.at, got, c.want)
		}
	}
	a, err := d.Atlas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if up := a.Units("91330100799655058B", DayOf(after)); len(up) != 2 || up[1].ID != unit1 {
		t.Errorf("above the office stand %v", up)
	}
	if again, err := d.Atlas(t.Context()); err != nil || again != a {
		t.Errorf("nothing has changed, and the copy is another one: %v", err)
	}
	serve(rating.Window{ID: "H1-01", Generation: 2})
	if b, err := d.Atlas(t.Context()); err != nil {
		t.Error(err)
	} else if _, ok := b.Place("box", "H1-01", 2, after); !ok {
		t.Error("a new generation is not known")
	} else {
		staysAgree(t, b)
	}
}

// staysAgree compares the stays with Place on each day of some years.
func staysAgree(t *testing.T, a *Atlas) {
	t.Helper()
	for d := Date(2018, 1, 1); d < Date(2028, 1, 1); d++ {
		for generation := uint32(1); generation <= 3; generation++ {
			want, ok := a.Place("box", "H1-01", generation, d.Start())
			var got []Place
			for _, s := range a.Stays() {
				if s.Device == "box" && s.Generation == generation && s.Place.Window.ID == "H1-01" && s.Holds(d) {
					got = append(got, s.Place)
				}
			}
			if ok != (len(got) == 1) || ok && !reflect.DeepEqual(got[0], want) {
				t.Fatalf("on %s the box with generation %d stays at %+v, and its place is %+v, %v", d, generation, got, want, ok)
			}
		}
	}
}

// A backup holds the organisation and what boxes served, and goes from one engine to the other.
func testBackup(t *testing.T, d *Directory, j *journal.Journal) {
	change(t, d, small+strings.Join(many(1200), ""))
	if _, err := j.Do(t.Context(), "li", "", journal.Act{Do: "fleet.test"}, func(ctx context.Context, tx *db.Tx, pos int64) error {
		return Served(ctx, tx, "box", rating.Window{ID: "H1-01", Generation: 3}, pos)
	}); err != nil {
		t.Fatal(err)
	}
	other, _, _ := journaltest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "other.db"))
	restored, err := Open(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Export(t.Context(), func(b []byte) error { return restored.Import(t.Context(), b) }); err != nil {
		t.Fatal(err)
	}
	have, v, err := d.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, w, err := restored.read(t.Context())
	if err != nil || v != w || len(got) != len(have) {
		t.Fatalf("%d records of version %d were restored as %d of %d: %v", len(have), v, len(got), w, err)
	}
	back := newTree(got)
	for _, r := range have {
		if again, ok := back.get(r.key()); !ok || again != r {
			t.Fatalf("%#v was restored as %#v", r, again)
		}
	}
	a, err := restored.Atlas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := a.Place("box", "H1-01", 3, time.Now()); !ok {
		t.Error("what the box served was not restored")
	}
}

// many returns lines of windows of the small organisation's hall.
func many(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("窗口,M-%05d,窗口 %d,2020-01-01,,,,H1,\n", i, i))
	}
	return all
}
