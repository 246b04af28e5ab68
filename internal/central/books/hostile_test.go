package books

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// enrol enters that a box was enrolled.
func (w *world) enrol(t fatal, d rating.DeviceID, when time.Time) {
	t.Helper()
	e, err := journal.Enrol(journal.Enrolment{Device: d, Key: make([]byte, 32), Window: hallWindow(), EnrolledAt: when.UnixMilli()},
		w.now.UnixMilli(), fmt.Sprint(d, when.UnixMilli()))
	if err != nil {
		t.Fatalf("enrol: %v", err)
	}
	w.enter(t, e)
}

// checkALateEvaluationWithAnEarlyTime: a box names a case that another one's evaluation counts for, in an evaluation that it dates years
// back. Before it was enrolled, its clock is not believed; after that it may have been so, and a finding names both sides.
func checkALateEvaluationWithAnEarlyTime(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		for name, c := range map[string]struct {
			enrolled, dated time.Duration // before noon
			counts          rating.DeviceID
			earlier         time.Duration // before noon, of an earlier start whose clock was set; 0: none
		}{
			"before it was enrolled":   {24 * time.Hour, 5 * 365 * 24 * time.Hour, "ft-02", 0},
			"before its earlier start": {40 * 24 * time.Hour, 30 * 24 * time.Hour, "ft-02", 2 * 24 * time.Hour},
			"as it may have been":      {40 * 24 * time.Hour, 30 * 24 * time.Hour, "ft-09", 35 * 24 * time.Hour},
			"by a box not enrolled":    {0, 30 * 24 * time.Hour, "ft-09", 0},
		} {
			w := open(t)
			w.enrol(t, "ft-02", noon().Add(-100*24*time.Hour))
			if c.enrolled > 0 {
				w.enrol(t, "ft-09", noon().Add(-c.enrolled))
			}
			victim := chainOf("ft-02", 2)
			victim.append(t, rating.VisitBody(at(0), ofCases(1, rating.Single, false, "a")), keyed(1000, 1, ""))
			w.enter(t, victim.all())
			liar := chainOf("ft-09", 9)
			boot := uint32(1)
			if c.earlier > 0 {
				when := noon().Add(-c.earlier).UnixMilli()
				liar.append(t, rating.EventBody(rating.Stamp{Boot: 1, Mono: 1000, Wall: when, Synced: true}, rating.EventStarted))
				boot++
			}
			lie := rating.Stamp{Boot: boot, Mono: 1000, Wall: noon().Add(-c.dated).UnixMilli(), Synced: true}
			liar.append(t, rating.VisitBody(lie, ofCases(9, rating.Single, false, "a")),
				rating.EvaluationBody(lie, rating.Evaluation{Visit: 9, Subject: rating.MatterSubject, Level: 1, Channel: rating.Keypad}))
			w.now = w.now.Add(time.Hour)
			w.enter(t, liar.all())
			for _, e := range w.since(t) {
				if want := e.Device == c.counts; (e.Status == rating.Counted) != want {
					t.Errorf("%s: %s's evaluation of %s is %s", name, e.Device, e.At, e.Status)
				}
			}
			found := w.findings(t)
			if c.counts == "ft-02" {
				if len(found) > 0 {
					t.Errorf("%s: findings %+v", name, found)
				}
				continue
			}
			if len(found) != 1 || found[0].Kind != Displaced || found[0].Device != "ft-09" || found[0].From != uint64(len(liar.records)) {
				t.Fatalf("%s: findings %+v", name, found)
			}
			for _, word := range []string{"case a", "ft-09", "ft-02", "record 2", noon().Add(-c.dated).UTC().Format(time.DateOnly),
				noon().UTC().Format(time.DateOnly)} {
				if !strings.Contains(found[0].Detail, word) {
					t.Errorf("%s: the finding lacks %q: %s", name, word, found[0].Detail)
				}
			}
		}
	})
}

// checkALateAnswerByAChannel: a business system hands in an answer that it dates before the one that counts, which is a finding that names
// both as what they are.
func checkALateAnswerByAChannel(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		w.tell(t, "case", factOf("P", noon().UnixMilli()))
		w.now = noon().Add(2 * time.Hour)
		w.say(t, "first", smsAnswer("P", 5, noon().Add(time.Hour)))
		w.follow(t)
		w.say(t, "second", smsAnswer("P", 1, noon().Add(time.Minute)))
		w.follow(t)
		found := w.findings(t)
		if len(found) != 1 || found[0].Kind != Displaced || found[0].Source != "sms" ||
			strings.Count(found[0].Detail, "an answer by sms") != 2 || strings.Count(found[0].Words().ZH, rating.SMS.Chinese()) != 2 {
			t.Errorf("findings %+v", found)
		}
	})
}

// checkACorrectionDisplacesNothing: neither a correction nor an answer about one matter of a theme is a finding.
func checkACorrectionDisplacesNothing(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		c.append(t, rating.VisitBody(at(0), ofCases(1, rating.Theme, true, "a", "b")), press(1000, 1, 2, 0), press(2000, 1, 3, 2),
			press(3000, 1, 4, 3), keyed(4000, 1, ""), keyed(5000, 1, "a"))
		for i := range c.records {
			w.enter(t, c.batch(i+1, i+1, 0))
		}
		if got := w.findings(t); len(got) > 0 {
			t.Errorf("findings %+v", got)
		}
	})
}

// checkFindingsAreBounded: a box sends what makes findings by the thousand, with details as long as a record.
func checkFindingsAreBounded(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		long := strings.Repeat("长", 30_000)
		junk := newChain()
		for i := range 1500 {
			junk.records = append(junk.records, fmt.Appendf(nil, `{"v":%d,"device":"box-1"}`, i+2))
		}
		junk.records[3] = fmt.Appendf(nil,
			`{"v":1,"at":{"boot":1},"device":"box-1","epoch":"0000000000000007","seq":4,"kind":"visit","visit":{"id":"0000000000000005",`+
				`"wait_sec":6,"opener":"%s"}}`, long)
		for first := 1; first < len(junk.records); first += 500 {
			w.append(t, junk.batch(first, first+499, 0))
		}
		same := chainOf(box, 8) // the same of each: one finding
		for i := range 1000 {
			same.records = append(same.records, []byte(fmt.Sprint(i%10)))
		}
		for first := 1; first < len(same.records); first += 500 {
			w.append(t, same.batch(first, first+499, 0))
		}
		w.follow(t)
		found := w.findings(t)
		of := make(map[rating.Epoch]int)
		var more *Finding
		for i, f := range found {
			if len(f.Detail) > maxDetail {
				t.Errorf("a detail of %d bytes", len(f.Detail))
			}
			of[f.Epoch]++
			if f.More {
				more = &found[i]
			}
		}
		if of[7] != maxListed+1 || of[8] != 1 {
			t.Errorf("%d findings of one log, and %d of the other", of[7], of[8])
		}
		listed := int64(0)
		for _, f := range found {
			if f.Epoch == 7 && !f.More {
				listed += f.Count
			}
		}
		if more == nil || listed+more.Count != 1500 {
			t.Errorf("%d records are listed, of 1500, and others counted: %+v", listed, more)
		}
		page, err := w.books.Findings(t.Context(), Filter{Open: true, Limit: 10})
		if err != nil || len(page) != 10 {
			t.Fatalf("a page of %d, %v", len(page), err)
		}
		next, err := w.books.Findings(t.Context(), Filter{Open: true, After: page[9].ID, Limit: 10})
		if err != nil || len(next) == 0 || next[0].ID >= page[9].ID {
			t.Errorf("the next page: %+v, %v", next, err)
		}
	})
}

// checkFindingsOfManyLogs: a box says of one log after the other, each of which it has invented, that it is lost. What is listed does not
// grow with them, however many rows of the journal share a transaction.
func checkFindingsOfManyLogs(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		const logs, batch = maxOfDevice + 500, 500
		c := newChain()
		for i := range logs {
			c.append(t, rating.EventBody(at(int64(i)), rating.EventSalvage, "epoch", rating.Epoch(i+100).String(), "first", "1", "last",
				fmt.Sprint(i+1)))
		}
		var listed [][]Finding
		for _, together := range []bool{true, false} {
			w := open(t)
			for first := 1; first < logs; first += batch {
				w.append(t, c.batch(first, first+batch-1, 0))
				if !together {
					w.follow(t)
				}
			}
			w.follow(t)
			found := w.findings(t)
			if len(found) != maxOfDevice+1 || !found[0].More || found[0].Count != logs-maxOfDevice || found[0].Epoch != 0 {
				t.Errorf("%d findings, the newest %+v", len(found), found[0])
			}
			for i := range found {
				found[i].Found = time.Time{}
			}
			listed = append(listed, found)
		}
		if !reflect.DeepEqual(listed[0], listed[1]) {
			t.Error("how many rows share a transaction shows in the findings")
		}
	})
}

// checkGapsBeyondTheList: a box that jumps ahead again and again, and sends what it left out at last.
func checkGapsBeyondTheList(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		const n = 300
		for i := range 2 * n {
			c.append(t, press(int64(i), rating.VisitID(i+1), 4, 0))
		}
		for i := 2; i <= 2*n; i += 2 {
			w.append(t, c.batch(i, i, uint64(i)-1))
		}
		w.follow(t)
		found := w.findings(t)
		if len(found) != maxListed+1 || !found[0].More || found[0].Count != n-maxListed {
			t.Fatalf("%d findings, the newest %+v", len(found), found[0])
		}
		for i := 1; i <= 2*n; i += 2 {
			w.append(t, c.batch(i, i, 0))
		}
		w.follow(t)
		stand := 0
		for _, f := range w.findings(t) {
			if f.Resolved.IsZero() && !f.More {
				stand++
			}
		}
		logs, err := w.books.Logs(t.Context(), 0, 10)
		if stand != 0 || err != nil || logs[0].Records != 2*n || logs[0].First != 1 || logs[0].Waiting != 0 {
			t.Errorf("%d gaps stand though all has come; %+v, %v", stand, logs, err)
		}
		if left, err := db1(w, "SELECT count(*) FROM {run}"); err != nil || left != 0 {
			t.Errorf("%d runs are left besides the one, %v", left, err)
		}
	})
}

func db1(w *world, text string) (int64, error) {
	return one(w.context(), w.booksDB, newTables(w.booksDB.Engine(), 1).of(text))
}

// checkManyStarts: a start of the box a record, as many as one epoch could hold in decades, and evaluations by phone at the same visits.
// No start costs more than those around it, which shows in how many rows the tables read and write, and not in the clock.
func checkManyStarts(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		const n = 3000
		for i := range n {
			stamp := rating.Stamp{Boot: uint32(i) + 1, Mono: 60_000, Wall: 7}
			c.append(t, rating.EvaluationBody(stamp, rating.Evaluation{Visit: rating.VisitID(i + 1), Subject: rating.StaffSubject,
				Level: 3, Channel: rating.Keypad}))
		}
		w.now = noon().Add(24 * time.Hour)
		rows := 0
		for first := 1; first < n; first += 200 {
			w.append(t, c.batch(first, first+199, 0))
			entries, err := w.journal.Read(t.Context(), w.projector.pos, 1)
			if err != nil {
				t.Fatal(err)
			}
			if w.projector.state == nil {
				w.follow(t)
				continue
			}
			before, err := db1(w, "SELECT count(*) FROM {span}")
			if err != nil {
				t.Fatal(err)
			}
			chunk, err := decode(entries)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.projector.write(t.Context(), chunk); err != nil {
				t.Fatal(err)
			}
			after, err := db1(w, "SELECT count(*) FROM {span}")
			if err != nil || after-before != 200 {
				t.Fatalf("%d starts more, %v", after-before, err)
			}
			for _, l := range w.projector.state.logs {
				rows = max(rows, len(l.spans.rows))
			}
		}
		if rows > 1 {
			t.Errorf("%d starts stay in memory", rows)
		}
		// All are bounded as if they had been worked out at once.
		p := &projector{b: w.books, t: newTables(w.booksDB.Engine(), 1)}
		if err := p.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		spans, err := w.spans(p.t)
		if err != nil || len(spans) != n {
			t.Fatalf("%d starts, %v", len(spans), err)
		}
		plain := make([]rating.Span, n)
		for i, s := range spans {
			plain[i] = s.Span
		}
		for i, o := range rating.Origins(plain) {
			if spans[i].origin != o {
				t.Fatalf("start %d: %+v, want %+v", i+1, spans[i].origin, o)
			}
		}
	})
}
