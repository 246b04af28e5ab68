package uplink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"haochaping/internal/crash"
	"haochaping/sync/wire"
)

// Link says how the way to the centre is.
type Link struct {
	Connected bool
	Fault     Fault // empty while records get to the centre, as far as anybody knows
	Err       error // what was seen of it; nil without a fault
	// Acked is when the centre answered last, Waiting since when something has waited for its answer; zero: never, nothing.
	Acked, Waiting time.Time
	TooLarge       []wire.Stuck // what the broker does not take for its size, oldest first
}

// linkState is what an Uplink knows of that. It is guarded by Uplink.mu.
type linkState struct {
	err            error
	acked, waiting time.Time
	receiver       receiver
}

// receiver is what the centre says of itself at the broker, on this connection.
type receiver struct {
	known  bool
	online bool
	since  time.Time // when it said so, or when it was asked
	why    error     // why it cannot be known, nil if it can
}

// Link returns how the way to the centre is. It is safe for concurrent use.
func (u *Uplink) Link() Link {
	u.mu.Lock()
	defer u.mu.Unlock()
	l := Link{Connected: u.connected.Load(), Err: u.link.err, Acked: u.link.acked, Waiting: u.link.waiting,
		TooLarge: slices.Clone(u.stuck.records)}
	r := u.link.receiver
	switch {
	case u.cfg.AckMode == AckBroker && l.Connected && !r.online && (r.known || r.why != nil || time.Since(r.since) >= receiverPatience):
		l.Err = errors.Join(ErrNoReceiver, r.why)
	case l.Err != nil:
	// One that leaves may be replaced by another at once, and an older centre acknowledges and does not say that it is there.
	case l.Connected && r.known && !r.online && !u.link.acked.After(r.since) && time.Since(r.since) >= u.cfg.Resend:
		l.Err = ErrAway
	case len(l.TooLarge) > 0:
		l.Err = &TooLargeError{Bytes: l.TooLarge[0].Bytes, Limit: l.TooLarge[0].Limit}
	}
	if l.Fault = FaultOf(l.Err); l.Fault == "" && !l.Connected {
		l.Fault = FaultUnreached
	}
	return l
}

// setFault notes why records do not reach the centre, nil if they do.
func (u *Uplink) setFault(err error) {
	u.mu.Lock()
	before := FaultOf(u.link.err)
	u.link.err = err
	u.mu.Unlock()
	if after := FaultOf(err); after != before && after != "" {
		u.cfg.Logger.Warn("records do not reach the centre; they are kept and sent later", "fault", after, "error", err)
	}
}

// onWay reports whether a fault is of the way to the broker, so that a connection disproves it.
func onWay(err error) bool {
	switch FaultOf(err) {
	case FaultName, FaultUnreached, FaultCertificate, FaultProtocol, FaultLogin, FaultRead:
		return true
	}
	return false
}

// begun notes a connection.
func (u *Uplink) begun() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if onWay(u.link.err) {
		u.link.err = nil
	}
}

// ended notes why a connection has ended or could not be made. What was found out about the centre meanwhile says more than a
// connection that was given up for it.
func (u *Uplink) ended(err error) {
	seq, _ := u.window.suspect()
	switch fault := FaultOf(err); {
	case fault == FaultTooLarge && seq == 0: // the next batch is smaller
	case errors.As(err, new(*StageError)), fault != FaultUnreached:
		u.setFault(err)
	}
}

// waits notes that something has been sent whose answer is due.
func (u *Uplink) waits() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.link.waiting.IsZero() {
		u.link.waiting = time.Now()
	}
}

// centreAnswered notes that the centre has answered what was sent.
func (u *Uplink) centreAnswered() {
	u.doubt.question, u.doubt.looked, u.doubt.foreign = 0, time.Time{}, nil
	u.mu.Lock()
	u.link.acked, u.link.waiting = time.Now(), time.Time{}
	u.mu.Unlock()
	u.setFault(nil)
}

// signed notes that the centre's configuration has come.
func (u *Uplink) signed() {
	u.doubt.configured = true
	u.mu.Lock()
	fault := FaultOf(u.link.err)
	u.mu.Unlock()
	if fault == FaultOtherCentre || fault == FaultNotEnrolled {
		u.setFault(nil)
	}
}

// foreign notes that something is not signed by the centre. Where the centre's own word has come on this connection too, a stranger
// may have written the other beside it, which keeps no record from the centre.
func (u *Uplink) foreign(err error) {
	u.doubt.foreign = fmt.Errorf("%w: %w", ErrOtherCentre, err)
	if !u.doubt.configured {
		u.setFault(u.doubt.foreign)
	}
}

// blame returns why nothing is answered: something else was, if err knows nothing better.
func (d *doubt) blame(err error) error {
	if FaultOf(err) == FaultSilent && d.foreign != nil {
		return d.foreign
	}
	if FaultOf(err) == FaultSilent && d.untaken {
		return ErrAlgorithm
	}
	return err
}

// isAnswer takes an acknowledgement that releases nothing for the answer to what was asked on this connection.
func (u *Uplink) isAnswer(a wire.Ack) {
	if u.doubt.question > 0 && a.Device == u.device && a.Epoch == u.epoch && a.Through >= u.doubt.question {
		u.centreAnswered()
	}
}

// setReceiver notes what the centre says of itself at the broker.
func (u *Uplink) setReceiver(r receiver) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.link.receiver = r
}

// receives reports whether somebody says at the broker that he takes records.
func (u *Uplink) receives() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.link.receiver.known && u.link.receiver.online
}

// held reports whether records are held back since the broker's word would release them and nobody says that he gets them. The
// connection is good for all else.
func (u *Uplink) held() bool { return u.cfg.AckMode == AckBroker && !u.receives() }

// lookAgain is how many times Resend pass before the broker is asked again why nothing is answered: thousands of boxes wait for the same
// centre.
const lookAgain = 30

// doubt is what Run does to learn why nothing is answered.
type doubt struct {
	question   uint64     // seq of the released record that was sent to hear the centre's word; 0 if none is open
	configured bool       // the centre's configuration came on this connection
	untaken    bool       // that configuration does not name the algorithm of the box's key
	foreign    error      // of what came on it since the centre's last answer and is not signed by the centre; nil if nothing did
	looked     time.Time  // when the broker was asked last
	found      chan error // what it said
}

// ask sends the last record that was released once more, where nothing else is to be sent on a new connection: only an answer proves
// that records get through.
func (u *Uplink) ask(c *connection) (asked bool, err error) {
	h, ok := u.cfg.Log.(History)
	seq := u.window.released
	if !ok || u.cfg.AckMode != AckCentre || seq == 0 || u.window.waiting() || u.cfg.Log.Last() > seq || u.cfg.Log.Epoch() != u.epoch {
		return false, nil
	}
	first, records, err := h.Kept(seq, 1, 1)
	if err != nil || len(records) == 0 || first != seq {
		return false, nil // what was let go cannot be asked about
	}
	payload, err := u.alone(seq, records[0])
	if err != nil {
		return false, err
	}
	if err := c.send(outgoing{channel: wire.RecordsChannel, payload: payload}); err != nil {
		return false, err
	}
	u.doubt.question = seq
	u.waits()
	return true, nil
}

// alone returns the payload of a batch of one record.
func (u *Uplink) alone(seq uint64, record []byte) ([]byte, error) {
	b := wire.Batch{Device: u.device, Epoch: u.epoch, First: seq, Released: min(u.window.released, seq-1), Records: [][]byte{record}}
	b.Sign(u.cfg.Key)
	return b.Encode()
}

// look asks the broker, beside the connection, what it does with the oldest record that waits. What it says comes by doubt.found.
func (u *Uplink) look(ctx context.Context) {
	if !u.doubt.looked.IsZero() && time.Since(u.doubt.looked) < lookAgain*u.cfg.Resend || u.cfg.AckMode != AckCentre {
		return
	}
	seq, records, err := u.cfg.Log.Pending(u.window.released, 1, 1)
	if u.doubt.question > 0 {
		seq, records, err = u.cfg.Log.(History).Kept(u.doubt.question, 1, 1)
	}
	if err != nil || len(records) == 0 {
		return
	}
	payload, err := u.alone(seq, records[0])
	if err != nil {
		return
	}
	u.doubt.looked = time.Now()
	why, configured, found := u.why, u.doubt.configured, u.doubt.found
	go func() {
		err := crash.Contain(func() error { return why(ctx, "look", payload) })
		switch fault := FaultOf(err); {
		case ctx.Err() != nil:
			return
		case onWay(err): // the broker could not be asked, or not in MQTT 5
			err = errors.Join(ErrNoAnswer, err)
		case fault == FaultTooLarge:
			return // which is found out with the record alone on its way
		}
		if FaultOf(err) == FaultSilent && !configured {
			err = errors.Join(ErrNoConfig, err)
		}
		select {
		case found <- err:
		default:
		}
	}()
}
