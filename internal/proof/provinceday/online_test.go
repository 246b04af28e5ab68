package provinceday

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"haochaping/internal/proof/rawmqtt"
	"haochaping/sync/wire"
)

// patience is how long a login may take.
const patience = time.Minute

// resend is after which silence a box sends again.
func (s size) resend() time.Duration { return min(10*time.Second, s.lasts/4) }

// connected plays a box's day over MQTT: each visit is acknowledged before the next is sent.
func (p *province) connected(ctx context.Context, b *box, address string, key ed25519.PublicKey) error {
	c, err := rawmqtt.Dial(address, rawmqtt.Login{ID: "hcp-" + string(b.device), User: string(b.device), Clean: true}, patience)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write(rawmqtt.AppendSubscribe(nil, 1, wire.Topic(b.device, wire.AckChannel))); err != nil {
		return err
	}
	through, ended := make(chan uint64, 16), make(chan error, 1)
	go func() { ended <- acknowledged(c, key, through) }()
	for n := range p.visits {
		if err := p.sleep(ctx, p.due(b, n)); err != nil {
			return err
		}
		v, err := b.visit(n, p.now())
		if err != nil {
			return err
		}
		m := rawmqtt.AppendPublish(nil, rawmqtt.Message{Topic: wire.Topic(b.device, wire.RecordsChannel), Payload: v.payload, QoS: 1},
			uint16(n+1))
		for acked := false; !acked; {
			if _, err := c.Write(m); err != nil {
				return err
			}
			if acked, err = heard(ctx, b.seq, p.resend(), through, ended); err != nil {
				return err
			}
		}
		if err := p.took(b, n, v); err != nil {
			return err
		}
	}
	return nil
}

// heard waits until a record is acknowledged, and reports false if it has to be sent again.
func heard(ctx context.Context, seq uint64, resend time.Duration, through <-chan uint64, ended <-chan error) (bool, error) {
	again := time.NewTimer(resend)
	defer again.Stop()
	for {
		select {
		case t := <-through:
			if t >= seq {
				return true, nil
			}
		case err := <-ended:
			return false, fmt.Errorf("the connection ended: %w", err)
		case <-again.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// acknowledged reads acknowledgements until the connection ends.
func acknowledged(c *rawmqtt.Client, key ed25519.PublicKey, through chan<- uint64) error {
	for {
		packet, err := rawmqtt.Read(c.In)
		if err != nil {
			return err
		}
		if packet.Type != rawmqtt.PublishType {
			continue
		}
		m, id, err := packet.Message()
		if err != nil {
			return err
		}
		a, err := wire.OpenAck(key, m.Payload)
		if err != nil {
			return err
		}
		if m.QoS > 0 {
			if _, err := c.Write(rawmqtt.AppendPuback(nil, id)); err != nil {
				return err
			}
		}
		select {
		case through <- a.Through:
		default: // the box reads the next one
		}
	}
}
