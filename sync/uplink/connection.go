package uplink

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/sync/wire"
)

// connection is one connection to the broker. It works around what paho does on its own: reconnecting, storing and
// completing tokens across reconnects are all switched off, so that one connection is one client and ends for good.
type connection struct {
	u        *Uplink
	client   mqtt.Client
	lost     chan error
	messages chan message
	pubacks  chan uint64 // last seqs of batches that the broker has
	ended    chan struct{}
}

// message is what came from the centre.
type message struct {
	channel wire.Channel
	payload []byte
}

var errDisconnected = errors.New("the connection was closed")

// brokerURL returns the broker's address in paho's spelling.
func brokerURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("broker %q: want mqtt://host:port or mqtts://host:port", s)
	}
	switch u.Scheme {
	case "mqtt":
		u.Scheme = "tcp"
	case "mqtts":
		u.Scheme = "ssl"
	default:
		return "", fmt.Errorf("broker %q: want mqtt://host:port or mqtts://host:port", s)
	}
	return u.String(), nil
}

// dial connects, subscribes and says that the box is online.
func (u *Uplink) dial(ctx context.Context) (*connection, error) {
	broker, err := brokerURL(u.cfg.Broker)
	if err != nil {
		return nil, err
	}
	c := &connection{u: u, lost: make(chan error, 1), messages: make(chan message, 64), pubacks: make(chan uint64, 64), ended: make(chan struct{})}
	offline := u.cfg.Presence
	offline.Online = false
	will, err := wire.EncodeState(offline)
	if err != nil {
		return nil, err
	}
	o := mqtt.NewClientOptions().AddBroker(broker).
		SetClientID("hcp-"+string(u.device)).SetUsername(u.cfg.Username).SetPassword(u.cfg.Password).
		SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).
		SetKeepAlive(u.cfg.KeepAlive).SetPingTimeout(u.cfg.KeepAlive/2).SetConnectTimeout(u.cfg.Connect).SetWriteTimeout(u.cfg.Connect).
		SetMessageChannelDepth(64).
		SetBinaryWill(wire.Topic(u.device, wire.PresenceChannel), will, 1, true).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { c.fail(err) }).
		SetDefaultPublishHandler(c.onMessage)
	if u.cfg.TLS != nil {
		o.SetTLSConfig(u.cfg.TLS)
	}
	c.client = mqtt.NewClient(o)
	if err := c.wait(ctx, c.client.Connect(), u.cfg.Connect); err != nil {
		c.close()
		return nil, fmt.Errorf("connect: %w", err)
	}
	topics := make(map[string]byte)
	for _, ch := range []wire.Channel{wire.AckChannel, wire.CommandChannel, wire.ConfigChannel} {
		topics[wire.Topic(u.device, ch)] = 1
	}
	if err := c.wait(ctx, c.client.SubscribeMultiple(topics, nil), u.cfg.Connect); err != nil {
		c.close()
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	online := u.cfg.Presence
	online.Online = true
	if err := c.publishState(wire.PresenceChannel, true, online); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// onMessage runs on paho's goroutines and must not block: what does not fit is dropped, since the centre repeats it.
func (c *connection) onMessage(_ mqtt.Client, m mqtt.Message) {
	_, channel, err := wire.ParseTopic(m.Topic())
	if err != nil {
		return
	}
	select {
	case c.messages <- message{channel, m.Payload()}:
	default:
	}
}

func (c *connection) fail(err error) {
	if err == nil {
		err = errDisconnected
	}
	select {
	case c.lost <- err:
	default:
	}
}

// wait waits for a token, at most for d.
func (c *connection) wait(ctx context.Context, t mqtt.Token, d time.Duration) error {
	select {
	case <-t.Done():
		return t.Error()
	case err := <-c.lost:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return fmt.Errorf("no answer within %s", d)
	}
}

// publishState sends a small payload and waits for the broker to take it.
func (c *connection) publishState(ch wire.Channel, retained bool, v any) error {
	payload, err := wire.EncodeState(v)
	if err != nil {
		return err
	}
	t := c.client.Publish(wire.Topic(c.u.device, ch), 1, retained, payload)
	if ch != wire.PresenceChannel {
		return nil // the next one says it again
	}
	if err := c.wait(context.Background(), t, c.u.cfg.Drain); err != nil {
		return fmt.Errorf("publish %s: %w", ch, err)
	}
	return nil
}

// publishBatch sends a batch that ends with last, and tells pubacks when the broker has it.
func (c *connection) publishBatch(payload []byte, last uint64) error {
	t := c.client.Publish(wire.Topic(c.u.device, wire.RecordsChannel), 1, false, payload)
	select {
	case <-t.Done():
		if err := t.Error(); err != nil {
			return fmt.Errorf("publish a batch: %w", err)
		}
	default:
	}
	go func() { // ends with the connection at the latest
		select {
		case <-t.Done():
			if t.Error() == nil {
				select {
				case c.pubacks <- last:
				case <-c.ended:
				}
			}
		case <-c.ended:
		}
	}()
	return nil
}

func (c *connection) close() {
	close(c.ended)
	c.client.Disconnect(100)
}
