package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/central/ledger"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// take takes one message. The broker is told that it need not come again, unless the books fail. It returns the token of
// the acknowledgement that was sent, if any.
func (in *Ingest) take(ctx context.Context, w work) (sent mqtt.Token, err error) {
	now := in.cfg.Now()
	var wrong error
	switch w.channel {
	case wire.RecordsChannel:
		if sent, err = in.takeBatch(ctx, w, now); err != nil {
			return nil, err
		}
	case wire.PresenceChannel:
		var p wire.Presence
		if len(w.message.Payload()) == 0 {
			break // a retained message that was taken away
		}
		if p, wrong = wire.DecodePresence(w.message.Payload()); wrong == nil {
			in.notes.presence(w.device, p, now)
		}
	case wire.HealthChannel:
		var h wire.Health
		if h, wrong = wire.DecodeHealth(w.message.Payload()); wrong == nil {
			in.notes.health(w.device, h, now)
		}
	case wire.ReplyChannel:
		var r wire.Reply
		if r, wrong = wire.DecodeReply(w.message.Payload()); wrong == nil && !r.OK && in.notes.failed(w.device) {
			in.cfg.Logger.Warn("a box did not carry out a command", "device", w.device, "command", r.ID, "error", r.Error)
		}
	}
	if wrong != nil {
		in.cfg.Logger.Debug("a message was not understood", "device", w.device, "channel", w.channel, "error", wrong)
	}
	w.message.Ack()
	return sent, nil
}

// takeBatch writes a batch and acknowledges it, or notes why it is not believed. An error is the books'.
func (in *Ingest) takeBatch(ctx context.Context, w work, now time.Time) (mqtt.Token, error) {
	b, d, why, err := in.believe(ctx, w)
	if err != nil {
		return nil, booksError{err}
	}
	if why != "" {
		in.refuse(w, why, now)
		return nil, nil
	}
	res, err := in.cfg.Ledger.AddBatch(ctx, b, d.Key, now)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		// If the books can be written, it is this batch that they cannot take; the others must not wait for it.
		if check := in.cfg.Ledger.Check(ctx); check != nil {
			return nil, booksError{errors.Join(err, check)}
		}
		if res, err = in.cfg.Ledger.AddBatch(ctx, b, d.Key, now); err != nil {
			in.cfg.Logger.Error("the books cannot take a batch, though they can be written; the box keeps it; report this as a fault of the program",
				"device", b.Device, "epoch", b.Epoch, "first", b.First, "error", err)
			in.refuse(w, "the books cannot take it: "+err.Error(), now)
			return nil, nil
		}
	}
	if res.Forks > 0 {
		in.cfg.Logger.Error("a box has sent other records under numbers that the books have; there may be two boxes with one name and key, as after a card was copied; look at \"centrald findings\"",
			"device", b.Device, "epoch", b.Epoch, "first", b.First, "last", b.Last(), "forks", res.Forks)
	}
	if res.Ack > 0 && res.AckHead == (rating.Hash{}) {
		return nil, nil // the last that could be named was never here; the box names it as released itself
	}
	sent, err := in.publish(b.Device, wire.AckChannel, false, wire.AckPurpose, &wire.Ack{
		Device: b.Device, Epoch: b.Epoch, Through: res.Ack, Head: res.AckHead, Quarantined: res.Quarantined, Time: now.UnixMilli(),
		Kinds: rating.Kinds(),
	})
	if err != nil {
		in.cfg.Logger.Warn("an acknowledgement was not sent; the box sends again", "device", b.Device, "error", err)
	}
	return sent, nil
}

// believe reads a batch and returns why it is not believed, if so.
func (in *Ingest) believe(ctx context.Context, w work) (b wire.Batch, d ledger.Device, why string, err error) {
	b, err = wire.DecodeBatch(w.message.Payload())
	if err != nil {
		return b, d, err.Error(), nil
	}
	if b.Device != w.device {
		return b, d, fmt.Sprintf("it came on the topic of %s and says that it is of %s", w.device, b.Device), nil
	}
	d, err = in.cfg.Ledger.Device(ctx, b.Device)
	switch {
	case errors.Is(err, ledger.ErrNoDevice):
		return b, d, "the device is not enrolled", nil
	case err != nil:
		return b, d, "", fmt.Errorf("the devices cannot be read: %w", err)
	case !b.Verify(d.Key):
		return b, d, "the signature is not that of the device's key", nil
	}
	return b, d, "", nil
}

func (in *Ingest) refuse(w work, why string, now time.Time) {
	const most = 500 // bytes; a payload may be in an error's words
	if len(why) > most {
		why = why[:most] + "…"
	}
	if in.notes.refuse(w.device, why, now) {
		in.cfg.Logger.Warn("a batch is not believed; the box keeps it", "device", w.device, "reason", why)
	}
}
