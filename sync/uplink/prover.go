package uplink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"haochaping/sync/mqtt5"
	"haochaping/sync/wire"
)

// prover publishes batches where the broker's word releases them (AckBroker). It does so in MQTT 5, one after the other over a
// connection of its own, since a broker of 3.1.1 also confirms what nobody may write or nobody gets. It belongs to one goroutine.
type prover struct {
	l     *line
	queue chan outgoing
	conn  net.Conn // nil before it is needed
	asker *mqtt5.Client
	offer mqtt5.Offer
	used  time.Time
}

// proverIdle is how long its connection is used again, which is before a broker ends it for its silence.
const proverIdle = 30 * time.Second

func newProver(l *line) *prover { return &prover{l: l, queue: make(chan outgoing, outQueue)} }

// run publishes what is queued until the line ends. What was not proven ends the line.
func (p *prover) run() {
	defer p.close()
	for {
		select {
		case <-p.l.ended.Done():
			return
		case o := <-p.queue:
			switch err := p.publish(o.payload); {
			case errors.Is(err, ErrNoReceiver):
				continue // it is sent again once there is one
			case err != nil:
				p.l.fail(fmt.Errorf("the broker's word does not release records: %w", err))
				return
			}
			select {
			case p.l.taken <- o.last:
			case <-p.l.ended.Done():
			}
		}
	}
}

// publish returns nil when the broker has handed a batch on to somebody, now or once he is back.
func (p *prover) publish(payload []byte) error {
	if p.conn != nil && time.Since(p.used) > proverIdle {
		p.close()
	}
	if err := p.connect(); err != nil {
		return err
	}
	if p.l.u.held() {
		return ErrNoReceiver
	}
	topic := wire.Topic(p.l.u.device, wire.RecordsChannel)
	size := packetSize(topic, payload)
	if limit := int(p.offer.MaxPacket); limit > 0 && size > limit {
		return &TooLargeError{Bytes: size, Limit: limit}
	}
	reason, err := p.asker.Publish(topic, payload)
	p.used = time.Now()
	if err != nil {
		return err
	}
	return judged(reason, size)
}

func (p *prover) connect() (err error) {
	if p.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(p.l.ended, 6*p.l.way.limit)
	defer cancel()
	p.asker, p.offer, p.conn, err = p.l.way.asker(ctx, "ack")
	if errors.Is(err, mqtt5.ErrVersion) {
		return errors.Join(ErrUnproven, err)
	}
	return err
}

func (p *prover) close() {
	if p.conn != nil {
		_ = p.conn.Close() // it is given up
		p.conn = nil
	}
}
