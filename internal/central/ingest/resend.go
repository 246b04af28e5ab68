package ingest

import (
	"crypto/rand"
	"strconv"
	"sync"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// asksAtOnce bounds what is asked at one time: messages that the broker has not confirmed have numbers, of which a connection has some
// 65,000.
const asksAtOnce = 500

// maxAsks bounds the logs of which something is still to be asked for. More of them wait after no restore.
const maxAsks = 100_000

// asks is what boxes are to be asked for again, as after the journal was restored from a backup, until the broker has the command. A box
// says once only that it has let records go which are not here. Its methods are safe for concurrent use.
type asks struct {
	mu  sync.Mutex
	all map[logName]*ask // guarded by mu
}

// logName names a log of a device.
type logName struct {
	device rating.DeviceID
	epoch  rating.Epoch
}

// ask is records of a log, first and last included.
type ask struct {
	first, last uint64
	sent        mqtt.Token // nil: not in this session
}

func newAsks() *asks { return &asks{all: make(map[logName]*ask)} }

// add notes that a box is to be asked. It reports whether there was room.
func (a *asks) add(l logName, first, last uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.all[l]
	if known == nil {
		if len(a.all) >= maxAsks {
			return false
		}
		a.all[l] = &ask{first: first, last: last}
		return true
	}
	known.first, known.last, known.sent = min(known.first, first), max(known.last, last), nil
	return true
}

// anew forgets what was sent: the session has ended, and with it what the broker has not confirmed.
func (a *asks) anew() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range a.all {
		x.sent = nil
	}
}

// send sends some of what was not sent in this session, and drops what the broker has.
func (a *asks) send(publish func(logName, ask) (mqtt.Token, error)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	room := asksAtOnce
	for l, x := range a.all {
		if x.sent == nil {
			if room--; room < 0 {
				continue
			}
			sent, err := publish(l, *x)
			if err != nil {
				return err
			}
			x.sent = sent
			continue
		}
		select {
		case <-x.sent.Done():
			if x.sent.Error() == nil {
				delete(a.all, l)
			}
			x.sent = nil
		default:
		}
	}
	return nil
}

// askAgain notes that a box is to be asked for records that it has let go and that the journal does not have.
func (in *Ingest) askAgain(b believed) {
	first, last := b.receipt.Missing[0], b.receipt.Missing[1]
	if !in.asks.add(logName{b.batch.Device, b.batch.Epoch}, first, last) {
		in.cfg.Logger.Error("too many boxes are to be asked for records that are not here; what this one has let go stays a finding",
			"device", b.batch.Device, "epoch", b.batch.Epoch, "first", first, "last", last)
		return
	}
	in.cfg.Logger.Warn("a box says that it was acknowledged records that are not here, as after a backup was restored; it is asked for what "+
		"it still holds",
		"device", b.batch.Device, "epoch", b.batch.Epoch, "first", first, "last", last)
}

// ask sends the command for some records.
func (in *Ingest) ask(l logName, a ask) (mqtt.Token, error) {
	return in.publish(l.device, wire.CommandChannel, false, wire.CommandPurpose, &wire.Command{
		Device: l.device, ID: rand.Text(), Name: wire.CommandResend, Expires: in.cfg.Now().Add(commandLife).UnixMilli(),
		Args: map[string]string{"epoch": l.epoch.String(), "first": strconv.FormatUint(a.first, 10), "last": strconv.FormatUint(a.last, 10)},
	})
}
