package uplink

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"haochaping/internal/crash"
	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
	"haochaping/sync/wire"
)

// Log is the box's log as the uplink sees it. It is called from one goroutine.
type Log interface {
	Device() rating.DeviceID
	Epoch() rating.Epoch // changes when a damaged file is replaced; 0 while there is none
	Last() uint64        // seq of the newest record, 0 if there is none
	Released() uint64    // seq through which the centre has acknowledged
	// Pending returns records that are not released and come after the given seq, oldest first; at most maxRecords, and
	// at most maxBytes in all, but one if there is any. It removes nothing.
	Pending(after uint64, maxRecords, maxBytes int) (first uint64, records [][]byte, err error)
	// Acknowledge releases all records through the given seq. It may be forgotten if the power fails.
	Acknowledge(epoch rating.Epoch, through uint64) error
	// Appended has a value after records were appended since the last receive.
	Appended() <-chan struct{}
}

// AckMode says whose word releases a record.
type AckMode string

const (
	// AckCentre waits for the centre's signed acknowledgement.
	AckCentre AckMode = "centre"
	// AckBroker takes the broker's, in MQTT 5, that it has handed a batch to somebody. It is weaker, since a broker may lose
	// what it has, and meant for a receiver that cannot answer.
	AckBroker AckMode = "broker"
)

// Config names the parts of an Uplink. Zero durations take their defaults.
type Config struct {
	// Brokers are the addresses of one broker, or of the nodes of a cluster: mqtts://host:port or mqtt://host:port; ssl and tcp
	// are other names for the same. The Uplink begins with any, so that boxes spread, and goes on to the next after each failure.
	Brokers  []string
	Username string
	Password string
	TLS      *tls.Config
	Key      crypto.Signer // the box's, for records
	Centre   ed25519.PublicKey
	Log      Log
	AckMode  AckMode       // AckCentre if empty
	Presence wire.Presence // Online is set by the Uplink
	// Generation is that of the window which the box has; only a newer configuration is handed on. 0: any is.
	Generation uint32

	// Health is asked each minute. The others are told, and may be nil: of a newer window, of a command that is to be
	// carried out, of the connection coming and going, of the centre's clock, and of the kinds of records that the centre
	// knows, at each acknowledgement that is believed. They are called from the goroutine of Run, one at a time, and must not
	// block; a command may take two seconds, and its parts are answered.
	Health    func() wire.Health
	OnConfig  func(wire.Config)
	OnCommand func(wire.Command) ([]wire.Part, error)
	OnState   func(connected bool)
	OnAck     func(centre time.Time)
	OnKinds   func([]rating.Kind)

	Now func() time.Time // the box's clock, for the expiry of commands
	// Synced says whether the network has set that clock; nil: it is always believed. While neither it nor the centre's
	// clock is known, commands are taken unless they ended before Passed.
	Synced func() bool
	// Passed is a time that has surely passed, zero if none is known: while the clock is not set, certificates of the broker
	// that ended before it are refused, and such commands. See Uplink.Passed.
	Passed time.Time
	Random func() float64 // in [0,1); called from Run
	Logger *slog.Logger

	Resend     time.Duration // silence after which records are sent again; 10 s
	MinBackoff time.Duration // bound of the wait after the first failure; 2 s
	MaxBackoff time.Duration // bound of the wait after many; 15 s, with Connect less than 30 s
	KeepAlive  time.Duration // 15 s
	Connect    time.Duration // bound of each step of connecting, in TLS of each silence; 10 s
	Drain      time.Duration // bound of the last sending when Run ends, and again of the farewell; 2 s
}

// Uplink hands the log to the centre.
type Uplink struct {
	cfg       Config
	device    rating.DeviceID
	brokers   []*url.URL
	dial      func(context.Context) (*connection, error)
	why       func(ctx context.Context, suffix string, payload []byte) error // as way's
	connected atomic.Bool
	trust     trust

	mu    sync.Mutex
	stats Stats     // guarded by mu
	link  linkState // guarded by mu
	at    int       // index of the broker in use, or tried next; guarded by mu

	// The rest belongs to Run.
	window     window
	resend     resend // what the centre has asked for again
	stuck      stuck
	doubt      doubt
	epoch      rating.Epoch
	generation uint32
	answered   answered
	replies    chan wire.Reply // to commands whose answer came later
	told       chan struct{}   // something has changed that the health says
	centre     time.Time       // the centre's clock at the last acknowledgement that released something; zero if none
	centreAt   time.Time       // when that was, by the monotonic clock
}

// Stats counts what an Uplink has seen since it was made.
type Stats struct {
	Connections uint64 // that were made
	Batches     uint64 // that were sent, again included
	Acks        uint64 // that released something
	Stale       uint64 // acknowledgements that released nothing, or named what was not sent, another epoch or another box
	Refused     uint64 // payloads that were broken, not signed by the centre, or for another box
	Late        uint64 // commands that came after their expiry
	Dropped     uint64 // messages that came faster than they could be taken, or on a topic that is not the box's
	Silences    uint64 // times that no acknowledgement came
}

// New checks the configuration and returns an Uplink that does nothing before Run.
func New(c Config) (*Uplink, error) {
	if c.AckMode == "" {
		c.AckMode = AckCentre
	}
	brokers, err := brokerURLs(c.Brokers)
	switch {
	case err != nil:
		return nil, fmt.Errorf("uplink: %w", err)
	case c.AckMode != AckCentre && c.AckMode != AckBroker:
		return nil, fmt.Errorf("uplink: ack mode %q is unknown", c.AckMode)
	case recordkey.Public(c.Key) == nil || len(c.Centre) != ed25519.PublicKeySize:
		return nil, errors.New("uplink: the box's or the centre's key is missing")
	case c.Log == nil || c.Health == nil || c.Now == nil || c.Random == nil || c.Logger == nil:
		return nil, errors.New("uplink: the log, the health, the clock, the randomness or the logger is missing")
	}
	c.fillIn()
	u := &Uplink{cfg: c, device: c.Log.Device(), brokers: brokers, generation: c.Generation, answered: newAnswered(256),
		replies: make(chan wire.Reply, 16), told: make(chan struct{}, 1),
		doubt: doubt{found: make(chan error, 1)}}
	u.trust.now, u.trust.synced = c.Now, c.Synced
	if !c.Passed.IsZero() {
		u.trust.passed.Store(c.Passed.UnixMilli())
	}
	u.dial = u.connect
	u.why = func(ctx context.Context, suffix string, payload []byte) error {
		return u.way().why(ctx, suffix, payload)
	}
	if n := len(brokers); n > 1 {
		u.at = min(int(c.Random()*float64(n)), n-1)
	}
	return u, nil
}

// fillIn sets what may be left out.
func (c *Config) fillIn() {
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{{&c.Resend, 10 * time.Second}, {&c.MinBackoff, 2 * time.Second}, {&c.MaxBackoff, 15 * time.Second},
		{&c.KeepAlive, 15 * time.Second}, {&c.Connect, 10 * time.Second}, {&c.Drain, 2 * time.Second}} {
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
	if c.OnConfig == nil {
		c.OnConfig = func(wire.Config) {}
	}
	if c.OnCommand == nil {
		c.OnCommand = func(c wire.Command) ([]wire.Part, error) {
			return nil, fmt.Errorf("command %q is unknown to this box", c.Name)
		}
	}
	if c.OnState == nil {
		c.OnState = func(bool) {}
	}
	if c.OnAck == nil {
		c.OnAck = func(time.Time) {}
	}
	if c.OnKinds == nil {
		c.OnKinds = func([]rating.Kind) {}
	}
	if c.Synced == nil {
		c.Synced = func() bool { return true }
	}
}

// Connected reports whether there is a connection to the broker. It is safe for concurrent use.
func (u *Uplink) Connected() bool { return u.connected.Load() }

// Broker returns the address that is in use, or tried next. It is safe for concurrent use.
func (u *Uplink) Broker() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.cfg.Brokers[u.at]
}

// broker returns the same as the line needs it.
func (u *Uplink) broker() *url.URL {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.brokers[u.at]
}

// next goes on to the next address.
func (u *Uplink) next() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.at = (u.at + 1) % len(u.brokers)
}

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

func (u *Uplink) presence(online bool) wire.Presence {
	p := u.cfg.Presence
	p.Online = online
	return p
}

// quietly is how long a failure that goes on is not logged again: a box may be offline for weeks.
const quietly = 10 * time.Minute

// Run keeps the connection and sends until ctx ends; then it sends what is pending for at most Drain, says that the box
// goes offline, and returns nil.
func (u *Uplink) Run(ctx context.Context) error {
	u.follow()
	var logged time.Time
	for attempt := 0; ctx.Err() == nil; {
		began := time.Now()
		u.follow()
		err := crash.Contain(func() error { return u.session(ctx) })
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > time.Minute {
			attempt = 0
		}
		u.ended(err)
		u.judge(ctx, err)
		u.next()
		wait := u.backoff(attempt / len(u.brokers)) // the bound grows when all have failed
		level := slog.LevelDebug
		if attempt == 0 || time.Since(logged) >= quietly {
			level, logged = slog.LevelWarn, time.Now()
		}
		attempt++
		u.cfg.Logger.Log(ctx, level, "no connection to the centre; evaluations are kept and sent later", "error", err,
			"next try in", wait.Round(time.Millisecond), "tries", attempt)
		if stack := crash.StackOf(err); stack != "" {
			u.cfg.Logger.Error("a fault of the program", "stack", stack)
		}
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
