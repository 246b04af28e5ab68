package uplink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
	"haochaping/sync/wire"
)

// A connection is given up after this many silences in a row. While the broker takes the batches, the line is good and the
// centre is away: a province of boxes that all connected anew would not bring it back, so only now and then one does, in
// case it is its subscription that the broker has lost.
const (
	maxSilences     = 2
	maxSilencesHeld = 15
)

// session is one connection. It returns why it ended, and nil after an orderly end.
func (u *Uplink) session(ctx context.Context) (err error) {
	c, err := u.dial(ctx)
	if err != nil {
		return err
	}
	err = errDisconnected // what a panic leaves, so that the broker publishes the will
	defer func() { c.end(err == nil) }()
	u.count(func(s *Stats) { s.Connections++ })
	u.connected.Store(true)
	u.cfg.OnState(true)
	defer func() {
		u.connected.Store(false)
		u.cfg.OnState(false)
	}()
	u.cfg.Logger.Info("connected to the broker")
	u.begun()
	u.doubt.question, u.doubt.configured, u.doubt.foreign = 0, false, nil
	looking, stop := context.WithCancel(ctx)
	defer stop()
	u.window, u.resend = u.window.onConnected(), u.resend.onConnected()
	u.tryStuck(ctx)
	l := &talk{c: c, looking: looking, silence: time.NewTimer(u.jitter(u.cfg.Resend)), health: time.NewTimer(u.jitter(time.Second)),
		again: time.NewTicker(resendPause)}
	defer l.stop()
	return u.hand(ctx, l)
}

// talk is a connection with what its loop waits for besides messages.
type talk struct {
	c               *connection
	looking         context.Context // ends with the session; what asks the broker aside lives for so long
	silence, health *time.Timer
	again           *time.Ticker
	held            bool // the broker has taken what was sent last
}

func (l *talk) stop() {
	l.silence.Stop()
	l.health.Stop()
	l.again.Stop()
}

// hand sends and receives until the line is lost or given up, or ctx has ended and what was sent is acknowledged.
func (u *Uplink) hand(ctx context.Context, l *talk) error {
	c, done, drain := l.c, ctx.Done(), (<-chan time.Time)(nil)
	for first := true; ; first = false {
		if err := u.send(l, first); err != nil {
			return err
		}
		if drain != nil && u.window.done() {
			return u.leave(c)
		}
		var err error
		select {
		case <-done:
			done, drain = nil, time.After(u.cfg.Drain)
		case <-drain:
			return u.leave(c)
		case err := <-c.lost:
			u.tookBefore(c)
			return err
		case <-u.cfg.Log.Appended():
		case <-c.receiver:
			if u.cfg.AckMode == AckBroker { // the prover has dropped what nobody would get
				u.window = u.window.rewind()
			}
		case m := <-c.messages:
			before := u.generation
			if u.receive(c, m) {
				l.silence.Reset(u.patience(l.held))
			}
			if u.generation > before { // else the centre shows for a minute that the box has no window, or the former one
				l.health.Reset(u.jitter(settled))
			}
		case r := <-u.replies:
			u.answered.put(r)
			if err := c.sendState(wire.ReplyChannel, r); err != nil {
				return fmt.Errorf("answer a command: %w", err)
			}
		case last := <-c.taken:
			l.held = l.held || last >= u.window.sent
			u.resend = u.resend.onTaken(last, time.Now())
			if u.took(last) {
				l.silence.Reset(u.patience(l.held))
			}
		case <-l.again.C:
			err = u.sendAgain(c)
		case found := <-u.doubt.found:
			if u.doubt.question > 0 || u.window.waiting() { // else the answer has come meanwhile
				u.setFault(u.doubt.blame(found))
			}
		case <-l.silence.C:
			err = u.silent(l)
		case <-l.health.C:
			err = u.sendHealth(l)
		case <-u.told:
			l.health.Reset(u.jitter(time.Second))
		}
		if err != nil {
			return err
		}
	}
}

// settled is after what time a box goes by a new configuration in all that it says.
const settled = 3 * time.Second

// send sends what there is room for, and asks at the first time where there is nothing.
func (u *Uplink) send(l *talk, first bool) error {
	sent, err := u.fill(l.c)
	if err == nil && first && !sent {
		sent, err = u.ask(l.c)
	}
	if err == nil && sent {
		u.waits()
		l.silence.Reset(u.patience(l.held))
		l.held = false
	}
	return err
}

// silent acts on an acknowledgement that has not come in time. Its error gives the connection up.
func (u *Uplink) silent(l *talk) error {
	u.look(l.looking)
	if !u.window.waiting() {
		if u.doubt.question > 0 {
			l.silence.Reset(u.patience(l.held))
		}
		return nil
	}
	u.count(func(s *Stats) { s.Silences++ })
	if seq, yes := u.suspicious(l.held); yes {
		return &suspectError{seq}
	}
	u.window = u.window.onSilence()
	switch {
	case !l.held && u.window.silences >= maxSilences:
		return fmt.Errorf("the broker has not taken %d batches; the connection may be half open", maxSilences)
	case u.window.silences >= maxSilencesHeld:
		return fmt.Errorf("the broker took %d batches and the centre acknowledged none; it may be down", maxSilencesHeld)
	}
	return nil
}

// Tell has the box say within seconds how it is, not only at the next minute. It may be called by anybody at any time.
func (u *Uplink) Tell() {
	select {
	case u.told <- struct{}{}:
	default: // it is going to be said
	}
}

// sendHealth says each minute how the box is, and now and then tries what the broker did not let through.
func (u *Uplink) sendHealth(l *talk) error {
	l.health.Reset(u.jitter(time.Minute))
	if err := l.c.sendState(wire.HealthChannel, u.health()); err != nil {
		return fmt.Errorf("send the health: %w", err)
	}
	if len(u.stuck.records) > 0 && time.Since(u.stuck.tried) > 360*u.cfg.Resend {
		return errTryStuck
	}
	return nil
}

// health is what the box says of itself, with the record that holds on to its place.
func (u *Uplink) health() wire.Health {
	h := u.cfg.Health()
	if len(u.stuck.records) > 0 {
		h.Stuck = &u.stuck.records[0]
	}
	return h
}

// patience is how long the loop waits for an acknowledgement: longer after a silence of the centre alone, when a batch is a
// mere question whether it is back.
func (u *Uplink) patience(held bool) time.Duration {
	if held && u.window.silences > 0 {
		return u.jitter(2 * u.cfg.Resend)
	}
	return u.jitter(u.cfg.Resend)
}

// leave says that the box goes offline, and waits until the broker knows.
func (u *Uplink) leave(c *connection) error {
	payload, err := wire.EncodeState(u.presence(false))
	if err != nil {
		return err
	}
	taken := make(chan error, 1)
	if err := c.send(outgoing{channel: wire.PresenceChannel, payload: payload, retained: true, taken: taken}); err != nil {
		return fmt.Errorf("say goodbye: %w", err)
	}
	select {
	case err := <-taken:
		return err
	case err := <-c.lost:
		return err
	case <-time.After(u.cfg.Drain):
		return fmt.Errorf("say goodbye: no answer within %s", u.cfg.Drain)
	}
}

var errNewLog = errors.New("the log was replaced; its successor is sent over a new connection")

// follow begins anew when the log has another epoch: its file was damaged and has been replaced.
func (u *Uplink) follow() {
	if epoch := u.cfg.Log.Epoch(); epoch != u.epoch {
		u.epoch, u.resend = epoch, resend{}
		u.setStuck(nil)
		u.stuck.asked = nil
		u.window = newWindow(u.cfg.Log.Released(), u.cfg.Log.Last(), wire.MaxBatchBytes)
	}
}

// fill sends batches while there is room, and reports whether it sent any.
func (u *Uplink) fill(c *connection) (sent bool, err error) {
	if u.cfg.Log.Epoch() != u.epoch { // a damaged log was replaced; what this connection still says is about the old one
		return false, errNewLog
	}
	for u.window.room() && !u.held() {
		most := u.passStuck()
		if len(u.stuck.records) > 0 && u.window.waiting() {
			return sent, nil // one at a time, so that an answer that releases nothing is known to be its
		}
		first, records, err := u.cfg.Log.Pending(u.window.sent, most, u.window.limit)
		if err != nil {
			return sent, err
		}
		if len(records) == 0 || u.cfg.Log.Epoch() != u.epoch {
			return sent, nil
		}
		b := wire.Batch{Device: u.device, Epoch: u.epoch, First: first, Released: u.window.released, Records: records}
		b.Sign(u.cfg.Key)
		payload, err := b.Encode()
		if err != nil {
			return sent, err
		}
		if err := c.send(outgoing{channel: wire.RecordsChannel, payload: payload, last: b.Last()}); err != nil {
			return sent, fmt.Errorf("send a batch: %w", err)
		}
		u.window = u.window.onSent(flight{first, b.Last(), len(records) == 1, len(payload), time.Now()})
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
			u.foreign(err)
			u.refuse("acknowledgement", err)
			return false
		}
		u.isAnswer(a)
		return u.acknowledged(a)
	case wire.ConfigChannel:
		if len(m.payload) == 0 {
			return false // a retained message that was taken away
		}
		cfg, err := wire.OpenConfig(u.cfg.Centre, m.payload)
		if err != nil {
			u.foreign(err)
		}
		if err = u.addressed(cfg.Device, err); err != nil {
			u.refuse("configuration", err)
			return false
		}
		u.signed()
		u.doubt.untaken = !cfg.Takes(recordkey.Public(u.cfg.Key))
		if cfg.Window.Generation > u.generation {
			u.generation = cfg.Window.Generation
			u.cfg.OnConfig(cfg)
		}
	case wire.CommandChannel:
		u.command(c, m.payload)
	}
	return false
}

// addressed returns err, or an error if a message that was read without one is for another box.
func (u *Uplink) addressed(d rating.DeviceID, err error) error {
	if err == nil && d != u.device {
		return fmt.Errorf("it is for %s", d)
	}
	return err
}

func (u *Uplink) refuse(what string, err error) {
	u.count(func(s *Stats) { s.Refused++ })
	u.cfg.Logger.Warn("dropped a message that the centre did not write as it should", "what", what, "error", err)
}

// acknowledged releases what a verified acknowledgement names, if it may be acted on. One that releases nothing may be old
// and repeated by the broker, so nothing else in it is believed either, its time least of all.
func (u *Uplink) acknowledged(a wire.Ack) bool {
	mine := a.Device == u.device && a.Epoch == u.epoch
	fresh := mine && u.window.accepts(a.Through)
	if u.cfg.AckMode == AckBroker || !fresh {
		u.count(func(s *Stats) { s.Stale++ })
		if mine && u.cfg.AckMode == AckCentre && u.behindStuck(a) {
			u.centreAnswered()
			return true
		}
		if !mine || a.Through > u.window.highest {
			u.cfg.Logger.Warn("dropped an acknowledgement that is not for what this box has sent", "device", a.Device,
				"epoch", a.Epoch, "through", a.Through, "sent", u.window.highest)
		}
		return false
	}
	if !u.holds(a.Through, a.Head) {
		u.count(func(s *Stats) { s.Stale++ })
		u.cfg.Logger.Error("an acknowledgement is for another record than this box has under that number; there may be a second box with its "+
			"name and key, as after a card was copied",
			"through", a.Through)
		return false
	}
	if !u.release(a.Through) {
		return false
	}
	u.centre, u.centreAt = time.UnixMilli(a.Time), time.Now()
	u.trust.learn(u.centre)
	u.cfg.OnAck(u.centre)
	u.cfg.OnKinds(a.Kinds)
	for _, q := range a.Quarantined {
		u.cfg.Logger.Error("the centre keeps a record but does not accept it; look at the centre's findings", "seq", q.Seq, "reason", q.Reason)
	}
	return true
}

// holds reports whether the log's record of a number is the one that was acknowledged.
func (u *Uplink) holds(seq uint64, head rating.Hash) bool {
	_, records, err := u.cfg.Log.Pending(seq-1, 1, 1)
	return err == nil && len(records) == 1 && rating.HashOf(records[0]) == head
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
	u.window = u.window.onAck(through, time.Now())
	u.centreAnswered()
	u.freeStuck()
	u.count(func(s *Stats) { s.Acks++ })
	return true
}
