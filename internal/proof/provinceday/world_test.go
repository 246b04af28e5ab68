package provinceday

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/books/bookstest"
	"haochaping/internal/central/db"
	"haochaping/internal/central/deadline"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/ingest"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/report"
	"haochaping/internal/proof/mosquitto"
	"haochaping/internal/rating"
)

// size says how large the province is, and in what real time its day of eight hours passes.
type size struct {
	cities, boxes, online, visits int
	lasts                         time.Duration
}

const (
	perHall = 100 // windows
	hours   = 8 * time.Hour
	unit    = "116299006MB0066664" // of the organisation that is entered first
)

func hallID(city, hall int) string      { return fmt.Sprintf("P%02d-%03d", city+1, hall) }
func hallName(city, hall int) string    { return fmt.Sprintf("示例%02d市%03d号大厅", city+1, hall) }
func windowID(city, hall, n int) string { return fmt.Sprintf("%s-%02d", hallID(city, hall), n) }
func areaOf(city int) string            { return fmt.Sprintf("62%02d00000000", 70+city) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// province is a centre's rooms with a clock of its own, and the boxes.
type province struct {
	size
	t         *testing.T
	key       ed25519.PrivateKey
	journal   *journal.Journal
	books     *books.Books
	fleet     *fleet.Fleet
	directory *directory.Directory
	deadlines *deadline.Deadlines
	orders    *rectify.Orders
	reports   *report.Reports

	morning time.Time    // of the day that is played
	began   atomic.Int64 // when it began by the machine's clock, ns; 0: not yet
	skipped atomic.Int64 // ns
	failed  atomic.Pointer[error]
	phones  sync.WaitGroup

	mu     sync.Mutex
	counts []tally // guarded by mu; by city
}

// now is the province's time: the morning until the day begins, and then faster than the machine's, up to the evening.
func (p *province) now() time.Time {
	t := p.morning
	if began := p.began.Load(); began != 0 {
		passed := min(time.Since(time.Unix(0, began)), p.lasts)
		t = t.Add(time.Duration(float64(passed) * float64(hours) / float64(p.lasts)))
	}
	return t.Add(time.Duration(p.skipped.Load()))
}

// due returns when a box plays a visit, by the machine's clock.
func (p *province) due(b *box, n int) time.Time {
	part := (float64(n) + float64(b.n)/float64(p.boxes)) / float64(p.visits)
	return time.Unix(0, p.began.Load()).Add(time.Duration(part * float64(p.lasts)))
}

func (p *province) passed(due time.Time) bool { return !time.Now().Before(due) }

func (p *province) sleep(ctx context.Context, due time.Time) error {
	if err := p.failed.Load(); err != nil {
		return *err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(due)):
		return nil
	}
}

// fail keeps an error that ends the day.
func (p *province) fail(err error) {
	if err != nil {
		p.failed.CompareAndSwap(nil, &err)
	}
}

// took counts a visit that was acknowledged, and has its phone speak.
func (p *province) took(b *box, n int, v visited) error {
	p.mu.Lock()
	p.counts[b.city].add(v.counts)
	p.mu.Unlock()
	if len(v.phone) == 0 {
		return nil
	}
	r := journal.Rating{Device: b.device, Name: fmt.Sprintf("p%d-%d", b.n, n), Received: p.now().UnixMilli(), Answers: v.phone}
	p.phones.Go(func() { // whoever calls may be the journal's writer
		_, err := p.journal.Rate(context.Background(), r)
		p.fail(err)
	})
	return nil
}

// nextMorning returns nine o'clock of the next Monday to Thursday after a time.
func nextMorning(after time.Time) time.Time {
	d := directory.DayOf(after) + 1
	for wd := d.Start().In(rating.Shanghai()).Weekday(); wd == time.Friday || wd == time.Saturday || wd == time.Sunday; {
		d++
		wd = d.Start().In(rating.Shanghai()).Weekday()
	}
	return d.Start().Add(9 * time.Hour)
}

func newProvince(t *testing.T, s size) *province {
	t.Helper()
	p := &province{size: s, t: t, counts: make([]tally, s.cities), morning: nextMorning(time.Now())}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	p.key = key
	dir := t.TempDir()
	p.journal, _, _ = journaltest.OpenAt(t, "sqlite:"+filepath.Join(dir, "journal.db"), p.now)
	p.directory, err = directory.Open(t.Context(), p.journal)
	must(t, err)
	directorytest.Enter(t, p.directory, "../../../cmd/ratingctl/organisation.csv")
	at := "sqlite:" + filepath.Join(dir, "books.db")
	p.books, _ = bookstest.Follow(t, p.journal, at)
	also, err := db.Open(t.Context(), at)
	must(t, err)
	t.Cleanup(func() { _ = also.Close() })
	p.fleet, err = fleet.Open(t.Context(), p.journal)
	must(t, err)
	quiet := slog.New(slog.DiscardHandler)
	days, err := calendar()
	must(t, err)
	p.deadlines, err = deadline.Open(t.Context(), deadline.Config{Journal: p.journal, Books: p.books, Calendar: days, Defaults: true,
		Secret: []byte("secret"), Holder: "here", Now: p.now, Logger: quiet})
	must(t, err)
	must(t, p.deadlines.Once(t.Context())) // defaults are on before the first case
	p.orders, err = rectify.Open(t.Context(), rectify.Config{Journal: p.journal, Books: p.books, Directory: p.directory, Holder: "here",
		Now: p.now, Logger: quiet, Terms: rectify.Terms{Calendar: days, Contact: 1, Office: 5}})
	must(t, err)
	must(t, p.orders.Once(t.Context())) // orders are opened from now on
	p.reports, err = report.Open(t.Context(), report.Config{DB: also, Journal: p.journal, Books: p.books, Orders: p.orders,
		Directory: p.directory, Holder: "here", Now: p.now, Logger: quiet})
	must(t, err)
	return p
}

// calendar is that of the notices there are, and later years without one: whatever day it is, the five working days have passed after a
// month.
func calendar() (rating.Calendar, error) {
	notices, err := rating.BuiltInNotices()
	if err != nil {
		return rating.Calendar{}, err
	}
	for year := 2027; year < 2060; year++ {
		notices = append(notices, rating.Notice{Year: year, Source: "a test's"})
	}
	return rating.NewCalendar(notices...)
}

// organise enters cities, halls and windows, and enrols the boxes.
func (p *province) organise(all []*box) {
	p.t.Helper()
	var text strings.Builder
	const head = "类别,编号,名称,生效日期,区划代码,所属单位,大厅\n"
	text.WriteString(head)
	for c := range p.cities {
		fmt.Fprintf(&text, "区划,%s,示例%02d市,2020-01-01,,,\n", areaOf(c), c+1)
	}
	p.change(text.String())
	byCity := make([][]*box, p.cities)
	for _, b := range all {
		byCity[b.city] = append(byCity[b.city], b)
	}
	for c, some := range byCity {
		text.Reset()
		text.WriteString(head)
		for i, b := range some {
			if i%perHall == 0 {
				fmt.Fprintf(&text, "大厅,%s,%s,2020-01-01,%s,%s,\n", hallID(c, i/perHall), b.window.Hall, areaOf(c), unit)
			}
			fmt.Fprintf(&text, "窗口,%s,%s,2020-01-01,,,%s\n", b.window.ID, b.window.Name, hallID(c, i/perHall))
		}
		p.change(text.String())
	}
	devices := make([]fleet.Device, len(all))
	for i, b := range all {
		devices[i] = fleet.Device{ID: b.device, Key: b.public(), Window: b.window, Follows: true, EnrolledAt: p.now()}
	}
	must(p.t, p.fleet.PutAll(p.t.Context(), devices))
}

func (p *province) change(text string) {
	p.t.Helper()
	lines, err := directory.Read([]byte(text))
	must(p.t, err)
	preview, err := p.directory.Preview(p.t.Context(), lines, nil)
	if err == nil {
		err = p.directory.Apply(p.t.Context(), "operator test", "test", journal.Act{}, preview)
	}
	if err != nil {
		p.t.Fatal(err, preview.Tell())
	}
}

// listen has the centre take what comes over a broker, whose address it returns, until the test ends.
func (p *province) listen() (address string) {
	p.t.Helper()
	address = mosquitto.Start(p.t, mosquitto.Open+"persistence false\nmax_connections -1\nmax_inflight_messages 1000\n"+
		"max_queued_messages 100000\nset_tcp_nodelay true\nlog_type error\n")
	in, err := ingest.New(ingest.Config{Broker: "mqtt://" + address, ClientID: "centre", Journal: p.journal, Fleet: p.fleet, Key: p.key,
		Now: p.now, Logger: slog.New(slog.DiscardHandler)})
	must(p.t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	p.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			p.t.Error(err)
		}
	})
	return address
}
