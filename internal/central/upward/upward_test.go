package upward

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/journal"
	"haochaping/internal/proof/province"
	"haochaping/internal/rating"
)

// rate has a person rated at a box now, by phone and with a text or by key, and returns the visit.
func (w *world) rate(t *testing.T, c *chain, id rating.VisitID, level rating.Level, phone string) {
	t.Helper()
	at := w.now()
	stamp := func(n int) rating.Stamp {
		return rating.Stamp{Boot: 1, Mono: int64(c.seq)*1000 + int64(n), Wall: at.UnixMilli() + int64(n), Synced: true}
	}
	first := len(c.raw) + 1
	c.add(t, rating.VisitBody(stamp(0), rating.Visit{ID: id, Opener: rating.OpenedByPC, Grouping: rating.Single, WaitSec: 60,
		Subjects: []rating.Subject{rating.StaffSubject}, Window: rating.Window{ID: c.window, Name: "窗口", Hall: "大厅", Generation: 1}}))
	e := rating.Evaluation{Visit: id, Subject: rating.StaffSubject, Level: level, Channel: rating.Keypad}
	if phone == "" {
		c.add(t, rating.EvaluationBody(stamp(4000), e))
	}
	w.append(t, c.batch(first, len(c.raw), at))
	if phone != "" {
		e.Channel, e.Text = rating.Phone, phone
		if _, err := w.journal.Rate(t.Context(), journal.Rating{Device: c.device, Name: fmt.Sprint("p", id), Received: at.UnixMilli(),
			Answers: []rating.Evaluation{e}}); err != nil {
			t.Fatal(err)
		}
	}
	w.wait(t)
	w.once(t)
}

func (w *world) send(t *testing.T) {
	t.Helper()
	if err := w.push.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// evaluations returns what the province holds of evaluations, by level, reasons and text.
func (w *world) evaluations() (all []string) {
	for _, r := range w.province.Holds() {
		if r["serviceTime"] == "" {
			all = append(all, r["satisfaction"]+" "+r["evalDetail"]+" "+r["writingEvaluation"])
		}
	}
	slices.Sort(all)
	return all
}

func wantAll(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s the province holds %q, want %q", what, got, want)
	}
}

// checkReasonsAreWaitedFor: a bad answer by key goes up with its reason, or bare when the time is over; one with a text goes at once.
func checkReasonsAreWaitedFor(t *testing.T, on engine) {
	w := on(t)
	c := newChain(0)
	w.rate(t, c, 1, 2, "")
	seq := c.seq
	w.rate(t, c, 2, 1, "")
	w.rate(t, c, 3, 1, "等了两个小时")
	w.rate(t, c, 4, 5, "")
	w.send(t)
	wantAll(t, "at once", w.evaluations(), "1  等了两个小时", "5  ")
	c.add(t, rating.ReasonBody(rating.Stamp{Boot: 1, Mono: 9_000_000, Wall: w.now().UnixMilli(), Synced: true},
		rating.Reason{Visit: 1, Subject: rating.StaffSubject, Of: seq, Code: "214", Catalogue: 1}))
	w.append(t, c.batch(len(c.raw), len(c.raw), w.now()))
	w.wait(t)
	w.once(t)
	w.send(t)
	wantAll(t, "with the reason", w.evaluations(), "1  等了两个小时", "2 214 ", "5  ")
	w.pass(31 * time.Minute)
	w.send(t)
	wantAll(t, "after the wait", w.evaluations(), "1  ", "1  等了两个小时", "2 214 ", "5  ")
	w.room.cfg.Table.Bare.Reasons = map[string]string{"1": "199"}
	w.rate(t, c, 5, 1, "")
	w.pass(31 * time.Minute)
	w.send(t)
	wantAll(t, "with the code for none", w.evaluations(), "1  ", "1  等了两个小时", "1 199 ", "2 214 ", "5  ")
}

func always(f province.Fault) province.Faulty {
	return func(string, []map[string]string) province.Fault { return f }
}

// checkWhatIsRefused waits for people, with the reason; it goes again when it is asked for, and by itself once it has changed.
func checkWhatIsRefused(t *testing.T, on engine) {
	w := on(t)
	k := rating.CaseKey{Area: district, Project: "P1"}
	done := w.now().Add(-time.Hour).UnixMilli()
	tell := func(name string, f rating.CaseFact) {
		t.Helper()
		f.Area, f.ProjectNo = k.Area, k.Project
		if _, err := w.journal.Tell(t.Context(), "business", name, []journal.Fact{{Fact: f}}); err != nil {
			t.Fatal(err)
		}
		w.wait(t)
		w.once(t)
	}
	tell("1", rating.CaseFact{TaskCode: "T1", AsOf: done, CompletedAt: done})
	w.province.Breaks(always(province.Refuse), func(int) int { return 0 })
	w.send(t)
	w.province.Breaks(nil, nil)
	posts := w.province.Posts()
	w.pass(time.Hour)
	w.send(t)
	all, err := w.room.Refused(t.Context(), 0, 10)
	if err != nil || len(all) != 1 || all[0].Code != "1001" || all[0].Words != "事项编码不存在" || w.province.Posts() != posts {
		t.Fatalf("refused is %+v, %v, after %d posts more", all, err, w.province.Posts()-posts)
	}
	if n, err := w.room.Again(t.Context(), []int64{all[0].Change, 4711}); err != nil || n != 1 {
		t.Fatalf("%d go again, %v", n, err)
	}
	w.send(t)
	if n := len(w.province.Holds()); n != 1 {
		t.Errorf("the province holds %d", n)
	}
	w.province.Breaks(always(province.Refuse), func(int) int { return 0 })
	tell("2", rating.CaseFact{TaskCode: "T2", AsOf: done + 1, Corrects: true})
	w.send(t)
	w.province.Breaks(nil, nil)
	tell("3", rating.CaseFact{TaskCode: "T3", AsOf: done + 2, Corrects: true})
	w.send(t)
	for _, r := range w.province.Holds() {
		if r["taskCode"] != "T3" {
			t.Errorf("the province holds %v", r)
		}
	}
	if all, err := w.room.Refused(t.Context(), 0, 10); err != nil || len(all) != 0 {
		t.Errorf("refused is %+v, %v", all, err)
	}
}

// checkTwoInstances: one follows and one sends at a time; who is late changes nothing.
func checkTwoInstances(t *testing.T, on engine) {
	w := on(t)
	other := w.open(t, "there")
	late := w.sender(other, w.push.Key)
	c := newChain(0)
	w.rate(t, c, 1, 5, "")
	w.send(t)
	w.rate(t, c, 2, 4, "")
	posts := w.province.Posts()
	if err := late.Once(t.Context()); err != nil || w.province.Posts() != posts {
		t.Errorf("the other sends too: %v", err)
	}
	st, err := other.state(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.rate(t, c, 3, 3, "")
	if err := other.write(t.Context(), st, st, &change{}); err == nil {
		t.Error("who is late writes")
	}
	w.pass(10 * time.Minute) // the lease of the first is over
	if err := late.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantAll(t, "of both", w.evaluations(), "3  ", "4  ", "5  ")
	f, err := w.room.Figures(t.Context())
	if err != nil || f != (Figures{}) {
		t.Errorf("figures are %+v, %v", f, err)
	}
}

// TestOnePoisonedRecordHoldsUpNothing has a record for which the province always fails.
func TestOnePoisonedRecordHoldsUpNothing(t *testing.T) {
	w := onSQLite(t)
	c := newChain(0)
	for n := range 8 {
		w.rate(t, c, rating.VisitID(n+1), 5, "")
	}
	w.province.Breaks(func(_ string, records []map[string]string) province.Fault {
		for _, r := range records {
			if strings.HasSuffix(r["projectNo"], "-0000000000000003") {
				return province.Failing
			}
		}
		return province.None
	}, nil)
	for range 4 {
		if err := w.push.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Minute)
	}
	if got := len(w.evaluations()); got != 7 {
		t.Errorf("%d of 8 have gone", got)
	}
	f, err := w.room.Figures(t.Context())
	if err != nil || f.Waiting != 1 || f.Age < 3*time.Minute {
		t.Errorf("figures are %+v, %v", f, err)
	}
}

// TestTheWayIsTold: since when nothing is taken and why, until something is.
func TestTheWayIsTold(t *testing.T) {
	w := onSQLite(t)
	w.rate(t, newChain(0), 1, 5, "")
	w.province.Breaks(always(province.Busy), nil)
	began := w.now()
	for range 12 { // longer and longer
		_ = w.push.Once(t.Context())
		w.pass(time.Minute)
	}
	if n := w.province.Posts(); n < 3 || n > 8 {
		t.Errorf("%d posts in 12 minutes", n)
	}
	way, err := w.room.Way(t.Context())
	if err != nil || way.Since.Sub(began).Abs() > time.Minute || !strings.Contains(way.Words, "系统繁忙") || !way.Heard.IsZero() {
		t.Errorf("the way is %+v, %v", way, err)
	}
	f, err := w.room.Figures(t.Context())
	if err != nil || f.Waiting != 1 || f.Age < 11*time.Minute {
		t.Errorf("figures are %+v, %v", f, err)
	}
	w.province.Breaks(nil, nil)
	w.pass(time.Hour)
	w.send(t)
	if way, err := w.room.Way(t.Context()); err != nil || !way.Since.IsZero() || way.Heard.IsZero() {
		t.Errorf("the way is %+v, %v", way, err)
	}
}

// TestTheFeed: each record once, where it changed last.
func TestTheFeed(t *testing.T) {
	w := onSQLite(t)
	c := newChain(0)
	w.rate(t, c, 1, 5, "")
	w.rate(t, c, 2, 4, "")
	feed := func(after int64) (all []Record) {
		t.Helper()
		for {
			some, err := w.room.Feed(t.Context(), after, 3)
			if err != nil {
				t.Fatal(err)
			}
			if len(some) == 0 {
				return all
			}
			all, after = append(all, some...), some[len(some)-1].Change
		}
	}
	all := feed(0)
	if len(all) != 4 {
		t.Fatalf("the feed has %d", len(all))
	}
	id := all[1].Said.Answer.ID
	if _, err := w.journal.Do(t.Context(), "office", "", journal.Act{Do: "test.review", Adoption: &journal.Adoption{Evaluation: id}},
		nil); err != nil {
		t.Fatal(err)
	}
	w.wait(t)
	w.once(t)
	more := feed(all[3].Change)
	if len(more) != 1 || !more[0].Gone || more[0].ID() != all[1].ID() || more[0].Version <= all[1].Version || len(feed(0)) != 4 {
		t.Errorf("after a review the feed goes on with %+v", more)
	}
	if got := w.room.Fields(more[0]); got["dataOperation"] != "0" || got["projectNo"] == "" {
		t.Errorf("its fields are %v", got)
	}
}

// TestJudge says what answers mean for a record of version 5.
func TestJudge(t *testing.T) {
	table, err := Load("gansu")
	if err != nil {
		t.Fatal(err)
	}
	put := Record{key: key{kind: Evaluation}, Version: 5}
	gone, changed := put, put
	gone.Gone, changed.tried = true, 3
	for _, c := range []struct {
		name   string
		x      Record
		r      result
		before bool
		want   outcome
	}{
		{"accepted", put, result{Code: "0"}, false, taken},
		{"another version is accepted", put, result{Code: "0", Version: 4}, false, unsaid},
		{"there, the first time", put, result{Code: "409"}, false, taken},
		{"there, a repetition", changed, result{Code: "409"}, true, taken},
		{"there, perhaps an older one", changed, result{Code: "409"}, false, refused},
		{"there, an older one", changed, result{Code: "409", Version: 3}, false, refused},
		{"there, this one", changed, result{Code: "409", Version: 5}, false, taken},
		{"there, a later one", put, result{Code: "409", Version: 9}, false, behind},
		{"no service", put, result{Code: "424"}, false, early},
		{"withdrawn and not there", gone, result{Code: "404"}, false, taken},
		{"not there", put, result{Code: "404"}, false, refused},
		{"later", put, result{Code: "503"}, false, later},
		{"an older one is refused", put, result{Code: "1", Version: 4}, false, unsaid},
		{"refused", put, result{Code: "1"}, false, refused},
	} {
		if got := table.judge(c.x, c.r, c.before); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// FuzzParseReceipt reads what a superior system may answer.
func FuzzParseReceipt(f *testing.F) {
	for _, s := range []string{`{"code":0,"message":"成功","results":[{"id":"a","version":1,"code":"0"}]}`, `{"code":"503"}`, `{}`, `[]`, ``,
		`{"code":1,"results":[{"id":"a","code":"0"},{"id":"a","code":"1"}]}`, `{"code":1e3}`, `{"code":"0","results":[{"code":"0"}]}`} {
		f.Add([]byte(s))
	}
	table, err := Load("gansu")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseReceipt(b)
		if err != nil {
			return
		}
		if r.Code == "" {
			t.Error("a receipt without a code")
		}
		seen := make(map[string]code)
		for _, x := range r.Results {
			if c, ok := seen[x.ID]; ok && c != x.Code || x.ID == "" || x.Code == "" || len([]rune(x.Message)) > mostWords {
				t.Errorf("%+v is in a receipt", x)
			}
			seen[x.ID] = x.Code
			_ = table.judge(Record{Version: 1}, x, false)
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseReceipt(again); err != nil {
			t.Errorf("%s is no receipt when it is read again: %v", again, err)
		}
	})
}
