package hallyear

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/rating"
)

// TestAMonthOfAHall plays the weeks around the National Day, in which days are shifted, at a small hall.
func TestAMonthOfAHall(t *testing.T) {
	if testing.Short() {
		t.Skip("plays a month")
	}
	t.Parallel()
	s := size{first: date(2025, 9, 15), last: date(2025, 10, 16), windows: 4, visits: 4, online: 8}
	s.play(t, seed(t, 1))
}

// TestTheYearOfAHall plays calendar 2025 at a hall of 100 windows.
func TestTheYearOfAHall(t *testing.T) {
	if os.Getenv("SIMULATE") == "" {
		t.Skip("plays a year; make simulate")
	}
	s := size{first: date(2025, 1, 1), last: date(2026, 1, 1), windows: 100, visits: 1, online: 30}
	s.play(t, seed(t, uint64(time.Now().UnixNano())))
}

// seed returns what all is drawn from, or what SEED says.
func seed(t *testing.T, usual uint64) uint64 {
	said := os.Getenv("SEED")
	if said == "" {
		return usual
	}
	n, err := strconv.ParseUint(said, 10, 64)
	must(t, err)
	return n
}

func date(year, month, day int) time.Time {
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, china())
}

func (s size) play(t *testing.T, seed uint64) {
	t.Logf("seed %d", seed)
	days, err := readNotices("../../rating/calendar/2025.json", "../../rating/calendar/2026.json")
	must(t, err)
	p := &play{size: s, random: rand.New(rand.NewPCG(seed, 1)), days: days, cases: make(map[string]*matter), persons: make(map[string]said),
		stopped: make(map[string]bool)}
	p.centre = newCentre(t, s.first, newGateway(seed))
	must(t, p.deadlines.Once(t.Context())) // defaults are on before the first case
	for n := range s.windows {
		p.boxes = append(p.boxes, newBox(n))
	}
	for at := s.first.UnixMilli(); at < s.last.UnixMilli(); at += 9 * day { // the centre stands still: an hour, a night, three days
		begin := at + p.between(0, 9*day)
		p.still = append(p.still, [2]int64{begin, begin + p.between(hour, 3*day)})
	}
	for morning := s.first.UnixMilli(); morning < s.last.UnixMilli(); morning += day {
		p.day(morning)
		p.until(morning + day)
	}
	end := s.last.UnixMilli() + 30*day
	for morning := s.last.UnixMilli(); morning < end; morning += day { // what is under way arrives, and all deadlines pass
		p.at(morning+10*hour, p.look)
		for _, b := range p.boxes {
			p.at(morning+9*hour, func() { p.deliver(b) })
		}
		p.until(morning + day)
	}
	p.follow()
	p.compare(end)
}

// compare holds the books against the recount.
func (p *play) compare(end int64) {
	t := p.t
	want, got := make(map[string]string), make(map[string]string)
	states, channels := make(map[string]int), make(map[string]int)
	levels, persons, standings := p.levels()
	var keys []rating.CaseKey
	counts := recount(p.cases, p.said, p.days, end)
	for k, o := range counts {
		want[k] = o.state
		states[o.state]++
		keys = append(keys, rating.ParseCaseKey(k))
	}
	all, err := p.books.Cases(t.Context(), keys)
	must(t, err)
	for _, k := range keys {
		c, known := all[k]
		got[k.String()] = "open"
		if !known {
			continue
		}
		got[k.String()] = string(c.State())
		if x := levels[c.Counts]; c.Counts != 0 {
			channels[x.channel]++
			if all := counts[k.String()].levels; !slices.Contains(all, x.level) {
				t.Errorf("case %s is rated %d, and was %v", k, x.level, all)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what has become of cases (-recount +books):\n%s", cut(diff))
	}
	should := make(map[string]string)
	for k, s := range p.persons {
		should[k] = fmt.Sprint(s.level)
	}
	if diff := cmp.Diff(should, persons); diff != "" {
		t.Errorf("how persons were rated (-recount +books):\n%s", cut(diff))
	}
	f, err := p.books.CaseFigures(t.Context())
	if err != nil || f.Rated != int64(states["rated"]) || f.Default != int64(states["default"]) || f.Unrated != int64(states["completed"]) {
		t.Errorf("figures %+v, %v, want %v", f, err, states)
	}
	p.reminders()
	t.Logf("%d cases: %v; what counts came by %v; evaluations %v; %d persons; %d messages", len(p.cases), states, channels, standings,
		len(should), len(p.gateway.asked))
	for _, c := range append([]rating.Channel{rating.Keypad, rating.Phone}, rating.Channels()...) {
		if channels[string(c)] == 0 {
			t.Errorf("nothing that counts came by %s; the play proves nothing of it", c)
		}
	}
	for _, s := range []rating.Standing{rating.Counted, rating.Replaced, rating.Later, rating.Unasked, rating.Late} {
		if standings[s] == 0 {
			t.Errorf("nothing was %s; the play proves nothing of it", s)
		}
	}
	if states["open"] == 0 || states["default"] == 0 || len(p.gateway.asked) == 0 {
		t.Errorf("%v; the play proves little", states)
	}
}

// counted is an evaluation that counts.
type counted struct {
	level   int
	channel string
}

// levels returns what counts in the books: matters by cursor, and persons by visit. Standings counts all evaluations by theirs.
func (p *play) levels() (matters map[int64]counted, persons map[string]string, standings map[rating.Standing]int) {
	matters, persons, standings = make(map[int64]counted), make(map[string]string), make(map[rating.Standing]int)
	for cursor := int64(0); ; {
		some, err := p.books.Since(p.t.Context(), cursor, 5000)
		must(p.t, err)
		if len(some) == 0 {
			return matters, persons, standings
		}
		for _, e := range some {
			cursor = e.Cursor
			standings[e.Status]++
			if e.Status != rating.Counted {
				continue
			}
			if e.Subject == rating.StaffSubject {
				persons[fmt.Sprint(e.Device, e.Visit)] = fmt.Sprint(int(e.Level))
				continue
			}
			matters[e.Cursor] = counted{int(e.Level), string(e.Channel)}
		}
	}
}

// reminders: each case once at most, and those that nobody said anything of surely, while people are awake.
func (p *play) reminders() {
	heard := make(map[string]bool)
	for _, s := range p.said {
		heard[s.area+" "+s.number], heard["t "+s.theme] = true, true
	}
	sure := 0
	for k, m := range p.cases {
		n := p.gateway.asked[m.project]
		quiet := !heard[k] && m.batch == "" && (m.theme == "" || !heard["t "+m.theme])
		due := m.begins() != 0 && m.number != "" && quiet && !p.stopped[m.number] && p.looked(m.begins()+day, p.days.fiveDays(m.begins()))
		if due {
			sure++
		}
		if n > 1 || due && n != 1 || n > 0 && (m.begins() == 0 || m.number == "") {
			p.t.Errorf("case %s, which begins at %d, was written about %d times", m.project, m.begins(), n)
		}
	}
	if sure == 0 {
		p.t.Error("nobody had to be reminded; the play proves nothing of that")
	}
}

// looked reports whether reminders were looked for by day in a time.
func (p *play) looked(from, to int64) bool {
	for _, at := range p.looks {
		hour := time.UnixMilli(at).In(china()).Hour()
		if at > from && at < to && hour >= 9 && hour < 20 {
			return true
		}
	}
	return false
}

// cut returns the beginning of a long difference, the lines that differ alone.
func cut(diff string) string {
	var lines []string
	for line := range strings.Lines(diff) {
		if strings.HasPrefix(line, "-") || strings.HasPrefix(line, "+") {
			lines = append(lines, line)
		}
	}
	return fmt.Sprintf("%d lines, the first:\n%s", len(lines), strings.Join(lines[:min(len(lines), 30)], ""))
}
