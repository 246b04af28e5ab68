// Package ingest takes what the boxes send over MQTT into the journal, and answers.
//
// A batch is believed only if the device is enrolled and has signed it. It is acknowledged to the box after the journal has
// committed it, and to the broker only then too, so that a batch that was delivered to an instance that died comes again.
// A batch that is not believed is noted for the administrator and never acknowledged to the box, which keeps it: a box that
// is enrolled tomorrow loses nothing.
//
// Batches are read and verified on all cores, those of one device by one lane, in their order; the journal commits whatever waits
// together. How many are under way is bounded: the broker holds the others back.
//
// Several instances share the load by a shared subscription. An instance whose books cannot be written leaves the broker, so
// that the boxes' batches go to the others, and comes back with them. What boxes say of themselves is kept in memory for a
// second and written together, so that no box can keep the books busy by talking.
package ingest

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/sync/semaphore"

	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// group is the name under which the instances of a centre share the boxes' records.
const group = "central"

// commandLife is how long a command may be carried out.
const commandLife = 15 * time.Minute

// quietly is how long a failure that goes on is not logged again.
const quietly = time.Minute

// Journal is what an Ingest needs of the journal.
type Journal interface {
	Submit(ctx context.Context, e journal.Entry, done func(journal.Receipt, error)) error
	Check(context.Context) error // that it can be written
}

// Fleet is what an Ingest needs to know of the boxes.
type Fleet interface {
	Known(context.Context, rating.DeviceID) (fleet.Device, error)
	Changed(ctx context.Context, after int64, n int) ([]fleet.Device, error)
	Note(context.Context, []fleet.Note) error
	Rules(ctx context.Context, id string) (json.RawMessage, error)
}

// Config names the parts of an Ingest.
type Config struct {
	Broker   string // mqtt://host:port or mqtts://host:port
	ClientID string // differs between the instances
	Username string
	Password string
	TLS      *tls.Config
	Journal  Journal
	Fleet    Fleet
	Key      ed25519.PrivateKey // the centre's
	Now      func() time.Time
	Logger   *slog.Logger
	// Partitions is among how many subjects the broker divides the boxes' records, for one without shared subscriptions; 0: it has them.
	// Leases are needed then.
	Partitions int
	Leases     Leases
	// Held, if not nil, returns why nothing may be acknowledged at present, though the journal could be written. It is asked before each
	// session and each minute, since the database may be exchanged meanwhile.
	Held func(context.Context) error
	// Missed calls tell for each question that a phone has rated at a box, as far as the box may still ask it. It is asked when a box has come
	// back, and may be nil.
	Missed func(ctx context.Context, d rating.DeviceID, tell func(rating.VisitID, rating.Question) error) error
}

// Ingest is one instance. Its methods are safe for concurrent use.
type Ingest struct {
	cfg    Config
	broker *url.URL

	mu      sync.Mutex
	client  mqtt.Client // guarded by mu; nil while there is no connection
	trouble Trouble     // guarded by mu

	notes  *notes
	asks   *asks
	missed *missed
	heard  *heard
	// underWay has the bytes of batches that were not answered, those of sessions that have ended among them: the journal may have them yet.
	underWay *semaphore.Weighted
	acks     atomic.Pointer[acks] // of the present session, nil while there is none
}

// Trouble is why nothing can be taken at present.
type Trouble struct {
	Since time.Time // zero: there is none
	Books bool      // the books cannot be written; else the broker cannot be reached
	Err   error
}

// New checks the configuration and returns an Ingest that does nothing before Run.
func New(c Config) (*Ingest, error) {
	u, err := url.Parse(c.Broker)
	if err != nil || u.Hostname() == "" || u.Scheme != "mqtt" && u.Scheme != "mqtts" {
		return nil, fmt.Errorf("ingest: broker %q: want mqtt://host:port or mqtts://host:port", c.Broker)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), map[string]string{"mqtt": "1883", "mqtts": "8883"}[u.Scheme])
	}
	u.Scheme = map[string]string{"mqtt": "tcp", "mqtts": "ssl"}[u.Scheme]
	if len(c.Key) != ed25519.PrivateKeySize {
		return nil, errors.New("ingest: the centre's key is missing")
	}
	if c.Partitions > 0 && c.Leases == nil {
		return nil, errors.New("ingest: partitions need leases")
	}
	return &Ingest{cfg: c, broker: u, notes: newNotes(), asks: newAsks(), missed: newMissed(), heard: newHeard(),
		underWay: semaphore.NewWeighted(maxBytesUnderWay)}, nil
}

// booksError says that the books cannot be written.
type booksError struct{ error }

// Unwrap returns why.
func (e booksError) Unwrap() error { return e.error }

// Run connects, takes messages and connects again, until ctx ends. It returns nil.
func (in *Ingest) Run(ctx context.Context) error {
	var logged time.Time
	var last bool // whether the last failure was the books'
	for attempt := 0; ctx.Err() == nil; {
		began := time.Now()
		// An instance without books would take batches from those that have them.
		err := in.ready(ctx)
		if err != nil {
			err = booksError{err}
		} else {
			err = in.session(ctx)
		}
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > time.Minute {
			attempt = 0
		}
		bound := min(10*time.Second, 200*time.Millisecond<<min(attempt, 10))
		wait := bound/5 + time.Duration(mathrand.Int64N(int64(bound)*4/5))
		books := errors.As(err, new(booksError))
		in.failed(books, err)
		if attempt == 0 || books != last || time.Since(logged) >= quietly {
			logged = time.Now()
			what := "no session with the broker; the boxes keep their records and send them again"
			if books {
				what = "the books cannot be written; nothing is acknowledged, and the boxes keep their records and send them again"
			}
			in.cfg.Logger.Error(what, "error", err, "next try in", wait.Round(time.Millisecond))
		}
		last = books
		attempt++
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	// What boxes said of themselves in the last second. The books may be what has failed; then it is lost, as it would be
	// with the power.
	if err := in.notes.flush(context.WithoutCancel(ctx), in.cfg.Fleet); err != nil {
		in.cfg.Logger.Warn("what boxes said last of themselves is lost", "error", err)
	}
	return nil
}

// ready reports why nothing may be taken from the broker, if so.
func (in *Ingest) ready(ctx context.Context) error {
	if in.cfg.Held != nil {
		if err := in.cfg.Held(ctx); err != nil {
			return err
		}
	}
	return in.cfg.Journal.Check(ctx)
}

// Trouble returns why nothing can be taken at present.
func (in *Ingest) Trouble() Trouble {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.trouble
}

func (in *Ingest) failed(books bool, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	since := in.trouble.Since
	if since.IsZero() {
		since = in.cfg.Now()
	}
	in.trouble = Trouble{since, books, err}
}

// recovered says that messages are taken again.
func (in *Ingest) recovered() {
	in.mu.Lock()
	t := in.trouble
	in.trouble = Trouble{}
	in.mu.Unlock()
	if t.Since.IsZero() {
		in.cfg.Logger.Info("connected to the broker")
		return
	}
	in.cfg.Logger.Info("records are taken again", "after", in.cfg.Now().Sub(t.Since).Round(time.Second))
}

func (in *Ingest) connected(c mqtt.Client) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.client = c
}

// Behind reports whether batches come faster than they are answered.
func (in *Ingest) Behind() bool {
	a := in.acks.Load()
	return a != nil && a.behind(in.cfg.Now())
}

// publish sends a sealed payload and returns the token that tells when the broker has it. Nobody needs to wait for it:
// whatever is lost is asked for again.
func (in *Ingest) publish(d rating.DeviceID, ch wire.Channel, retained bool, p wire.Purpose, body any) (mqtt.Token, error) {
	return in.publishAt(1, d, ch, retained, p, body)
}

func (in *Ingest) publishAt(qos byte, d rating.DeviceID, ch wire.Channel, retained bool, p wire.Purpose, body any) (mqtt.Token, error) {
	payload, err := wire.SealWith(func(text []byte) []byte { return journal.Sign(in.cfg.Key, text) }, p, body)
	if err != nil {
		return nil, err
	}
	in.mu.Lock()
	c := in.client
	in.mu.Unlock()
	if c == nil {
		return nil, errors.New("no connection to the broker")
	}
	t := c.Publish(wire.Topic(d, ch), qos, retained, payload)
	select {
	case <-t.Done():
		return t, t.Error()
	default:
		return t, nil
	}
}

// PhoneRated tells a box that a question of a visit was answered by phone, and not how. A box that is offline is told when it comes back,
// as Config.Missed says.
func (in *Ingest) PhoneRated(_ context.Context, d rating.DeviceID, v rating.VisitID, q rating.Question) error {
	_, err := in.phoneRated(d, v, q)
	return err
}

func (in *Ingest) phoneRated(d rating.DeviceID, v rating.VisitID, q rating.Question) (mqtt.Token, error) {
	args := map[string]string{"visit": v.String(), "subject": string(q.Subject)}
	if q.Case != "" {
		args["case"] = q.Case
	}
	return in.publish(d, wire.CommandChannel, false, wire.CommandPurpose, &wire.Command{
		Device: d, ID: phoneRatedName(v, q), Name: wire.CommandPhoneRated, Expires: in.cfg.Now().Add(commandLife).UnixMilli(),
		Args: args,
	})
}

// Command sends a command to a box, once the broker has taken it. It is not retained: a box that is offline never hears of it.
func (in *Ingest) Command(ctx context.Context, c wire.Command) error {
	t, err := in.publish(c.Device, wire.CommandChannel, false, wire.CommandPurpose, &c)
	if err == nil {
		err = confirmed(ctx, t)
	}
	if err != nil {
		return fmt.Errorf("send %s to %s: %w", c.Name, c.Device, err)
	}
	return nil
}
