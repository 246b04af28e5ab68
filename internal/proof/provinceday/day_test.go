package provinceday

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/report"
	"haochaping/internal/proof/mosquitto"
	"haochaping/internal/rating"
)

// TestAFewBoxesOfAProvince plays a small province.
func TestAFewBoxesOfAProvince(t *testing.T) {
	mosquitto.Need(t)
	t.Parallel()
	play(t, size{cities: 14, boxes: 84, online: 28, visits: 4, lasts: 2 * time.Second})
}

// TestTheDayOfAProvince plays as many boxes as BOXES says, of which ONLINE speak MQTT, VISITS times each, in the real time LASTS.
func TestTheDayOfAProvince(t *testing.T) {
	if os.Getenv("PROVINCE") == "" {
		t.Skip("plays a day of a province; make province")
	}
	s := size{cities: 14, boxes: number(t, "BOXES", 50_000), online: number(t, "ONLINE", 10_000), visits: number(t, "VISITS", 30),
		lasts: 20 * time.Minute}
	if said := os.Getenv("LASTS"); said != "" {
		var err error
		s.lasts, err = time.ParseDuration(said)
		must(t, err)
	}
	files := syscall.Rlimit{Cur: uint64(2*s.online + 1000), Max: uint64(2*s.online + 1000)} // the broker's too, which is started from here
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files))
	play(t, s)
}

func number(t *testing.T, name string, usual int) int {
	said := os.Getenv(name)
	if said == "" {
		return usual
	}
	n, err := strconv.Atoi(said)
	must(t, err)
	return n
}

func play(t *testing.T, s size) {
	p := newProvince(t, s)
	boxes := make([]*box, s.boxes)
	for n := range boxes {
		boxes[n] = newBox(n, s.cities)
	}
	p.organise(boxes)
	t.Logf("%d windows stand at the centre", len(boxes))
	address := p.listen()
	follow, stop := context.WithCancel(t.Context())
	var rooms sync.WaitGroup
	rooms.Go(func() { p.fail(p.orders.Run(follow)) })
	rooms.Go(func() { p.fail(p.reports.Run(follow)) })
	began, used := time.Now(), cpu(t)
	p.day(boxes, address)
	stop()
	rooms.Wait()
	t.Logf("the day is over after %s, with %s of processor time, boxes among it", time.Since(began).Round(time.Second), cpu(t)-used)
	p.evening()
	p.compare("in the evening")
	p.silence()
	p.compare("after five working days")
	t.Logf("all agrees after %s, with %s of processor time; %s", time.Since(began).Round(time.Second), cpu(t)-used, memory())
}

// day has all boxes play, and returns when all is acknowledged and in the books.
func (p *province) day(all []*box, address string) {
	p.began.Store(time.Now().UnixNano())
	ctx, cancel := context.WithTimeout(p.t.Context(), p.lasts+10*time.Minute)
	defer cancel()
	var playing sync.WaitGroup
	for _, b := range all[:p.online] {
		playing.Go(func() {
			if err := p.connected(ctx, b, address, p.key.Public().(ed25519.PublicKey)); err != nil {
				p.fail(fmt.Errorf("%s: %w", b.device, err))
			}
		})
	}
	lanes := runtime.GOMAXPROCS(0)
	for lane := range lanes {
		var some []*box
		for _, b := range all[p.online:] {
			if b.n%lanes == lane {
				some = append(some, b)
			}
		}
		playing.Go(func() { p.fail(p.handed(ctx, some)) })
	}
	playing.Wait()
	p.phones.Wait()
	if err := p.failed.Load(); err != nil {
		p.t.Fatal(*err)
	}
	p.follow()
}

// follow waits until the books have all that came.
func (p *province) follow() {
	p.t.Helper()
	head, err := p.journal.Head(p.t.Context())
	must(p.t, err)
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Minute)
	defer cancel()
	must(p.t, p.books.Wait(ctx, head))
}

// evening lets the time pass in which answers may be corrected, and orders and figures follow.
func (p *province) evening() {
	p.skipped.Add(int64(time.Hour))
	must(p.t, p.orders.Once(p.t.Context()))
	p.follow()
	must(p.t, p.reports.Once(p.t.Context()))
}

// silence lets the five working days pass.
func (p *province) silence() {
	p.skipped.Add(int64(30 * 24 * time.Hour))
	must(p.t, p.deadlines.Once(p.t.Context()))
	p.follow()
	must(p.t, p.reports.Once(p.t.Context()))
	f, err := p.books.CaseFigures(p.t.Context())
	must(p.t, err)
	var all tally
	for _, c := range p.counts {
		all.add(c)
	}
	if f.Completed != all.matters || f.Default != all.silent || f.Rated != all.matters-all.silent {
		p.t.Errorf("the books have the cases %+v; %d were completed, %d not rated", f, all.matters, all.silent)
	}
}

// compare holds figures and orders against the recount.
func (p *province) compare(when string) {
	t := p.t
	day := directory.DayOf(p.morning)
	table, err := p.reports.Sum(t.Context(), report.Ask{Days: directory.Period{From: day, To: day + 1},
		Fits:  func(report.Where) bool { return true },
		Group: func(w report.Where, _ string) string { return w.Area }})
	must(t, err)
	rows := make(map[string]report.Sums)
	for _, r := range table.Rows {
		rows[r.ID] = r.Sums
	}
	bad := int64(0)
	for c, want := range p.counts {
		person, matter := rows[areaOf(c)].Of(rating.StaffSubject), rows[areaOf(c)].Of(rating.MatterSubject)
		bad += want.poor()
		if person.Served != want.persons || person.Levels != want.personLevels || matter.Asked != want.matters ||
			matter.Levels != want.matterLevel {
			t.Errorf("%s, city %d: persons %+v, matters %+v\nwere played: %+v", when, c+1, person, matter, want)
		}
		if when != "in the evening" && matter.Silent != want.silent {
			t.Errorf("%s, city %d: silence has rated %d, want %d", when, c+1, matter.Silent, want.silent)
		}
	}
	tallies, err := p.orders.Tallies(t.Context(), rectify.Filter{})
	must(t, err)
	var open rectify.Tally
	for _, x := range tallies {
		open = open.Plus(x)
	}
	if int64(open.Open) != bad || bad == 0 {
		t.Errorf("%s: %d orders are open, and %d bad ratings count", when, open.Open, bad)
	}
}

// cpu returns the processor time that this process has used.
func cpu(t *testing.T) time.Duration {
	var r syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()).Round(time.Second)
}

func memory() string {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return fmt.Sprintf("%d MB of memory taken from the system", m.Sys>>20)
}
