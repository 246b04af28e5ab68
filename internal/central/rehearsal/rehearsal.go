package rehearsal

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"haochaping/internal/central/books"
	"haochaping/internal/central/deadline"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/report"
	"haochaping/internal/rating"
)

// Clock is the time of the play. It is safe for concurrent use.
type Clock struct{ ms atomic.Int64 }

// Now returns where the play is.
func (c *Clock) Now() time.Time { return time.UnixMilli(c.ms.Load()) }

// Set moves the clock, never back.
func (c *Clock) Set(t time.Time) { c.ms.Store(max(c.ms.Load(), t.UnixMilli())) }

// Config names what is played into. All fields but Write are mandatory.
type Config struct {
	Clock     *Clock // by which the rooms go
	Journal   *journal.Journal
	Fleet     *fleet.Fleet
	Directory *directory.Directory
	Books     *books.Books // which follow the journal
	Deadlines *deadline.Deadlines
	Orders    *rectify.Orders
	Figures   Figures
	Proposals Proposals
	Reports   *report.Reports
	Dossiers  *dossier.Dossiers
	Calendar  rating.Calendar
	Write     func(context.Context) error // writes to citizens about orders; nil: nobody does
	Seed      uint64                      // of what is left to chance
	Full      int                         // the last days that are played in full, 0: all; before these few citizens come
	Leave     []string                    // IDs of windows whose boxes are taken off at the end, so that others can stand there; All: all
}

// All among Leave means all windows.
const All = "all"

// ErrWorked says that a centre has worked already.
var ErrWorked = errors.New("the journal is not empty")

// play is what is under way.
type play struct {
	Config
	random *rand.Rand
	boxes  []*box
	n      int       // names
	until  time.Time // the play's end
	poor   string    // the unit at whose windows many are dissatisfied, until it mends that

	first    directory.Day // from which on months are whole
	proposed directory.Day // the month that was closed when proposals were made last
	drafted  directory.Day // the last month of which results were drafted
}

// Play plays an organisation's windows from a time until another.
func Play(ctx context.Context, c Config, organisation []directory.Line, from, until time.Time) error {
	if head, err := c.Journal.Head(ctx); err != nil || head > 0 {
		return errors.Join(err, errWorked(head))
	}
	p := &play{Config: c, random: rand.New(rand.NewPCG(c.Seed, 14)), until: until}
	if p.Full <= 0 {
		p.Full = 1 << 16
	}
	c.Clock.Set(from)
	if p.first = directory.DayOf(from); p.first != monthOf(p.first).From {
		p.first = monthOf(p.first).To
	}
	if err := p.organise(ctx, organisation); err != nil {
		return fmt.Errorf("enter the organisation: %w", err)
	}
	if err := p.Orders.Once(ctx); err != nil { // orders are opened from now on
		return err
	}
	for day := directory.DayOf(from); day <= directory.DayOf(until); day++ {
		if err := p.day(ctx, day); err != nil {
			return fmt.Errorf("play %s: %w", day, err)
		}
	}
	if err := p.leave(ctx); err != nil {
		return fmt.Errorf("take boxes off their windows: %w", err)
	}
	return p.follow(ctx)
}

func errWorked(head int64) error {
	if head > 0 {
		return ErrWorked
	}
	return nil
}

// organise enters the organisation, and a box for each of its windows.
func (p *play) organise(ctx context.Context, lines []directory.Line) error {
	preview, err := p.Directory.Preview(ctx, lines, nil)
	if err == nil {
		err = p.Directory.Apply(ctx, account, "第一次导入", journal.Act{}, preview)
	}
	if err != nil {
		return err
	}
	a, err := p.Directory.Atlas(ctx)
	if err != nil {
		return err
	}
	today := directory.DayOf(p.Clock.Now())
	posts, err := p.Directory.Posts(ctx, today)
	if err != nil {
		return err
	}
	var devices []fleet.Device
	for w := range a.Each(directory.Window, today) {
		place, ok := a.Window(w.ID, today)
		if !ok {
			continue
		}
		b := p.newBox(place)
		if _, b.staff, err = posts.Texts(w.ID); err != nil {
			return err
		}
		p.boxes = append(p.boxes, b)
		devices = append(devices, fleet.Device{ID: b.device, Key: b.public(), Window: b.window, Follows: true, EnrolledAt: p.Clock.Now()})
	}
	slices.SortFunc(p.boxes, func(a, b *box) int { return strings.Compare(string(a.device), string(b.device)) }) // one seed, one play
	if n := len(p.boxes); n > 0 {
		p.boxes[n/2].hasty = true // a sign that is to be looked into
		p.poor = p.boxes[n-1].unit
	}
	return p.Fleet.PutAll(ctx, devices)
}

// seed returns 32 bytes of a name, the same at each play.
func (p *play) seed(name string) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte("rehearsal "+name+" "), p.Seed))
}

func (p *play) often(percent int) bool { return p.random.IntN(100) < percent }

func (p *play) name(kind string) string {
	p.n++
	return fmt.Sprintf("%s-%05d", kind, p.n)
}

func one[T any](p *play, all ...T) T { return all[p.random.IntN(len(all))] }

// mended is for how many days the unit that was worse than the others has been as good.
const mended = 14

// level draws a level as citizens give them to a unit.
func (p *play) level(unit string) rating.Level {
	if unit == p.poor && p.Clock.Now().Before(p.until.AddDate(0, 0, -mended)) && p.often(28) {
		return one(p, rating.Dissatisfied, rating.VeryDissatisfied)
	}
	switch k := p.random.IntN(1000); {
	case k < 12:
		return rating.VeryDissatisfied
	case k < 32:
		return rating.Dissatisfied
	case k < 90:
		return 3
	case k < 270:
		return rating.Satisfied
	}
	return rating.VerySatisfied
}

// Of how many days one is played where few citizens come.
const (
	open    = 2 // its windows
	evening = 4 // what is done online, and what silence has become
)

// day plays one day: the work on orders and results in the morning, the windows from nine to five where it is a working day, what is done
// online, and what silence has become.
func (p *play) day(ctx context.Context, day directory.Day) error {
	at := func(hour, minute int) time.Time {
		return day.Start().Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	}
	full := directory.DayOf(p.until)-day <= directory.Day(p.Full)
	working, _ := p.Calendar.Working(at(12, 0))
	if working {
		p.Clock.Set(at(8, 40))
		if err := p.morning(ctx, day, full); err != nil {
			return err
		}
		from, to, each := 9, 17, 2
		if !full {
			from += 2 * p.random.IntN(4)
			to, each = from+2, 5
		}
		for hour := from; hour < to && (full || day%open == 0) && at(hour+2, 0).Before(p.until); hour += 2 {
			if err := p.hours(ctx, at(hour, 0), each); err != nil {
				return err
			}
		}
	}
	if !at(19, 0).Before(p.until) || !full && (!working || day%evening != 0) {
		return nil
	}
	p.Clock.Set(at(18, 30))
	if err := p.online(ctx); err != nil {
		return err
	}
	p.Clock.Set(at(19, 0))
	return p.look(ctx, full)
}

// hours has so many citizens at most come to each window in two hours. Each box hands its records over as it does: signed, some at once.
func (p *play) hours(ctx context.Context, from time.Time, each int) error {
	var facts []journal.Fact
	var phoned []journal.Rating
	var hand []func() error
	for _, b := range p.boxes {
		var bodies []rating.Body
		for i := range each {
			if !p.often(65) {
				continue
			}
			step := 120 / each
			v := p.visit(b, from.Add(time.Duration(step*i+p.random.IntN(step*5/6))*time.Minute))
			facts, bodies = append(facts, v.facts...), append(bodies, v.bodies...)
			if len(v.phone) > 0 {
				phoned = append(phoned, journal.Rating{Device: b.device, Name: p.name("phone"), Answers: v.phone})
			}
		}
		if len(bodies) == 0 {
			continue
		}
		entry, err := b.batch(bodies)
		if err != nil {
			return err
		}
		hand = append(hand, func() error {
			entry.Received = p.Clock.Now().UnixMilli()
			_, err := p.Journal.Append(ctx, entry, nil)
			return err
		})
	}
	p.Clock.Set(from.Add(119 * time.Minute))
	var all errgroup.Group
	for _, do := range hand {
		all.Go(do)
	}
	if err := all.Wait(); err != nil {
		return err
	}
	for _, r := range phoned {
		r.Received = p.Clock.Now().UnixMilli()
		if _, err := p.Journal.Rate(ctx, r); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(facts, journal.MaxParts) {
		if _, err := p.Journal.Tell(ctx, business, p.name("cases"), some); err != nil {
			return err
		}
	}
	return nil
}

// follow waits for the books.
func (p *play) follow(ctx context.Context) error {
	head, err := p.Journal.Head(ctx)
	if err != nil {
		return err
	}
	return p.Books.Wait(ctx, head)
}

// look has the rooms do what is due now. Citizens are written to about orders of the last days alone, which takes a while for each.
func (p *play) look(ctx context.Context, full bool) error {
	if err := p.follow(ctx); err != nil {
		return err
	}
	if err := p.Deadlines.Once(ctx); err != nil {
		return err
	}
	if err := p.follow(ctx); err != nil {
		return err
	}
	if err := p.Orders.Once(ctx); err != nil || p.Write == nil || !full {
		return err
	}
	return p.Write(ctx)
}

// Who acts, in the journal.
const (
	account  = "演练"
	business = "rehearsal"
)
