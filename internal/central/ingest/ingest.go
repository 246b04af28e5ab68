// Package ingest takes what the boxes send over MQTT into the ledger, and answers.
//
// A batch is believed only if the device is enrolled and has signed it. It is acknowledged to the box after the ledger has
// committed it, and to the broker only then too, so that a batch that was delivered to an instance that died comes again.
// A batch that is not believed is noted for the administrator and never acknowledged to the box, which keeps it: a box that
// is enrolled tomorrow loses nothing.
//
// Several instances share the load by a shared subscription. An instance whose ledger fails goes on; the boxes send again.
package ingest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net/url"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/central/ledger"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// group is the name under which the instances of a centre share the boxes' records.
const group = "central"

// commandLife is how long a command may be carried out.
const commandLife = 15 * time.Minute

// Config names the parts of an Ingest.
type Config struct {
	Broker   string // mqtt://host:port or mqtts://host:port
	ClientID string // differs between the instances
	Username string
	Password string
	TLS      *tls.Config
	Ledger   *ledger.Ledger
	Key      ed25519.PrivateKey // the centre's
	Now      func() time.Time
	Logger   *slog.Logger
}

// Ingest is one instance. Its methods are safe for concurrent use.
type Ingest struct {
	cfg    Config
	broker string

	mu        sync.Mutex
	client    mqtt.Client                // guarded by mu; nil while there is no connection
	published map[rating.DeviceID]uint32 // guarded by mu; generations whose configuration this connection has published
}

// New checks the configuration and returns an Ingest that does nothing before Run.
func New(c Config) (*Ingest, error) {
	u, err := url.Parse(c.Broker)
	if err != nil || u.Host == "" || u.Scheme != "mqtt" && u.Scheme != "mqtts" {
		return nil, fmt.Errorf("ingest: broker %q: want mqtt://host:port or mqtts://host:port", c.Broker)
	}
	u.Scheme = map[string]string{"mqtt": "tcp", "mqtts": "ssl"}[u.Scheme]
	if len(c.Key) != ed25519.PrivateKeySize {
		return nil, errors.New("ingest: the centre's key is missing")
	}
	return &Ingest{cfg: c, broker: u.String()}, nil
}

// work is a message to be taken in order.
type work struct {
	message mqtt.Message
	channel wire.Channel
	device  rating.DeviceID
}

// Run connects, takes messages and connects again, until ctx ends. It returns nil.
func (in *Ingest) Run(ctx context.Context) error {
	for attempt := 0; ctx.Err() == nil; {
		began := time.Now()
		err := in.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > time.Minute {
			attempt = 0
		}
		bound := min(10*time.Second, 200*time.Millisecond<<min(attempt, 10))
		attempt++
		wait := bound/5 + time.Duration(mathrand.Int64N(int64(bound)*4/5))
		in.cfg.Logger.Warn("no session with the broker", "error", err, "next try in", wait.Round(time.Millisecond))
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return nil
}

func (in *Ingest) session(ctx context.Context) error {
	lost := make(chan error, 1)
	ended := make(chan struct{})
	queue := make(chan work, 32) // a broker sends no more before it is answered
	receive := func(_ mqtt.Client, m mqtt.Message) {
		device, channel, err := wire.ParseTopic(m.Topic())
		if err != nil {
			m.Ack()
			return
		}
		select {
		case queue <- work{m, channel, device}:
		case <-ended:
		}
	}
	o := mqtt.NewClientOptions().AddBroker(in.broker).SetClientID(in.cfg.ClientID).
		SetUsername(in.cfg.Username).SetPassword(in.cfg.Password).SetProtocolVersion(4).SetCleanSession(true).
		SetAutoReconnect(false).SetConnectRetry(false).SetConnectTimeout(10 * time.Second).SetWriteTimeout(10 * time.Second).
		SetKeepAlive(15 * time.Second).SetOrderMatters(true).SetAutoAckDisabled(true).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) {
			select {
			case lost <- err:
			default:
			}
		}).SetDefaultPublishHandler(receive)
	if in.cfg.TLS != nil {
		o.SetTLSConfig(in.cfg.TLS)
	}
	client := mqtt.NewClient(o)
	defer client.Disconnect(100)
	defer close(ended)
	if err := wait(ctx, client.Connect(), lost); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	in.connected(client)
	defer in.connected(nil)
	topics := map[string]byte{
		wire.Shared(group, wire.RecordsChannel): 1, wire.AllDevices(wire.PresenceChannel): 1,
		wire.AllDevices(wire.HealthChannel): 1, wire.AllDevices(wire.ReplyChannel): 1,
	}
	if err := wait(ctx, client.SubscribeMultiple(topics, nil), lost); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	in.cfg.Logger.Info("connected to the broker")
	devices := time.NewTicker(2 * time.Second) // a device may be enrolled by another process
	defer devices.Stop()
	if err := in.publishConfigs(ctx); err != nil {
		in.cfg.Logger.Error("the boxes' configurations cannot be published; they are tried again", "error", err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-lost:
			return err
		case w := <-queue:
			if err := in.take(ctx, w); err != nil {
				// A broker sends no more once a few messages are unanswered. A new session gives them to another instance,
				// and the boxes send again in any case.
				return err
			}
		case <-devices.C:
			if err := in.publishConfigs(ctx); err != nil {
				in.cfg.Logger.Error("the boxes' configurations cannot be published; they are tried again", "error", err)
			}
		}
	}
}

func wait(ctx context.Context, t mqtt.Token, lost <-chan error) error {
	select {
	case <-t.Done():
		return t.Error()
	case err := <-lost:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(10 * time.Second):
		return errors.New("no answer within 10 s")
	}
}

func (in *Ingest) connected(c mqtt.Client) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.client = c
	in.published = make(map[rating.DeviceID]uint32)
}

// take takes one message. The broker is told that it need not come again, unless the ledger fails.
func (in *Ingest) take(ctx context.Context, w work) error {
	var err error
	now := in.cfg.Now()
	switch w.channel {
	case wire.RecordsChannel:
		if err := in.takeBatch(ctx, w, now); err != nil {
			return err
		}
	case wire.PresenceChannel:
		var p wire.Presence
		if p, err = wire.DecodePresence(w.message.Payload()); err == nil {
			err = in.cfg.Ledger.PutPresence(ctx, w.device, p, now)
		}
	case wire.HealthChannel:
		var h wire.Health
		if h, err = wire.DecodeHealth(w.message.Payload()); err == nil {
			err = in.cfg.Ledger.PutHealth(ctx, w.device, h, now)
		}
	case wire.ReplyChannel:
		var r wire.Reply
		if r, err = wire.DecodeReply(w.message.Payload()); err == nil && !r.OK {
			in.cfg.Logger.Warn("a box did not carry out a command", "device", w.device, "command", r.ID, "error", r.Error)
		}
	}
	if err != nil {
		in.cfg.Logger.Warn("a message was not understood or not kept", "device", w.device, "channel", w.channel, "error", err)
	}
	w.message.Ack()
	return nil
}

// takeBatch writes a batch and acknowledges it, or notes why it is not believed. An error is the ledger's.
func (in *Ingest) takeBatch(ctx context.Context, w work, now time.Time) error {
	refuse := func(why string) error {
		in.cfg.Logger.Warn("a batch is not believed; the box keeps it", "device", w.device, "reason", why)
		if err := in.cfg.Ledger.Refuse(ctx, w.device, why, now); err != nil {
			in.cfg.Logger.Error("a refusal cannot be noted", "error", err)
		}
		return nil
	}
	b, err := wire.DecodeBatch(w.message.Payload())
	if err != nil {
		return refuse(err.Error())
	}
	if b.Device != w.device {
		return refuse(fmt.Sprintf("it came on the topic of %s and says that it is of %s", w.device, b.Device))
	}
	d, err := in.cfg.Ledger.Device(ctx, b.Device)
	switch {
	case errors.Is(err, ledger.ErrNoDevice):
		return refuse("the device is not enrolled")
	case err != nil:
		return fmt.Errorf("the ledger cannot be read; the boxes send again: %w", err)
	case !b.Verify(d.Key):
		return refuse("the signature is not that of the device's key")
	}
	res, err := in.cfg.Ledger.AddBatch(ctx, b, now)
	if err != nil {
		return fmt.Errorf("a batch cannot be written; the boxes send again: %w", err)
	}
	err = in.publish(b.Device, wire.AckChannel, false, wire.AckPurpose, &wire.Ack{
		Device: b.Device, Epoch: b.Epoch, Through: res.Through, Quarantined: res.Quarantined, Time: now.UnixMilli(),
	})
	if err != nil {
		in.cfg.Logger.Warn("an acknowledgement was not sent; the box sends again", "device", b.Device, "error", err)
	}
	return nil
}

// publish sends a sealed payload without waiting for the broker: whatever is lost is asked for again.
func (in *Ingest) publish(d rating.DeviceID, ch wire.Channel, retained bool, p wire.Purpose, body any) error {
	payload, err := wire.Seal(in.cfg.Key, p, body)
	if err != nil {
		return err
	}
	in.mu.Lock()
	c := in.client
	in.mu.Unlock()
	if c == nil {
		return errors.New("no connection to the broker")
	}
	t := c.Publish(wire.Topic(d, ch), 1, retained, payload)
	select {
	case <-t.Done():
		return t.Error()
	default:
		return nil
	}
}

// publishConfigs publishes the configurations that this connection has not published yet.
func (in *Ingest) publishConfigs(ctx context.Context) error {
	devices, err := in.cfg.Ledger.Devices(ctx)
	if err != nil {
		return err
	}
	for _, d := range devices {
		in.mu.Lock()
		done := in.published[d.ID] == d.Window.Generation
		in.mu.Unlock()
		if done {
			continue
		}
		if err := in.publish(d.ID, wire.ConfigChannel, true, wire.ConfigPurpose, &wire.Config{Device: d.ID, Window: d.Window}); err != nil {
			return fmt.Errorf("configuration of %s: %w", d.ID, err)
		}
		in.mu.Lock()
		in.published[d.ID] = d.Window.Generation
		in.mu.Unlock()
	}
	return nil
}

// PhoneRated tells a box that a subject of a visit was rated by phone, and not how. A box that is offline is not told; its
// visit then times out, which changes nothing in the books.
func (in *Ingest) PhoneRated(_ context.Context, d rating.DeviceID, v rating.VisitID, s rating.Subject) error {
	return in.publish(d, wire.CommandChannel, false, wire.CommandPurpose, &wire.Command{
		Device: d, ID: rand.Text(), Name: wire.CommandPhoneRated, Expires: in.cfg.Now().Add(commandLife).UnixMilli(),
		Args: map[string]string{"visit": v.String(), "subject": string(s)},
	})
}
