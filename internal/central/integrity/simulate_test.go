package integrity

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/report"
	"haochaping/internal/rating"
)

var update = flag.Bool("update", false, "write what is generated in docs/integrity.md")

// ways is how a window goes about its visits in a simulation: the honest one, or one that is amiss.
type ways struct {
	visits, asks, answers, phones, poor float64 // a day; shares
	pressed                             float64 // of the answers, by the staff and at once
	cut                                 float64 // of the visits, cancelled at once
	evening                             int     // answers that the staff gives in the last half hour
	together                            int     // visits that are opened and answered at the day's end, one after the other
	ownPhone, ownNetwork                int     // ratings of the last day by one phone, and from one network
	stuckDays, turned                   int
	faults                              map[books.FindingKind]int64
	displaced                           float64
	pace                                float64 // seconds after which half of the answers are given
}

// honest returns a window at which nothing is amiss. No two are alike: in how many come, how many answer, how fast, and how content they
// are.
func honest(r *rand.Rand) ways {
	between := func(low, high float64) float64 { return low + r.Float64()*(high-low) }
	return ways{visits: between(15, 45), asks: between(0.85, 1), answers: between(0.4, 0.7), phones: between(0.01, 0.1),
		poor: between(0.005, 0.025),
		pace: between(4.5, 8), displaced: between(0, 0.004)}
}

// amiss returns for each rule a window at which what it looks for goes on.
func amiss() map[string]func(*ways) {
	return map[string]func(*ways){
		FastPresses:    func(w *ways) { w.pressed = 0.4 },
		WindowBurst:    func(w *ways) { w.together = 7 },
		PhoneBurst:     func(w *ways) { w.ownPhone = 8 },
		NetworkBurst:   func(w *ways) { w.ownNetwork = 16 },
		ClosingTime:    func(w *ways) { w.evening = 12 },
		CutShort:       func(w *ways) { w.cut = 0.3 },
		NeverAsks:      func(w *ways) { w.visits = 0 },
		StuckKeys:      func(w *ways) { w.stuckDays = 4 },
		ClockTurned:    func(w *ways) { w.turned = 1 },
		Chain:          func(w *ways) { w.faults = map[books.FindingKind]int64{books.BrokenChain: 1} },
		Displaced:      func(w *ways) { w.displaced = 0.1 },
		"no_bad":       func(w *ways) { w.poor, w.visits, w.answers, w.phones = 0, 60, 0.9, 0 },
		"few_answer":   func(w *ways) { w.answers = 0.12 },
		"seldom_asked": func(w *ways) { w.asks = 0.2 },
	}
}

const (
	simulatedDays = 20 // working days in four weeks
	opens, closes = 9 * 60, 17 * 60
)

// player makes the records of one window and takes them.
type player struct {
	ways
	r       *rand.Rand
	log     Log
	seq     uint64
	tallies map[directory.Day]*Tally
	counts  report.Amount
	next    rating.VisitID
	origins []origin
	from    string // the hall's own network
	device  rating.DeviceID
}

// record takes a record at a minute of a day.
func (p *player) record(day int, minute float64, body func(rating.Stamp) rating.Body) {
	p.seq++
	at := (directory.Date(2026, 3, 2) + directory.Day(day)).Start().Add(time.Duration(minute * float64(time.Minute)))
	s := rating.Stamp{Boot: uint32(day + 1), Mono: at.UnixMilli() - directory.Date(2026, 1, 1).Start().UnixMilli(), Wall: at.UnixMilli(),
		Synced: true}
	p.log.Take(rating.Record{Seq: p.seq, Body: body(s)}, at.Add(time.Minute), int64(p.seq), func(d directory.Day) *Tally {
		if p.tallies[d] == nil {
			p.tallies[d] = new(Tally)
		}
		return p.tallies[d]
	})
}

func (p *player) level() rating.Level {
	switch x := p.r.Float64(); {
	case x < p.poor:
		return rating.VeryDissatisfied
	case x < p.poor+0.1:
		return rating.Satisfied
	}
	return rating.VerySatisfied
}

// visit plays one visit that begins at a minute: how it is answered, how long after the question and how it ends.
func (p *player) visit(day int, minute, wait float64, level rating.Level, outcome rating.Outcome) {
	p.next++
	v := rating.Visit{ID: p.next, Window: rating.Window{ID: "W", Generation: 1}}
	p.record(day, minute, func(s rating.Stamp) rating.Body { return rating.VisitBody(s, v) })
	p.counts.Served++
	p.counts.Asked++
	end := rating.Closing{Visit: p.next, Outcome: outcome}
	if outcome == rating.Rated {
		p.record(day, minute+wait/60, func(s rating.Stamp) rating.Body {
			return rating.EvaluationBody(s, rating.Evaluation{Visit: v.ID, Subject: rating.StaffSubject, Level: level, Channel: rating.Keypad,
				WaitedMS: int64(wait * 1000)})
		})
		end.Rated = []rating.Subject{rating.StaffSubject}
		p.counts.Levels[level]++
	}
	p.record(day, minute+wait/60+0.01, func(s rating.Stamp) rating.Body { return rating.OutcomeBody(s, end) })
}

// phone notes a rating by phone.
func (p *player) phone(day int, phone, network string) {
	p.origins = append(p.origins, origin{directory.Day(day), int64(p.seq), p.device, int64(p.next), phone, network})
	p.counts.Levels[p.level()]++
}

// day plays a day: a citizen after the other, each served for some minutes.
func (p *player) day(day int) {
	p.boxDay(day)
	for at := opens + p.r.ExpFloat64()*5; p.visits > 0 && at < closes-2; at += 3 + p.r.ExpFloat64()*(480/p.visits-3) {
		wait := p.pace * math.Exp(0.6*p.r.NormFloat64())
		if p.r.Float64() >= p.asks {
			p.record(day, at, func(s rating.Stamp) rating.Body {
				p.next++
				return rating.VisitBody(s, rating.Visit{ID: p.next, Window: rating.Window{ID: "W", Generation: 1}})
			})
			p.counts.Served++
			continue
		}
		switch x := p.r.Float64(); {
		case p.r.Float64() < p.cut:
			p.visit(day, at, 2, 0, rating.Cancelled)
		case p.r.Float64() < 0.03:
			p.visit(day, at, p.r.Float64()*60, 0, rating.Cancelled)
		case x < p.answers*p.pressed:
			p.visit(day, at, 0.5+p.r.Float64(), rating.VerySatisfied, rating.Rated)
		case x < p.answers:
			p.visit(day, at, wait, p.level(), rating.Rated)
		case x < p.answers+p.phones:
			p.visit(day, at, 30, 0, rating.RatedByPhone)
			p.phone(day, fmt.Sprint("phone ", p.r.IntN(1_000_000)), []string{p.from, p.from, "carrier 1", "carrier 2", "carrier 3"}[p.r.IntN(5)])
		default:
			p.visit(day, at, 60, 0, rating.TimedOut)
		}
	}
	for i := range p.evening {
		p.visit(day, closes-28+float64(i)*2.2, 4, rating.VerySatisfied, rating.Rated)
	}
	for i := range p.together {
		p.visit(day, closes-2+float64(i)*0.25, 4, rating.VerySatisfied, rating.Rated)
	}
}

// boxDay plays what happens to the box.
func (p *player) boxDay(day int) {
	if day < p.stuckDays || p.r.Float64() < 0.002 {
		p.record(day, opens+1, func(s rating.Stamp) rating.Body { return rating.EventBody(s, rating.EventStuckKey, "key", "1") })
	}
	if p.r.Float64() < 0.05 || day < p.turned {
		by := time.Duration(p.r.NormFloat64() * float64(2*time.Second)) // what a network sets right
		if day < p.turned {
			by = -2 * time.Hour
		}
		p.record(day, opens+2, func(s rating.Stamp) rating.Body {
			const form = "2006-01-02T15:04:05.000Z"
			return rating.EventBody(s, rating.EventClock, "before", s.Time().UTC().Format(form), "after", s.Time().Add(by).UTC().Format(form))
		})
	}
	if day == 0 { // after the power came back, without a battery
		p.record(day, opens, func(s rating.Stamp) rating.Body {
			return rating.EventBody(s, rating.EventClock, "before", "2025-01-01T00:00:00.000Z (not synchronised)", "after",
				"2026-03-02T00:00:00.000Z")
		})
	}
	if day == simulatedDays-1 {
		for range p.ownPhone {
			p.next++
			p.phone(day, "phone of the staff", "carrier 1")
		}
		for i := range p.ownNetwork {
			p.next++
			p.phone(day, fmt.Sprint("phone at the office ", i), "office")
		}
	}
}

// play returns what is seen of a window after four weeks, and where its phones were.
func play(r *rand.Rand, w ways, hall, n int) (Seen, []origin) {
	p := &player{ways: w, r: r, tallies: make(map[directory.Day]*Tally), from: fmt.Sprint("hall ", hall),
		device: rating.DeviceID(fmt.Sprintf("h%d-%d", hall, n))}
	for day := range simulatedDays {
		p.day(day)
	}
	s := Seen{Windows: 1}
	for _, t := range p.tallies {
		s = s.add(t.day(closes))
	}
	faults := map[books.FindingKind]int64{}
	for range p.counts.Answered() {
		if r.Float64() < w.displaced {
			faults[books.Displaced]++
		}
	}
	s = s.add(Seen{Counts: p.counts, Faults: faults}).add(Seen{Faults: w.faults})
	last := slices.DeleteFunc(p.origins, func(o origin) bool { return o.day < simulatedDays-keptOrigins })
	return s, last
}

// raised returns by which rules a window is raised among others.
func raised(here Seen, phonesHere []origin, others []Seen, phonesThere []origin) map[string]bool {
	var o Seen
	for _, x := range others {
		o = o.add(x)
	}
	found := make(map[string]bool)
	for _, rule := range Rules() {
		if rule.Raised(here.add(phones(phonesHere, phonesThere)), o) != nil {
			found[rule.Code] = true
		}
	}
	return found
}

const (
	simulatedHalls = 40
	simulatedEach  = 10
	simulatedBad   = 20 // windows by rule
)

// simulation is how often each rule was raised, of honest windows and of those that are amiss in its way.
type simulation struct {
	honest, amiss map[string]int
	windows       int
}

func simulate() simulation {
	r := rand.New(rand.NewPCG(4, 21))
	s := simulation{honest: make(map[string]int), amiss: make(map[string]int)}
	seen, froms := make([][]Seen, simulatedHalls), make([][][]origin, simulatedHalls)
	for hall := range simulatedHalls {
		for n := range simulatedEach {
			x, from := play(r, honest(r), hall, n)
			seen[hall], froms[hall] = append(seen[hall], x), append(froms[hall], from)
		}
	}
	without := func(hall, n int) ([]Seen, []origin) {
		return slices.Delete(slices.Clone(seen[hall]), n, n+1), slices.Concat(slices.Delete(slices.Clone(froms[hall]), n, n+1)...)
	}
	for hall := range simulatedHalls {
		for n := range simulatedEach {
			others, there := without(hall, n)
			s.windows++
			for code := range raised(seen[hall][n], froms[hall][n], others, there) {
				s.honest[code]++
			}
		}
	}
	for _, rule := range Rules() {
		for i := range simulatedBad {
			w := honest(r)
			amiss()[rule.Code](&w)
			x, from := play(r, w, i, 0)
			others, there := without(i, 0)
			if raised(x, from, others, there)[rule.Code] {
				s.amiss[rule.Code]++
			}
		}
	}
	return s
}

// TestSimulatedHalls plays honest halls and such in which one window is amiss: each rule raises three honest windows in a thousand at most,
// and nine in ten of those that it looks for. docs/integrity.md has the rates.
func TestSimulatedHalls(t *testing.T) {
	s := simulate()
	for _, rule := range Rules() {
		if n := s.honest[rule.Code]; n*1000 > 3*s.windows {
			t.Errorf("%s is raised at %d of %d honest windows", rule.Code, n, s.windows)
		}
		if n := s.amiss[rule.Code]; n*10 < 9*simulatedBad {
			t.Errorf("%s is raised at %d of %d windows that are amiss", rule.Code, n, simulatedBad)
		}
	}
	if runtime.GOARCH == "amd64" { // others round otherwise
		document(t, s)
	}
}

// document holds docs/integrity.md to the rules and their rates.
func document(t *testing.T, s simulation) {
	t.Helper()
	const path, begin, end = "../../../docs/integrity.md",
		"<!-- generated by internal/central/integrity: go test -run TestSimulatedHalls -update -->\n\n",
		"\n<!-- end of what is generated -->"
	var b strings.Builder
	b.WriteString("| rule | 疑点 | 规则 | 依据 | 也可能是 | 核查 | 误报（诚实窗口） | 发现（作假窗口） |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range Rules() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %d / %d | %d / %d |\n", r.Code, r.Chinese, r.Means, r.Source, r.Else, r.Look,
			s.honest[r.Code], s.windows, s.amiss[r.Code], simulatedBad)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the marks of what is generated", path)
	}
	want := head + begin + b.String() + end + tail
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Errorf("%s is not what the code says; run go test -run TestSimulatedHalls -update ./internal/central/integrity", path)
	}
}

// TestTakenOnce: whatever the order in which numbers come and come again, each is taken once, and few runs are kept.
func TestTakenOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var l Log
		seen := make(map[uint64]bool)
		for range 200 {
			seq := uint64(1 + r.IntN(100))
			if got := l.taken(seq); got != seen[seq] {
				t.Fatalf("%d is taken: %v, want %v, runs %v", seq, got, seen[seq], l.Runs)
			}
			seen[seq] = true
			if !slices.IsSortedFunc(l.Runs, func(a, b [2]uint64) int { return cmp.Compare(a[0], b[0]) }) {
				t.Fatalf("runs %v", l.Runs)
			}
		}
	}
	var l Log
	for i := range uint64(1000) {
		l.taken(3 * i)
	}
	if len(l.Runs) > mostRuns {
		t.Errorf("%d runs are kept", len(l.Runs))
	}
}

// TestNetworks: phones of one network are known as such, and what is no address of the internet tells nothing.
func TestNetworks(t *testing.T) {
	for _, c := range [][2]string{{"203.0.113.7", "203.0.113.0/24"}, {"::ffff:203.0.113.7", "203.0.113.0/24"},
		{"2001:db8:1:2::3", "2001:db8:1::/48"}} {
		if got := network(c[0]); got != c[1] {
			t.Errorf("the network of %s is %s, want %s", c[0], got, c[1])
		}
	}
	for address, want := range map[string]bool{"203.0.113.7": true, "10.1.2.3": false, "127.0.0.1": false, "192.168.1.1": false,
		"fd00::1":     false,
		"2001:db8::1": true, "invalid IP": false} {
		if public(address) != want {
			t.Errorf("%s is public: %v", address, !want)
		}
	}
}
