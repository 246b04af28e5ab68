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

// resend is what the centre has asked for again; the zero value is nothing.
type resend struct {
	next, last uint64
	limit      int // bytes of the next batch, which grow while the line takes them
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
	u.resend = resend{first, min(last, u.window.released), firstLimit}
	u.cfg.Logger.Warn("the centre asks for records again that it had acknowledged; what is still here is sent", "first", first, "last", last)
	return nil
}

// sendAgain sends the next batch of what the centre has asked for again, unless something new is on its way.
func (u *Uplink) sendAgain(c *connection) error {
	h, ok := u.cfg.Log.(History)
	if !ok || u.resend.next == 0 || u.window.waiting() {
		return nil
	}
	first, records, err := h.Kept(u.resend.next, wire.MaxBatchRecords, u.resend.limit)
	if err != nil {
		return fmt.Errorf("read what the centre asks for again: %w", err)
	}
	if n := int64(u.resend.last) - int64(first) + 1; n < int64(len(records)) {
		records = records[:max(n, 0)]
	}
	if len(records) == 0 {
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
	u.resend.next, u.resend.limit = b.Last()+1, min(2*u.resend.limit, maxResend)
	if u.resend.next > u.resend.last {
		u.resend = resend{}
	}
	u.count(func(s *Stats) { s.Batches++ })
	return nil
}
