package uplink

import (
	"fmt"
	"strconv"
	"time"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// History is a log that still has records which the centre has acknowledged. A Log that is one can give them again.
type History interface {
	// Kept returns records from the given seq on that are still there, whether released or not, oldest first; at most maxRecords, and at
	// most maxBytes in all, but one if there is any.
	Kept(from uint64, maxRecords, maxBytes int) (first uint64, records [][]byte, err error)
}

// resendPause is between two batches that a centre has asked for again: it has waited for days, and what citizens press now goes first.
const resendPause = time.Second

// maxResend bounds the bytes of a batch that is sent again: on a line of 30 KB/s it delays a press by two seconds.
const maxResend = 64 << 10

// maxResendTries is how often a batch may go down with its connection: a broker drops what it does not take, with or without a word.
const maxResendTries = 3

// resend is what the centre has asked for again; the zero value is nothing.
type resend struct {
	next, last uint64
	limit      int       // bytes of the next batch, which grow while the line takes them quickly
	through    uint64    // last seq of the batch on its way, 0 if there is none
	at         time.Time // when that was sent
	tries      int       // connections that it went down with
}

// onTaken notes that the broker has a batch.
func (r resend) onTaken(last uint64, now time.Time) resend {
	if r.through == 0 || last != r.through {
		return r
	}
	if r.next = last + 1; r.next > r.last {
		return resend{}
	}
	if now.Sub(r.at) <= quick {
		r.limit = min(2*r.limit, maxResend)
	} else {
		r.limit = max(r.limit/2, minLimit)
	}
	r.through, r.tries = 0, 0
	return r
}

// onConnected begins small. What was on its way is sent again, but not for ever.
func (r resend) onConnected() resend {
	if r.through == 0 {
		r.limit = min(r.limit, firstLimit)
		return r
	}
	r.limit = minLimit
	if r.tries++; r.tries >= maxResendTries {
		r.next, r.tries = r.through+1, 0
	}
	if r.through = 0; r.next > r.last {
		return resend{}
	}
	return r
}

// askedAgain notes that the centre asks for records that it had acknowledged, since its books were lost and restored from a backup.
func (u *Uplink) askedAgain(c wire.Command) error {
	epoch, err := rating.ParseEpoch(c.Args["epoch"])
	if err != nil || epoch != u.epoch {
		return fmt.Errorf("this box has no log %q any more", c.Args["epoch"])
	}
	if _, ok := u.cfg.Log.(History); !ok {
		return fmt.Errorf("this box keeps nothing that was acknowledged")
	}
	first, err1 := strconv.ParseUint(c.Args["first"], 10, 53)
	last, err2 := strconv.ParseUint(c.Args["last"], 10, 53)
	if err1 != nil || err2 != nil || first == 0 || last < first {
		return fmt.Errorf("records %q to %q: not understood", c.Args["first"], c.Args["last"])
	}
	if u.resend.last > 0 { // several may be asked for, one after the other
		first, last = min(first, u.resend.next), max(last, u.resend.last)
	}
	u.resend = resend{next: first, last: min(last, u.window.released), limit: firstLimit}
	u.cfg.Logger.Warn("the centre asks for records again that it had acknowledged; what is still here is sent", "first", first, "last", last)
	return nil
}

// sendAgain sends the next batch of what the centre has asked for again, unless something new or the batch before it is on its way.
func (u *Uplink) sendAgain(c *connection) error {
	h, ok := u.cfg.Log.(History)
	if !ok || u.resend.next == 0 || u.resend.through > 0 || u.window.waiting() || u.cfg.Log.Epoch() != u.epoch {
		return nil
	}
	first, records, err := h.Kept(u.resend.next, wire.MaxBatchRecords, u.resend.limit)
	if u.cfg.Log.Epoch() != u.epoch { // the log was replaced meanwhile, and these may be its successor's
		return nil
	}
	if n := int64(u.resend.last) - int64(first) + 1; n < int64(len(records)) {
		records = records[:max(n, 0)]
	}
	switch {
	case err != nil: // which is no reason to lose the connection
		u.cfg.Logger.Error("what the centre asks for again cannot be read", "first", u.resend.next, "last", u.resend.last, "error", err)
		u.resend = resend{}
		return nil
	case len(records) == 0:
		u.cfg.Logger.Info("what the centre has asked for again is sent, as far as it is still here", "last", u.resend.last)
		u.resend = resend{}
		return nil
	}
	b := wire.Batch{Device: u.device, Epoch: u.epoch, First: first, Released: first - 1, Records: records}
	b.Sign(u.cfg.Key)
	payload, err := b.Encode()
	if err != nil {
		return err
	}
	if err := c.send(outgoing{channel: wire.RecordsChannel, payload: payload, last: b.Last()}); err != nil {
		return fmt.Errorf("send a batch again: %w", err)
	}
	u.resend.through, u.resend.at = b.Last(), time.Now()
	u.count(func(s *Stats) { s.Batches++ })
	return nil
}
