package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"

	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"haochaping/internal/proof/rawmqtt"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// patience bounds each step of a login and each write.
const patience = 30 * time.Second

// resend is after which silence a terminal sends again, as a box does.
const resend = 10 * time.Second

// terminal is one connection with the batches that it will send. Its reader is a goroutine of its own; whoever sends holds mu.
type terminal struct {
	device  rating.DeviceID
	packets [][]byte // a PUBLISH for each batch
	records uint64   // in each
	client  *rawmqtt.Client

	mu       sync.Mutex
	due      []time.Time // when each batch that was sent was due
	acked    int         // batches that the centre has acknowledged
	progress time.Time   // when something was last sent or acknowledged
	seen     int         // acknowledgements
}

// newTerminal returns a terminal with batches of some visits each that are signed and encoded.
func newTerminal(a *author, batches, visits int) (*terminal, error) {
	t := &terminal{device: a.device, packets: make([][]byte, batches), records: uint64(visits * recordsPerVisit),
		due: make([]time.Time, 0, batches)}
	topic := wire.Topic(a.device, wire.RecordsChannel)
	for i := range t.packets {
		payload, err := a.next(visits)
		if err != nil {
			return nil, err
		}
		m := rawmqtt.Message{Topic: topic, Payload: payload, QoS: 1}
		t.packets[i] = rawmqtt.AppendPublish(make([]byte, 0, len(payload)+len(topic)+8), m, uint16(i%65535)+1)
	}
	return t, nil
}

// connect logs in and subscribes to the acknowledgements.
func (t *terminal) connect(address string) (err error) {
	t.client, err = rawmqtt.Dial(address, rawmqtt.Login{ID: "hcp-" + string(t.device), User: string(t.device), Clean: true}, patience)
	if err != nil {
		return fmt.Errorf("%s: %w", t.device, err)
	}
	if err := t.client.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := t.client.Write(rawmqtt.AppendSubscribe(nil, 1, wire.Topic(t.device, wire.AckChannel))); err != nil {
		return err
	}
	p, err := rawmqtt.Read(t.client.In)
	if err != nil || p.Type != rawmqtt.SubackType || p.Body[len(p.Body)-1] > 2 {
		return fmt.Errorf("%s: the broker does not let it read its acknowledgements: %+v, %w", t.device, p, err)
	}
	return t.client.SetReadDeadline(time.Time{})
}

// send sends the next batch.
func (t *terminal) send(due time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.due)
	t.due = append(t.due, due)
	t.progress = time.Now()
	return t.write(t.packets[n])
}

// again sends what was not acknowledged for long, a few batches of it, and returns how many.
func (t *terminal) again(now time.Time) (n int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.acked == len(t.due) || now.Sub(t.progress) < resend {
		return 0, nil
	}
	t.progress = now
	const most = 8
	for _, p := range t.packets[t.acked:min(len(t.due), t.acked+most)] {
		if err := t.write(p); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// write needs mu. It has no deadline, which would cost as much as the system call; what is not taken is not acknowledged, which shows.
func (t *terminal) write(b []byte) error {
	_, err := t.client.Write(b)
	return err
}

// answers is what all readers tell.
type answers struct {
	key    ed25519.PublicKey
	acked  atomic.Int64 // batches
	note   func(batch int, t *terminal, took time.Duration)
	failed func(error)
}

// read takes acknowledgements until the connection ends.
func (t *terminal) read(ctx context.Context, a *answers) {
	for {
		p, err := rawmqtt.Read(t.client.In)
		if err == nil && p.Type == rawmqtt.PublishType {
			err = t.take(p, a)
		}
		if err != nil {
			if ctx.Err() == nil {
				a.failed(fmt.Errorf("%s: %w", t.device, err))
			}
			return
		}
	}
}

// take takes an acknowledgement and answers it.
func (t *terminal) take(p rawmqtt.Packet, a *answers) error {
	now := time.Now()
	m, id, err := p.Message()
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	through, err := readAck(m.Payload, t.seen%100 == 0, a.key)
	if err != nil {
		return err
	}
	t.seen++
	if batches := int(through / t.records); batches > t.acked && batches <= len(t.due) {
		for i := t.acked; i < batches; i++ {
			a.note(i, t, now.Sub(t.due[i]))
		}
		a.acked.Add(int64(batches - t.acked))
		t.acked, t.progress = batches, now
	}
	if m.QoS == 0 {
		return nil
	}
	return t.write(rawmqtt.AppendPuback(nil, id))
}

// readAck returns through which record an acknowledgement goes. To verify each would cost more than all else here.
func readAck(payload []byte, verify bool, key ed25519.PublicKey) (uint64, error) {
	if verify {
		a, err := wire.OpenAck(key, payload)
		return a.Through, err
	}
	const name = `"through":`
	_, rest, ok := bytes.Cut(payload, []byte(name))
	end := bytes.IndexAny(rest, ",}")
	if !ok || end < 0 {
		return 0, fmt.Errorf("an acknowledgement that says %.80q", payload)
	}
	return strconv.ParseUint(string(rest[:end]), 10, 64)
}

func (t *terminal) close() {
	if t.client != nil {
		_ = t.client.Close() // nothing more is wanted of it
	}
}
