package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
	"haochaping/sync/wire"
)

// hear takes what a box says besides records. The broker is told that it need not come again.
func (in *Ingest) hear(w work) {
	now := in.cfg.Now()
	var wrong error
	switch w.channel {
	case wire.PresenceChannel:
		var p wire.Presence
		if len(w.message.Payload()) == 0 {
			break // a retained message that was taken away
		}
		if p, wrong = wire.DecodePresence(w.message.Payload()); wrong == nil {
			in.notes.presence(w.device, p, now)
			if p.Online && in.cfg.Missed != nil {
				in.missed.add(w.device)
			}
		}
	case wire.HealthChannel:
		var h wire.Health
		if h, wrong = wire.DecodeHealth(w.message.Payload()); wrong == nil {
			in.notes.health(w.device, h, now)
		}
	case wire.ReplyChannel:
		var r wire.Reply
		if r, wrong = wire.DecodeReply(w.message.Payload()); wrong != nil {
			break
		}
		in.heard.replied(w.device, r)
		if fleet.Answers(r) {
			in.notes.replied(w.device, r, now)
		}
		if !r.OK && in.notes.failed(w.device) {
			in.cfg.Logger.Warn("a box did not carry out a command", "device", w.device, "command", r.ID, "error", r.Error)
		}
	}
	if wrong != nil {
		in.cfg.Logger.Debug("a message was not understood", "device", w.device, "channel", w.channel, "error", wrong)
	}
	w.message.Ack()
}

// believed is a batch that is believed, and what became of it.
type believed struct {
	work    work
	batch   wire.Batch
	hashes  []rating.Hash // of the batch's records
	key     []byte        // of its device
	until   *journal.Until
	at      time.Time // when it was received
	receipt journal.Receipt
	err     error
}

// entry returns the batch as the journal enters it.
func (b believed) entry() journal.Entry {
	return journal.Entry{Kind: journal.Batch, Source: string(b.batch.Device), Received: b.at.UnixMilli(), Key: b.key,
		Signature: b.batch.Signature,
		Epoch:     b.batch.Epoch, First: b.batch.First, Released: b.batch.Released, Parts: b.batch.Records, Hashes: b.hashes, Until: b.until}
}

// read reads a batch and returns why it is not believed, if so. Its signature is still to be checked. An error is the database's.
func (in *Ingest) read(ctx context.Context, w work) (b believed, why string, err error) {
	b = believed{work: w, at: in.cfg.Now()}
	b.batch, err = wire.DecodeBatch(w.message.Payload())
	if err != nil {
		return b, err.Error(), nil
	}
	if b.batch.Device != w.device {
		return b, fmt.Sprintf("it came on the topic of %s and says that it is of %s", w.device, b.batch.Device), nil
	}
	b.hashes = b.batch.Hashes()
	d, err := in.cfg.Fleet.Known(ctx, b.batch.Device)
	switch {
	case errors.Is(err, fleet.ErrNoDevice):
		return b, "the device is not enrolled", nil
	case err != nil:
		return b, "", fmt.Errorf("the devices cannot be read: %w", err)
	}
	if named := wire.Named(d.Key); named != b.batch.Algorithm {
		return b, fmt.Sprintf("it is signed in %s, and the device is enrolled with a key of %s",
			cmp.Or(b.batch.Algorithm, recordkey.Ed25519), recordkey.Of(d.Key)), nil
	}
	b.key, b.until = d.Key, d.Retired
	return b, "", nil
}

// signed returns what the batch's box has signed.
func (b believed) signed() journal.Signed {
	return journal.Signed{Key: b.key, Signature: b.batch.Signature,
		Text: wire.BatchText(b.batch.Device, b.batch.Epoch, b.batch.First, b.batch.Released, b.hashes)}
}

func (in *Ingest) refuse(w work, why string, now time.Time) {
	why = readable(why)
	if in.notes.refuse(w.device, why, now) {
		in.cfg.Logger.Warn("a batch is not believed; the box keeps it", "device", w.device, "reason", why)
	}
}

// readable returns a reason, in which a payload may stand, as any database takes it: short, in whole characters, without zeros.
func readable(why string) string {
	const most = 500 // bytes
	if len(why) > most {
		why = why[:most] + "…"
	}
	return strings.ReplaceAll(strings.ToValidUTF8(why, ""), "\x00", "")
}

// answer acknowledges a batch that is committed to its box. It returns an error if the session has to end; else the broker may forget the
// batch.
func (in *Ingest) answer(b believed, acks *acks) error {
	switch {
	case errors.Is(b.err, journal.ErrUnavailable):
		// A broker sends no more once enough messages are unanswered. Without a session it gives them to another instance, and the boxes
		// send again in any case.
		return booksError{b.err}
	case b.err != nil:
		in.cfg.Logger.Error("the journal cannot take a batch, though it can be written; the box keeps it; report this as a fault of the program",
			"device", b.batch.Device, "epoch", b.batch.Epoch, "first", b.batch.First, "error", b.err)
		in.refuse(b.work, "the journal cannot take it: "+b.err.Error(), b.at)
		return nil
	case b.receipt.Refused != "":
		in.refuse(b.work, b.receipt.Refused, b.at)
	}
	if b.receipt.Forks > 0 && b.receipt.Entered {
		in.cfg.Logger.Error("a box has sent other records under numbers that are taken; there may be two boxes with one name and key, as after "+
			"a card was copied; look at \"centrald findings\"",
			"device", b.batch.Device, "epoch", b.batch.Epoch, "first", b.batch.First, "last", b.batch.Last(), "forks", b.receipt.Forks)
	}
	if b.receipt.Missing[0] > 0 {
		in.askAgain(b)
	}
	// The last that could be named may never have been here; the box names it as released itself.
	if r := b.receipt; r.Ack > 0 && r.AckHead != (rating.Hash{}) {
		qos := acks.qos(in.cfg.Now())
		sent, err := in.publishAt(qos, b.batch.Device, wire.AckChannel, false, wire.AckPurpose, &wire.Ack{
			Device: b.batch.Device, Epoch: b.batch.Epoch, Through: r.Ack, Head: r.AckHead, Quarantined: r.Quarantined, Time: b.at.UnixMilli(),
			Kinds: rating.Kinds(),
			First: b.batch.First, Last: b.batch.Last(),
		})
		if err != nil {
			in.cfg.Logger.Warn("an acknowledgement was not sent; the box sends again", "device", b.batch.Device, "error", err)
		} else {
			if qos > 0 {
				acks.add(sent, in.cfg.Now())
			}
			in.notes.acknowledged(b.batch.Device, b.at)
		}
	}
	return nil
}
