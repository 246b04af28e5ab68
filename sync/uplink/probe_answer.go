package uplink

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/url"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/rating"
	"haochaping/sync/mqtt5"
	"haochaping/sync/wire"
)

// Sample is a record of the box's log with what it takes to send it: the last one that was released, or the first if none was.
// The centre knows it, or is to have it next, and acknowledges it in either case.
type Sample struct {
	Key    ed25519.PrivateKey // the box's
	Epoch  rating.Epoch
	Seq    uint64
	Record []byte
}

// Errors of a Probe at StageAnswer.
var (
	// ErrMayNotWrite says that the broker's rules do not let the box publish records. In MQTT 3.1.1 it takes and drops them.
	ErrMayNotWrite = errors.New("the broker does not let the box publish its records")
	// ErrNobodyReads says that the broker has nobody to hand records to.
	ErrNobodyReads = errors.New("nobody reads the box's records at the broker")
	// ErrNoAnswer says that no acknowledgement came, though the broker hands the records on as far as it says.
	ErrNoAnswer = errors.New("no acknowledgement came from the centre")
	// ErrUnproven says that the broker's word releases records, and that it cannot say whether anybody has them.
	ErrUnproven = errors.New("the broker cannot say whether anybody gets the records that its word releases")
)

// answer sends the sample and waits for the centre's acknowledgement. If none comes it asks the broker why.
func (c ProbeConfig) answer(ctx context.Context, client mqtt.Client, broker *url.URL) error {
	b := wire.Batch{Device: c.Device, Epoch: c.Sample.Epoch, First: c.Sample.Seq, Records: [][]byte{c.Sample.Record}}
	b.Sign(c.Sample.Key)
	payload, err := b.Encode()
	if err != nil {
		return err
	}
	if c.AckMode == AckBroker {
		return c.why(ctx, broker, payload)
	}
	came := make(chan error, 16)
	token := client.Subscribe(wire.Topic(c.Device, wire.AckChannel), 1, func(_ mqtt.Client, m mqtt.Message) {
		a, err := wire.OpenAck(c.Centre, m.Payload())
		if err == nil && (a.Device != c.Device || a.Epoch != c.Sample.Epoch || a.Through < c.Sample.Seq) {
			return // an answer to the box itself
		}
		select {
		case came <- err:
		default:
		}
	})
	if err := c.wait(ctx, token); err != nil {
		return err
	}
	client.Publish(wire.Topic(c.Device, wire.RecordsChannel), 1, false, payload) // whether it came shows in the answer
	late := time.NewTimer(c.Limit)
	defer late.Stop()
	select {
	case err := <-came:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
	}
	return c.why(ctx, broker, payload)
}

// why publishes once more in MQTT 5, in which a broker says what it does with a message. If it hands it on, it is the answer
// that was missing.
func (c ProbeConfig) why(ctx context.Context, broker *url.URL, payload []byte) error {
	unknown := ErrNoAnswer
	if c.AckMode == AckBroker {
		unknown = ErrUnproven
	}
	conn, err := c.reach(ctx, broker, new(Probed))
	if err != nil {
		return errors.Join(unknown, err)
	}
	defer func() { _ = conn.Close() }() // nothing more is wanted of it
	asker, _, err := mqtt5.Connect(conn, mqtt5.Login{ID: "chk-" + string(c.Device) + "-" + c.Suffix, Username: c.Username, Password: c.Password}, c.Limit)
	if err != nil {
		return errors.Join(unknown, err)
	}
	reason, err := asker.Publish(wire.Topic(c.Device, wire.RecordsChannel), payload)
	switch {
	case err != nil:
		return errors.Join(unknown, err)
	case reason == mqtt5.NotAuthorised:
		return ErrMayNotWrite
	case reason == mqtt5.NobodyReads:
		return ErrNobodyReads
	case reason.Refused():
		return fmt.Errorf("%w: reason 0x%02x", ErrMayNotWrite, byte(reason))
	case c.AckMode == AckBroker:
		return nil
	}
	return ErrNoAnswer
}
