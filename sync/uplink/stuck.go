package uplink

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"haochaping/sync/mqtt5"
	"haochaping/sync/wire"
)

// A broker may have a limit below what one record needs: it drops the message, with or without the connection, and confirms
// it all the same in MQTT 3.1.1. Such a record stays pending, those behind it are sent, and it is told of until somebody has
// raised the limit. Whether it is so the broker is asked in MQTT 5, so that a centre that is merely away is not taken for it.

// suspectBytes is the size of a batch of one record from which on it may be too large for a broker.
const suspectBytes = 4 << 10

// maxStuck bounds the records that are passed over; with more the first of the others holds up what is behind.
const maxStuck = 100

// suspectError ends a session over which a record was sent that the broker takes and the centre does not answer.
type suspectError struct{ seq uint64 }

// Error says which.
func (e *suspectError) Error() string {
	return fmt.Sprintf("record %d is not answered; whether the broker hands it on is asked next", e.seq)
}

var errTryStuck = errors.New("records that were too large for the broker are tried again")

// stuck are the records that cannot be sent. It belongs to Run but for what Uplink.Stuck shows.
type stuck struct {
	records []wire.Stuck // by ascending seqs; read under Uplink.mu elsewhere
	tried   time.Time    // when they were
	asked   map[uint64]time.Time
	seq     uint64 // of the lone record under which the last connection broke
	losses  int    // of connections under it
}

// Stuck returns the records that are too large for the broker, oldest first. It is safe for concurrent use.
func (u *Uplink) Stuck() []wire.Stuck {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.stuck.records)
}

func (u *Uplink) setStuck(records []wire.Stuck) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stuck.records = records
}

// passStuck moves the window over records that cannot be sent, and returns how many may follow until the next.
func (u *Uplink) passStuck() (room int) {
	for _, s := range u.stuck.records {
		switch next := u.window.sent + 1; {
		case s.Seq == next:
			u.window = u.window.skip()
		case s.Seq > next:
			return int(min(s.Seq-next, wire.MaxBatchRecords))
		}
	}
	return wire.MaxBatchRecords
}

// behindStuck takes an acknowledgement that releases nothing for the answer to a batch behind a record that cannot be sent, if it
// names that batch: brokers and their clients repeat old ones. A centre that names none is believed.
func (u *Uplink) behindStuck(a wire.Ack) bool {
	if a.Through != u.window.released || len(u.stuck.records) == 0 || u.stuck.records[0].Seq != a.Through+1 {
		return false
	}
	if a.Last > 0 && !u.window.sentAs(a.First, a.Last) {
		return false
	}
	u.window = u.window.onBeyond(time.Now())
	return true
}

// took acts on the broker's word that it has handed on a batch, where that releases records, and reports whether it was the answer to
// one. Behind a record that cannot be sent it releases nothing, as the centre's answer does.
func (u *Uplink) took(last uint64) bool {
	if u.cfg.AckMode != AckBroker {
		return false
	}
	if len(u.stuck.records) == 0 || last < u.stuck.records[0].Seq {
		return u.release(last)
	}
	if !u.window.waiting() || u.window.flights[0].last != last {
		return false // a batch that was sent twice, since the receiver had left
	}
	u.window = u.window.onBeyond(time.Now())
	u.centreAnswered()
	return true
}

// tookBefore acts on what the broker had taken when the connection was lost, so that what was on its way under it is known.
func (u *Uplink) tookBefore(c *connection) {
	for {
		select {
		case last := <-c.taken:
			u.took(last)
		default:
			return
		}
	}
}

// freeStuck forgets records that were released after all.
func (u *Uplink) freeStuck() {
	if len(u.stuck.records) == 0 {
		return
	}
	left := slices.DeleteFunc(slices.Clone(u.stuck.records), func(s wire.Stuck) bool { return s.Seq <= u.window.released })
	u.setStuck(left)
	if len(left) == 0 {
		u.window = u.window.again()
	}
}

// suspicious reports whether a silence may be due to the one record that is on its way.
func (u *Uplink) suspicious(held bool) (seq uint64, yes bool) {
	seq, bytes := u.window.suspect()
	return seq, held && bytes >= suspectBytes && u.cfg.AckMode == AckCentre && time.Since(u.stuck.asked[seq]) > 60*u.cfg.Resend
}

// judge looks at why a session has ended, and finds records that are too large for the broker.
func (u *Uplink) judge(ctx context.Context, err error) {
	seq, bytes := u.window.suspect()
	suspect := new(suspectError)
	switch {
	case errors.As(err, &suspect):
		u.examine(ctx, suspect.seq, 0)
	case seq > 0 && errors.As(err, new(*TooLargeError)): // the broker has said so
		u.examine(ctx, seq, 2)
	case seq > 0 && bytes >= suspectBytes:
		if u.stuck.seq != seq {
			u.stuck.seq, u.stuck.losses = seq, 0
		}
		if u.stuck.losses++; u.stuck.losses >= 2 {
			u.examine(ctx, seq, u.stuck.losses)
		}
	}
}

// examine asks the broker whether it takes a record under which so many connections have broken.
func (u *Uplink) examine(ctx context.Context, seq uint64, losses int) {
	if u.stuck.asked == nil || len(u.stuck.asked) > maxStuck {
		u.stuck.asked = make(map[uint64]time.Time)
	}
	u.stuck.asked[seq] = time.Now()
	s, ok, err := u.tooLarge(ctx, seq, losses)
	if err != nil || !ok || len(u.stuck.records) >= maxStuck {
		return
	}
	u.stuck.tried = time.Now()
	all := append(slices.Clone(u.stuck.records), s)
	slices.SortFunc(all, func(a, b wire.Stuck) int { return int(a.Seq) - int(b.Seq) })
	u.setStuck(all)
	u.cfg.Logger.Error("a record is larger than the broker takes; it stays here, and those behind it are sent; raise the broker's limit "+
		"(mosquitto: message_size_limit, max_packet_size; NATS: max_payload)",
		"seq", s.Seq, "bytes", s.Bytes, "limit", s.Limit)
}

// tryStuck asks again about the first of them, now and then, and begins anew if the broker takes it now.
func (u *Uplink) tryStuck(ctx context.Context) {
	if len(u.stuck.records) == 0 || time.Since(u.stuck.tried) <= 6*u.cfg.Resend {
		return
	}
	u.stuck.tried = time.Now()
	if _, still, err := u.tooLarge(ctx, u.stuck.records[0].Seq, 2); still || err != nil {
		return
	}
	u.setStuck(nil)
	u.window = u.window.again()
}

// tooLarge reports whether the broker refuses a batch of one record for its size. A broker without MQTT 5 is believed to if four
// connections have broken under it, and one that ends even that connection if two have. What else the broker says of the record is
// noted as the fault. An error says that the broker could not be asked.
func (u *Uplink) tooLarge(ctx context.Context, seq uint64, losses int) (s wire.Stuck, yes bool, err error) {
	_, records, err := u.cfg.Log.Pending(seq-1, 1, 1)
	if err != nil || len(records) == 0 {
		return s, false, err
	}
	payload, err := u.alone(seq, records[0])
	if err != nil {
		return s, false, err
	}
	s = wire.Stuck{Seq: seq, Bytes: packetSize(wire.Topic(u.device, wire.RecordsChannel), payload)}
	why, large := u.why(ctx, "size", payload), new(TooLargeError)
	switch {
	case errors.As(why, &large):
		s.Limit = large.Limit
		return s, true, nil
	case errors.Is(why, ErrMayNotWrite), errors.Is(why, ErrNobodyReads), errors.Is(why, ErrNoAnswer), errors.Is(why, ErrBusy):
		u.setFault(why)
		return s, false, nil
	case errors.Is(why, mqtt5.ErrVersion):
		return s, losses >= 4, nil
	case errors.Is(why, os.ErrDeadlineExceeded), errors.As(why, new(*StageError)): // a thin line, or none
		return s, false, why
	}
	return s, losses >= 2, nil
}
