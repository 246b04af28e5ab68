package uplink

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// Log is the box's log as the uplink sees it. It is called from one goroutine.
type Log interface {
	Device() rating.DeviceID
	Epoch() rating.Epoch
	Released() uint64
	Pending(after uint64, maxRecords, maxBytes int) (first uint64, records [][]byte, err error)
	Acknowledge(epoch rating.Epoch, through uint64) error
	Appended() <-chan struct{}
}

// AckMode says whose word releases a record.
type AckMode string

const (
	// AckCentre waits for the centre's signed acknowledgement.
	AckCentre AckMode = "centre"
	// AckBroker takes the broker's. It is weaker, since a broker may lose what it has, and meant for a receiver that
	// cannot answer.
	AckBroker AckMode = "broker"
)

// Config names the parts of an Uplink. Zero durations take their defaults.
type Config struct {
	Broker   string // mqtt://host:port or mqtts://host:port
	Username string
	Password string
	TLS      *tls.Config
	Key      ed25519.PrivateKey // the box's
	Centre   ed25519.PublicKey
	Log      Log
	AckMode  AckMode
	Presence wire.Presence // Online is set by the Uplink
	// Generation is that of the window that the box knows, 0 if none. Older configurations, which a broker may have kept,
	// are not told.
	Generation uint32

	// Health is asked each minute. The others are told: of a newer window, of a command that is to be carried out, of
	// the connection coming and going, and of the centre's clock. They are called from one goroutine and must not block.
	Health    func() wire.Health
	OnConfig  func(wire.Config)
	OnCommand func(wire.Command) error
	OnState   func(connected bool)
	OnAck     func(centre time.Time)

	Now    func() time.Time // the box's clock, for the expiry of commands
	Random func() float64   // in [0,1)
	Logger *slog.Logger

	Resend     time.Duration // silence after which records are sent again; 10 s
	MinBackoff time.Duration // 500 ms
	MaxBackoff time.Duration // 20 s
	KeepAlive  time.Duration // 15 s
	Connect    time.Duration // bound of one attempt to connect; 10 s
	Drain      time.Duration // bound of the last sending when Run ends; 2 s
}

// maxSilences is after how many silences in a row the connection is given up: it may be half open.
const maxSilences = 3

// Uplink hands the log to the centre.
type Uplink struct {
	cfg       Config
	device    rating.DeviceID
	connected atomic.Bool

	mu    sync.Mutex
	stats Stats // guarded by mu

	// The rest belongs to Run.
	window     window
	epoch      rating.Epoch
	generation uint32
	commands   seen
	centre     time.Time // the centre's clock at the last acknowledgement; zero if none
	centreAt   time.Time // when that was, by the monotonic clock
}

// Stats counts what an Uplink has seen since it was made.
type Stats struct {
	Connections uint64 // that were made
	Batches     uint64 // that were sent, again included
	Acks        uint64 // that released something
	Stale       uint64 // acknowledgements that released nothing, or named what was not sent or another epoch
	Refused     uint64 // payloads that were broken or not signed by the centre
	Silences    uint64 // times that no acknowledgement came
}

// New checks the configuration and returns an Uplink that does nothing before Run.
func New(c Config) (*Uplink, error) {
	if c.AckMode == "" {
		c.AckMode = AckCentre
	}
	if c.AckMode != AckCentre && c.AckMode != AckBroker {
		return nil, fmt.Errorf("uplink: ack mode %q is unknown", c.AckMode)
	}
	if len(c.Key) != ed25519.PrivateKeySize || len(c.Centre) != ed25519.PublicKeySize {
		return nil, errors.New("uplink: the box's or the centre's key is missing")
	}
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{{&c.Resend, 10 * time.Second}, {&c.MinBackoff, 500 * time.Millisecond}, {&c.MaxBackoff, 20 * time.Second},
		{&c.KeepAlive, 15 * time.Second}, {&c.Connect, 10 * time.Second}, {&c.Drain, 2 * time.Second}} {
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
	if _, err := brokerURL(c.Broker); err != nil {
		return nil, err
	}
	return &Uplink{cfg: c, device: c.Log.Device(), generation: c.Generation, commands: newSeen(256)}, nil
}

// Connected reports whether there is a connection to the broker. It is safe for concurrent use.
func (u *Uplink) Connected() bool { return u.connected.Load() }

// Stats returns the counters. It is safe for concurrent use.
func (u *Uplink) Stats() Stats {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.stats
}

func (u *Uplink) count(f func(*Stats)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f(&u.stats)
}

// Run keeps the connection and sends until ctx ends; then it sends what is pending for at most Drain, says that the box
// goes offline, and returns nil.
func (u *Uplink) Run(ctx context.Context) error {
	u.epoch = u.cfg.Log.Epoch()
	u.window = newWindow(u.cfg.Log.Released(), wire.MaxBatchBytes)
	for attempt := 0; ctx.Err() == nil; {
		began := time.Now()
		err := u.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > time.Minute {
			attempt = 0
		}
		wait := u.backoff(attempt)
		attempt++
		u.cfg.Logger.Warn("no connection to the centre; evaluations are kept and sent later", "error", err, "next try in", wait.Round(time.Millisecond))
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return nil
}

// backoff returns a random wait whose bound doubles with each attempt.
func (u *Uplink) backoff(attempt int) time.Duration {
	bound := u.cfg.MaxBackoff
	if attempt < 10 {
		bound = min(bound, u.cfg.MinBackoff<<attempt)
	}
	return bound/5 + time.Duration(u.cfg.Random()*float64(bound)*4/5)
}

// jitter returns d varied by a fifth.
func (u *Uplink) jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*u.cfg.Random()))
}

// session is one connection. It returns why it ended.
func (u *Uplink) session(ctx context.Context) error {
	c, err := u.dial(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	u.count(func(s *Stats) { s.Connections++ })
	u.setConnected(true)
	defer u.setConnected(false)
	u.cfg.Logger.Info("connected to the broker")
	u.window = u.window.rewind()
	u.window.silences = 0

	silence := time.NewTimer(time.Hour)
	defer silence.Stop()
	health := time.NewTimer(u.jitter(time.Second))
	defer health.Stop()
	drain := (<-chan time.Time)(nil)
	done := ctx.Done()
	for {
		if sent, err := u.fill(c); err != nil {
			return err
		} else if sent {
			silence.Reset(u.jitter(u.cfg.Resend))
		}
		if drain != nil && u.window.released >= u.window.highest && !u.window.waiting() {
			return u.leave(c)
		}
		select {
		case <-done:
			done = nil
			drain = time.After(u.cfg.Drain)
		case <-drain:
			return u.leave(c)
		case err := <-c.lost:
			return err
		case <-u.cfg.Log.Appended():
		case m := <-c.messages:
			if u.receive(c, m) {
				silence.Reset(u.jitter(u.cfg.Resend))
			}
		case last := <-c.pubacks:
			if u.cfg.AckMode == AckBroker {
				u.release(last)
			}
		case <-silence.C:
			if !u.window.waiting() {
				continue
			}
			u.count(func(s *Stats) { s.Silences++ })
			u.window = u.window.onSilence()
			if u.window.silences > maxSilences {
				return fmt.Errorf("no acknowledgement after %d tries; the connection may be half open, or the centre is down", maxSilences)
			}
		case <-health.C:
			health.Reset(u.jitter(time.Minute))
			if err := c.publishState(wire.HealthChannel, false, u.cfg.Health()); err != nil {
				return err
			}
		}
	}
}

func (u *Uplink) setConnected(v bool) {
	u.connected.Store(v)
	u.cfg.OnState(v)
}

// leave says that the box goes offline in order.
func (u *Uplink) leave(c *connection) error {
	p := u.cfg.Presence
	p.Online = false
	return c.publishState(wire.PresenceChannel, true, p)
}

// fill sends batches while there is room, and reports whether it sent any.
func (u *Uplink) fill(c *connection) (sent bool, err error) {
	for u.window.room() {
		first, records, err := u.cfg.Log.Pending(u.window.sent, wire.MaxBatchRecords, u.window.limit)
		if err != nil {
			return sent, err
		}
		if len(records) == 0 {
			return sent, nil
		}
		b := wire.Batch{Device: u.device, Epoch: u.epoch, First: first, Released: u.window.released, Records: records}
		b.Sign(u.cfg.Key)
		payload, err := b.Encode()
		if err != nil {
			return sent, err
		}
		if err := c.publishBatch(payload, b.Last()); err != nil {
			return sent, err
		}
		u.window = u.window.onSent(b.Last())
		u.count(func(s *Stats) { s.Batches++ })
		sent = true
	}
	return sent, nil
}

// receive acts on a message and reports whether it released records.
func (u *Uplink) receive(c *connection, m message) bool {
	switch m.channel {
	case wire.AckChannel:
		a, err := wire.OpenAck(u.cfg.Centre, m.payload)
		if err != nil {
			u.refuse("acknowledgement", err)
			return false
		}
		return u.acknowledged(a)
	case wire.ConfigChannel:
		if len(m.payload) == 0 {
			return false // a retained message that was taken away
		}
		cfg, err := wire.OpenConfig(u.cfg.Centre, m.payload)
		if err == nil && cfg.Device != u.device {
			err = fmt.Errorf("it is for %s", cfg.Device)
		}
		if err != nil {
			u.refuse("configuration", err)
			return false
		}
		if cfg.Window.Generation > u.generation {
			u.generation = cfg.Window.Generation
			u.cfg.OnConfig(cfg)
		}
	case wire.CommandChannel:
		u.command(c, m.payload)
	}
	return false
}

func (u *Uplink) refuse(what string, err error) {
	u.count(func(s *Stats) { s.Refused++ })
	u.cfg.Logger.Warn("dropped a message that the centre did not write as it should", "what", what, "error", err)
}

// acknowledged releases what a verified acknowledgement names, if it may be acted on.
func (u *Uplink) acknowledged(a wire.Ack) bool {
	u.centre, u.centreAt = time.UnixMilli(a.Time), time.Now()
	u.cfg.OnAck(u.centre)
	for _, q := range a.Quarantined {
		u.cfg.Logger.Error("the centre keeps a record but does not accept it", "seq", q.Seq, "reason", q.Reason)
	}
	if u.cfg.AckMode == AckBroker || a.Device != u.device || a.Epoch != u.epoch || !u.window.accepts(a.Through) {
		u.count(func(s *Stats) { s.Stale++ })
		return false
	}
	return u.release(a.Through)
}

// release tells the log, and the window once the log has it on the disk.
func (u *Uplink) release(through uint64) bool {
	if !u.window.accepts(through) {
		return false
	}
	if err := u.cfg.Log.Acknowledge(u.epoch, through); err != nil {
		u.cfg.Logger.Error("an acknowledgement cannot be recorded; the records are sent again", "error", err)
		return false
	}
	u.window = u.window.onAck(through, wire.MaxBatchBytes)
	u.count(func(s *Stats) { s.Acks++ })
	return true
}

// command carries out a command once, and answers.
func (u *Uplink) command(c *connection, payload []byte) {
	cmd, err := wire.OpenCommand(u.cfg.Centre, payload)
	if err == nil && cmd.Device != u.device {
		err = fmt.Errorf("it is for %s", cmd.Device)
	}
	if err != nil {
		u.refuse("command", err)
		return
	}
	if u.centreNow().UnixMilli() > cmd.Expires || !u.commands.add(cmd.ID) {
		return
	}
	reply := wire.Reply{V: wire.Version, ID: cmd.ID, OK: true}
	if err := u.cfg.OnCommand(cmd); err != nil {
		reply.OK, reply.Error = false, err.Error()
	}
	if err := c.publishState(wire.ReplyChannel, false, reply); err != nil {
		u.cfg.Logger.Warn("a command was carried out, its answer was not sent", "error", err)
	}
}

// centreNow returns the centre's clock as well as it is known: a box has no clock of its own to believe.
func (u *Uplink) centreNow() time.Time {
	if u.centre.IsZero() {
		return u.cfg.Now()
	}
	return u.centre.Add(time.Since(u.centreAt))
}

// seen remembers the last few IDs.
type seen struct {
	ids  map[string]bool
	ring []string
	next int
}

func newSeen(n int) seen { return seen{ids: make(map[string]bool), ring: make([]string, n)} }

// add reports whether id is new.
func (s *seen) add(id string) bool {
	if s.ids[id] {
		return false
	}
	delete(s.ids, s.ring[s.next])
	s.ids[id] = true
	s.ring[s.next] = id
	s.next = (s.next + 1) % len(s.ring)
	return true
}
