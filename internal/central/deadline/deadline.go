package deadline

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

//go:embed schema/*.sql
var schemas embed.FS

const (
	source    = "deadline"
	leaseName = "deadline"
	leaseTime = 2 * time.Minute
	every     = time.Minute
	patience  = time.Minute // for the books
	atOnce    = 8           // rows of deadlines that share a transaction
	away      = 3           // reminders in a row that a gateway does not take: it has gone, and one a look finds out whether it is back
)

// Message is a short message to one number.
type Message struct {
	ID     string // the same if it were sent again
	Number string
	Text   string
}

// Gateway sends short messages.
type Gateway interface {
	// Send returns ErrUnclear where it may have been sent all the same.
	Send(ctx context.Context, m Message) error
}

// Asker is a gateway that can say whether it has taken a message.
type Asker interface {
	// Took reports whether the message of an id was taken, if that is known.
	Took(ctx context.Context, id string) (taken, known bool, err error)
}

// ErrUnclear says that nobody knows whether a message was sent.
var ErrUnclear = errors.New("it is not known whether the message was sent")

// Config names what the deadlines need.
type Config struct {
	Journal   *journal.Journal
	Books     *books.Books
	Calendar  rating.Calendar
	Defaults  bool    // silence becomes 基本满意
	LateHolds bool    // an answer after the deadline replaces that
	Gateway   Gateway // nil: nobody is reminded
	// of a reminder; {matter} is the matter's name, {link} the address at which it is rated, {letter} what a reply names it by
	Text string
	Link func(rating.CaseKey) (string, error) // nil where Text has no {link}
	// SilentDays is after how many working days without an answer a unit's channel is silent, 0: never. Unit is mandatory unless it is 0.
	SilentDays int
	Hours      Hours // of messages
	Unit       Unit
	Secret     []byte // hashes numbers
	Holder     string // names this instance
	Now        func() time.Time
	Logger     *slog.Logger
}

// Deadlines notes what silence has become.
type Deadlines struct {
	cfg     Config
	db      *db.DB
	refused int // reminders in a row that the gateway has not taken; of Once alone
}

// Open brings the room's table up to date.
func Open(ctx context.Context, c Config) (*Deadlines, error) {
	scripts, err := fs.Sub(schemas, "schema")
	if err == nil {
		err = c.Journal.DB().Migrate(ctx, "deadline", scripts)
	}
	if err != nil {
		return nil, fmt.Errorf("open the deadlines: %w", err)
	}
	return &Deadlines{cfg: c, db: c.Journal.DB()}, nil
}

// Run works each minute until ctx ends, in one instance at a time.
func (d *Deadlines) Run(ctx context.Context) error {
	said := ""
	for {
		err := d.Once(ctx)
		if ctx.Err() != nil {
			break
		}
		if err != nil && err.Error() != said {
			said = err.Error()
			d.cfg.Logger.Error("deadlines and reminders have to wait; it is tried again each minute", "error", err)
		} else if err == nil {
			said = ""
		}
		select {
		case <-ctx.Done():
		case <-time.After(every):
			continue
		}
		break
	}
	return journal.GiveBack(ctx, d.cfg.Journal, leaseName, d.cfg.Holder)
}

// Once does what is due now, if this instance has the lease.
func (d *Deadlines) Once(ctx context.Context) error {
	if err := d.keep(ctx); err != nil {
		if errors.Is(err, journal.ErrElsewhere) {
			return nil
		}
		return err
	}
	head, err := d.cfg.Journal.Head(ctx)
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := d.cfg.Books.Wait(waiting, head); err != nil {
		return err
	}
	if d.cfg.Defaults {
		if err := d.pass(ctx); err != nil {
			return err
		}
	}
	if err := d.forgetRequests(ctx); err != nil {
		return err
	}
	if d.cfg.Gateway != nil && d.awake() {
		if err := d.putQuestions(ctx); err != nil {
			return err
		}
		if err := d.remind(ctx); err != nil {
			return err
		}
	}
	if d.cfg.SilentDays > 0 {
		return d.listen(ctx)
	}
	return nil
}

func (d *Deadlines) keep(ctx context.Context) error {
	return journal.KeepLease(ctx, d.cfg.Journal, leaseName, d.cfg.Holder, leaseTime)
}

// Hours is from when until when people are written to, in minutes after midnight in Asia/Shanghai. The zero value is from 08:30 to 20:00,
// beyond which nobody is.
type Hours struct{ From, Until int }

// awake reports whether people may be written to.
func (d *Deadlines) awake() bool {
	t := d.cfg.Now().In(rating.Shanghai())
	minute := t.Hour()*60 + t.Minute()
	from, until := max(d.cfg.Hours.From, 8*60+30), 20*60
	if d.cfg.Hours.Until > 0 {
		until = min(until, d.cfg.Hours.Until)
	}
	return minute >= from && minute < until
}

// since returns when defaults were first seen on, and notes it if that is now.
func (d *Deadlines) since(ctx context.Context) (since int64, err error) {
	err = d.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO silence_since (id, since) VALUES (1, $1) ON CONFLICT (id) DO NOTHING", d.cfg.Now().UnixMilli())
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT since FROM silence_since WHERE id = 1").Scan(&since)
	})
	if err != nil {
		return 0, fmt.Errorf("look since when silence has a meaning: %w", err)
	}
	return since, nil
}

// pass notes the deadlines that have passed, some at a time, of the cases that have begun since defaults were switched on: those before
// have answers that counted.
func (d *Deadlines) pass(ctx context.Context) error {
	before := rating.ShanghaiDay(d.cfg.Calendar.Overdue(d.cfg.Now()).UnixMilli()) // a midnight
	since, err := d.since(ctx)
	if err != nil {
		return err
	}
	after := books.Due{Begins: rating.ShanghaiDay(since) - 1, Number: math.MaxInt64}
	for {
		some, last, err := d.cfg.Books.Overdue(ctx, after, since, before, atOnce*journal.MaxParts)
		if err != nil || len(some) == 0 {
			return err
		}
		if err := d.keep(ctx); err != nil {
			return err
		}
		all := make([]journal.Passed, len(some))
		ends := make(map[int64]int64) // by day: many cases are completed on one
		for i, c := range some {
			day := rating.ShanghaiDay(c.Begins)
			if ends[day] == 0 {
				ends[day] = d.cfg.Calendar.Default(time.UnixMilli(c.Begins)).At.UnixMilli()
			}
			all[i] = journal.Passed{Case: c.Key, Begins: c.Begins, Deadline: ends[day], LateHolds: d.cfg.LateHolds}
		}
		if err := d.note(ctx, all); err != nil {
			return err
		}
		after = last
	}
}

// note enters deadlines in rows that the journal commits together.
func (d *Deadlines) note(ctx context.Context, all []journal.Passed) error {
	var rows errgroup.Group
	for some := range slices.Chunk(all, journal.MaxParts) {
		rows.Go(func() error {
			_, err := d.cfg.Journal.Pass(ctx, source, rand.Text(), some)
			return err
		})
	}
	return rows.Wait()
}

// remind writes to those whose cases were completed 24 hours ago and that nobody has rated, once each. A case whose deadline is near or
// past, since the centre stood still, is not reminded of any more.
func (d *Deadlines) remind(ctx context.Context) error {
	now := d.cfg.Now()
	var after books.Due
	failed := 0
	var why error
	defer func() {
		if failed > 0 {
			d.cfg.Logger.Warn("the gateway did not take reminders; they are not sent again", "how many", failed, "error", why)
		}
	}()
	for {
		some, last, err := d.cfg.Books.Silent(ctx, after, now.Add(-rating.RemindAfter).UnixMilli()+1, 100)
		if err != nil || len(some) == 0 {
			return err
		}
		if err := d.keep(ctx); err != nil {
			return err
		}
		for _, c := range some {
			if !d.awake() {
				return nil
			}
			refused, err := d.remindOf(ctx, c, now)
			if err != nil {
				return err
			}
			if refused != nil {
				failed, why = failed+1, refused
			}
			if d.refused >= away {
				return nil // the others are sent when the gateway is back
			}
		}
		after = last
	}
}

// remindOf notes what becomes of one reminder, and then sends it. Refused is what the gateway said.
func (d *Deadlines) remindOf(ctx context.Context, c books.Case, now time.Time) (refused, err error) {
	number, outcome, err := d.reach(ctx, c)
	if err != nil {
		return nil, err
	}
	if !d.cfg.Calendar.Default(time.UnixMilli(c.Begins())).At.After(now) {
		outcome = journal.Missed
	}
	text, err := d.text(c)
	if err != nil {
		return nil, err
	}
	letter := ""
	note := func(ctx context.Context, tx *db.Tx, _ int64) (err error) {
		if outcome == journal.Sending {
			letter, err = d.ask(ctx, tx, requestID(c.Key), c.Key.String(), number)
		}
		return err
	}
	r, err := d.cfg.Journal.Remind(ctx, source, journal.Reminder{Case: c.Key, Outcome: outcome, Contact: c.Contact}, note)
	if err != nil || !r.Entered || outcome != journal.Sending {
		return nil, err
	}
	refused = d.cfg.Gateway.Send(ctx, Message{requestID(c.Key), number, strings.ReplaceAll(text, "{letter}", letter)})
	if d.refused++; refused == nil {
		d.refused = 0
	}
	return refused, nil
}

// text returns what a reminder says.
func (d *Deadlines) text(c books.Case) (string, error) {
	matter := c.TaskName
	if matter == "" {
		matter = "事项"
	}
	words := []string{"{matter}", matter}
	if d.cfg.Link != nil {
		address, err := d.cfg.Link(c.Key)
		if err != nil {
			return "", err
		}
		words = append(words, "{link}", address)
	}
	return strings.NewReplacer(words...).Replace(d.cfg.Text), nil
}

// reach returns the number of a case's applicant, and what becomes of the reminder.
func (d *Deadlines) reach(ctx context.Context, c books.Case) (number, outcome string, err error) {
	if c.Contact == 0 {
		return "", journal.NoContact, nil
	}
	pos, part := books.Entry{Cursor: c.Contact}.Pos()
	number, err = d.cfg.Journal.Text(ctx, pos, part)
	switch {
	case errors.Is(err, journal.ErrErased) || err == nil && number == "":
		return "", journal.NoContact, nil
	case err != nil:
		return "", "", err
	}
	stopped, err := d.Stopped(ctx, number)
	if err != nil {
		return "", "", err
	}
	if stopped {
		return "", journal.Stopped, nil
	}
	return number, journal.Sending, nil
}

// hash returns a number as the table has it.
func (d *Deadlines) hash(number string) []byte {
	h := hmac.New(sha256.New, d.cfg.Secret)
	_, _ = h.Write([]byte(plain(number))) // a hash never fails
	return h.Sum(nil)
}

// plain returns a number's digits, those of a mobile number of the mainland without its country's.
func plain(number string) string {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number)
	for _, country := range []string{"0086", "86"} {
		if rest, ok := strings.CutPrefix(digits, country); ok && len(rest) == 11 && rest[0] == '1' {
			return rest
		}
	}
	return digits
}

// Stop has no more messages sent to a number. Who says so is noted, and not the number.
func (d *Deadlines) Stop(ctx context.Context, who, name, number string) error {
	hash := d.hash(number)
	// The name has the hash, so that a name that was used for another number keeps nobody from stopping.
	name = fmt.Sprintf("%s %x", name, hash[:16])
	_, err := d.cfg.Journal.Do(ctx, who, name, journal.Act{Do: "deadline.stop"}, func(ctx context.Context, tx *db.Tx, _ int64) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO message_stop (number, since) VALUES ($1, $2) ON CONFLICT (number) DO NOTHING", hash,
			d.cfg.Journal.Now())
		return err
	})
	return err
}

// Stopped reports whether a number wants no messages.
func (d *Deadlines) Stopped(ctx context.Context, number string) (bool, error) {
	all, err := db.Query(ctx, d.db, func(s db.Scanner) (n int64, err error) { return n, s.Scan(&n) },
		"SELECT since FROM message_stop WHERE number = $1", d.hash(number))
	if err != nil {
		return false, fmt.Errorf("look whether a number has stopped messages: %w", err)
	}
	return len(all) > 0, nil
}

// Room implements journal.Room.
func (d *Deadlines) Room() string { return "deadline" }
