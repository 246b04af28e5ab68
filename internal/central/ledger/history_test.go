package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// boxLog is the log of one of several boxes.
type boxLog struct {
	device  rating.DeviceID
	epoch   rating.Epoch
	head    rating.Hash
	records [][]byte
}

func (b *boxLog) append(t *rapid.T, body rating.Body) (seq uint64) {
	if len(b.records) == 0 {
		b.head = rating.Genesis(b.device, b.epoch)
	}
	seq = uint64(len(b.records)) + 1
	raw, err := rating.Record{V: 1, Device: b.device, Epoch: b.epoch, Seq: seq, Prev: b.head, Body: body}.Encode()
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	b.records, b.head = append(b.records, raw), rating.HashOf(raw)
	return seq
}

// TestBooksDecideAsTheHistoryDoes plays visits with cases at two boxes, rated by key and by phone, early, late and corrected, some while
// the box did not know the time, and delivers all of it in any order, in parts and twice. The books count what rating.History
// counts of evaluations at the times that the books know in the end, and for the same cases.
func TestBooksDecideAsTheHistoryDoes(t *testing.T) {
	l := openBooks(t)
	run, explained := 0, 0
	standings, qualities := make(map[rating.Standing]int), make(map[rating.Quality]int)
	rapid.Check(t, func(t *rapid.T) {
		run++
		var h rating.History
		boxes := map[rating.DeviceID]*boxLog{}
		for _, d := range []rating.DeviceID{"box-1", "box-2"} {
			boxes[d] = &boxLog{device: d, epoch: rating.Epoch(1000 + run)}
		}
		var given []rating.Given
		clock, started, boot := int64(0), int64(0), uint32(1)
		now := func() rating.Stamp {
			clock += 1000
			s := at(clock)
			s.Boot, s.Mono = boot, clock-started
			if rapid.IntRange(0, 2).Draw(t, "unset") == 0 {
				s.Synced, s.Wall = false, 7
			}
			return s
		}
		var visits []rating.Visit
		at := make(map[rating.VisitID]rating.DeviceID)
		var phones []PhoneRating
		last := make(map[rating.DeviceID]uint64)
		answer := func(i int) {
			v := rapid.SampledFrom(visits).Draw(t, "visit")
			questions := append(v.Questions(), rating.Question{Subject: rating.MatterSubject}, rating.Question{Subject: rating.MatterSubject, Case: fmt.Sprint("r", run, "a")})
			q := rapid.SampledFrom(questions).Draw(t, "question")
			d := at[v.ID]
			e := rating.Evaluation{Visit: v.ID, Subject: q.Subject, Case: q.Case, Level: rating.Level(rapid.IntRange(1, 5).Draw(t, "level")), Channel: rating.Keypad}
			stamp := now()
			if rapid.IntRange(0, 2).Draw(t, "phone") == 0 {
				e.Channel, e.Text = rating.Phone, fmt.Sprint("s", run, "-", i)
				when := noon.UnixMilli() + clock - int64(rapid.IntRange(0, 4).Draw(t, "earlier"))*1000
				phones = append(phones, PhoneRating{Device: d, Visit: v.ID, Submission: e.Text, At: time.UnixMilli(when), Evaluations: []rating.Evaluation{e}})
				given = append(given, rating.Given{Device: d, Submission: e.Text, Evaluation: e})
				return
			}
			if rapid.Bool().Draw(t, "corrects") {
				e.Replaces = last[d]
			}
			last[d] = boxes[d].append(t, rating.EvaluationBody(stamp, e))
			given = append(given, rating.Given{Device: d, Epoch: boxes[d].epoch, Seq: last[d], Evaluation: e})
			for range rapid.IntRange(0, 2).Draw(t, "reasons") { // of the last answer, or of what it corrects
				r := rating.Reason{Visit: v.ID, Subject: q.Subject, Case: q.Case, Of: last[d], Code: fmt.Sprint(clock), Catalogue: 2}
				if rapid.IntRange(0, 3).Draw(t, "stray") == 0 {
					r.Of--
				}
				if r.Of > 0 {
					seq := boxes[d].append(t, rating.ReasonBody(now(), r))
					h.Explain(rating.GivenReason{Device: d, Epoch: boxes[d].epoch, Seq: seq, Reason: r})
				}
			}
		}
		for i := range rapid.IntRange(1, 5).Draw(t, "visits") {
			v := rating.Visit{ID: rating.VisitID(run*100 + i + 1), Window: window, Opener: rating.OpenedByPC, WaitSec: 60,
				Grouping: rapid.SampledFrom([]rating.Grouping{rating.Single, rating.Batch, rating.Theme}).Draw(t, "grouping"),
				Subjects: []rating.Subject{rating.StaffSubject, rating.MatterSubject}}
			v.Separate = v.Grouping == rating.Theme && rapid.Bool().Draw(t, "separate")
			for _, c := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID).Draw(t, "cases") {
				task := "t"
				if v.Grouping != rating.Batch {
					task += c
				}
				v.Cases = append(v.Cases, rating.Case{ProjectNo: fmt.Sprint("r", run, c), TaskCode: task, Completed: rapid.IntRange(0, 3).Draw(t, "completed") > 0})
			}
			if rating.CheckVisit(v) != nil {
				continue
			}
			if rapid.IntRange(0, 2).Draw(t, "restarted") == 0 {
				started, boot = clock, boot+1
			}
			d := rapid.SampledFrom([]rating.DeviceID{"box-1", "box-2"}).Draw(t, "box")
			visits, at[v.ID] = append(visits, v), d
			boxes[d].append(t, rating.VisitBody(now(), v))
			h.Open(d, v)
			for k := range rapid.IntRange(0, 4).Draw(t, "answers") {
				answer(i*10 + k)
			}
		}
		deliver(t, l, boxes, phones)
		entries, err := l.Since(t.Context(), 0, 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		got, times := make(map[string]string), make(map[string]int64)
		for _, e := range entries {
			if e.Epoch != rating.Epoch(1000+run) && (e.Epoch != 0 || int(e.Visit)/100 != run) {
				continue
			}
			key := fmt.Sprint(e.Device, e.Seq, e.Text)
			items, err := query(t.Context(), l.db, func(s scanner) (item string, err error) { return item, s.Scan(&item) },
				"SELECT item FROM standing WHERE cursor = ? AND standing = ? ORDER BY item", e.Cursor, Counted)
			if err != nil {
				t.Fatal(err)
			}
			got[key], times[key] = fmt.Sprint(e.Status, items, e.Reasons, e.Catalogue), e.At.UnixMilli()
			qualities[e.Quality]++
		}
		want := make(map[string]string)
		for _, g := range given {
			g.Time = times[fmt.Sprint(g.Device, g.Seq, g.Submission)]
			h.Give(g)
		}
		for _, d := range h.Decide() {
			items := []string{}
			for _, i := range d.Items {
				items = append(items, itemKey(i))
			}
			var reasons []string
			catalogue := uint32(0)
			if d.Reason != nil {
				reasons, catalogue = []string{d.Reason.Code}, d.Reason.Catalogue
				explained++
			}
			want[fmt.Sprint(d.Given.Device, d.Given.Seq, d.Given.Submission)] = fmt.Sprint(d.Standing, items, reasons, catalogue)
			standings[d.Standing]++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("what counts (-history +books):\n%s", diff)
		}
	})
	for _, s := range []rating.Standing{rating.Counted, rating.Replaced, rating.Later, rating.Unasked} {
		if standings[s] == 0 {
			t.Errorf("nothing was %s; the test proves nothing", s)
		}
	}
	if explained == 0 {
		t.Error("nothing was explained; the test proves nothing of it")
	}
	for _, p := range problems(t, l) {
		if !strings.Contains(p, "signature") { // they were not signed
			t.Errorf("the audit says: %s", p)
		}
	}
	for _, q := range []rating.Quality{rating.TimeSet, rating.TimeCorrected, rating.TimeEstimated} {
		if qualities[q] == 0 {
			t.Errorf("no time was %s; the test proves nothing", q)
		}
	}
}

// deliver brings batches and phone ratings in any order, and some twice.
func deliver(t *rapid.T, l *Ledger, boxes map[rating.DeviceID]*boxLog, phones []PhoneRating) {
	var steps []func() error
	for _, d := range []rating.DeviceID{"box-1", "box-2"} {
		b := boxes[d]
		for first := 1; first <= len(b.records); {
			n := min(rapid.IntRange(1, 4).Draw(t, "batch"), len(b.records)-first+1)
			batch := wire.Batch{Device: d, Epoch: b.epoch, First: uint64(first), Records: b.records[first-1 : first-1+n]}
			steps = append(steps, func() error {
				_, err := l.AddBatch(t.Context(), batch, nil, noon.Add(time.Hour))
				return err
			})
			first += n
		}
	}
	for _, p := range phones {
		steps = append(steps, func() error {
			_, err := l.AddPhone(t.Context(), p)
			return err
		})
	}
	if len(steps) == 0 {
		return
	}
	order := rapid.Permutation(steps).Draw(t, "order")
	for _, step := range append(order, order[0]) {
		if err := step(); err != nil {
			t.Fatalf("deliver: %v", err)
		}
	}
}

// TestBooksOfSchema3 opens books that a version wrote which knew evaluations by their visits only: visit 5 of a theme with the
// cases p1 and p2, and visit 6 about p1 again.
func TestBooksOfSchema3(t *testing.T) {
	b, err := os.ReadFile("testdata/schema3.db")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	entries, err := l.Since(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, fmt.Sprintf("%d %s %d %s", e.Visit, e.Subject, e.Level, e.Status))
	}
	want := []string{
		"5 staff 2 replaced", "5 staff 1 counted", "5 matter 4 counted", "6 staff 5 counted",
		"6 matter 3 counted", // of p1 by itself, before the overall answer about the theme, which still stands for p2
		"7 matter 3 counted", // of a visit whose record has not come
		"5 staff 3 later",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := problems(t, l); len(got) > 0 {
		t.Errorf("problems %v", got)
	}
}
