package uplink

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// Stage is how far a Probe has come.
type Stage int

// The stages, in their order. A Probe that failed at one has passed those before it.
const (
	StageReach     Stage = iota + 1 // the name is known and the port answers
	StageTLS                        // the broker's certificate is trusted
	StageLogin                      // the broker takes user and password
	StageSubscribe                  // the broker lets the box read its topics
	StageConfig                     // the centre's signed configuration is there
	StageAnswer                     // the centre acknowledges a record that it is sent again
	StageDone
)

// Errors of a Probe at StageConfig.
var (
	// ErrNoConfig says that the broker keeps no configuration for the box: the centre has not enrolled it.
	ErrNoConfig = errors.New("the broker has no configuration for this box")
	// ErrOtherCentre says that the configuration is not signed by the centre that the box knows.
	ErrOtherCentre = errors.New("the configuration for this box is not signed by the centre's key")
)

// ProbeConfig says what a Probe tries. All but TLS are needed.
type ProbeConfig struct {
	Broker   string // as in Config
	Username string
	Password string
	TLS      *tls.Config
	Device   rating.DeviceID
	Centre   ed25519.PublicKey
	Suffix   string // up to six letters or digits that make the client's name its own
	Now      func() time.Time
	Synced   func() bool
	Limit    time.Duration // bound of each step
	Sample   *Sample       // nil: StageAnswer is left out
	AckMode  AckMode
}

// Probed is what a Probe has seen. At is the stage that failed, StageDone if none did.
type Probed struct {
	At          Stage
	Address     string
	Took        time.Duration     // until the port answered
	Certificate *x509.Certificate // the broker's; nil without TLS
	Window      rating.Window     // of the configuration
}

// Probe goes the uplink's way to the centre's last word, step by step, and tells at which it fails. It is for looking from
// beside a box that may be connected: it has a client's name of its own and no will, and publishes nothing but a record that the
// box has sent already or is about to, so that neither the box nor the centre minds.
func Probe(ctx context.Context, c ProbeConfig) (out Probed, err error) {
	out.At = StageReach
	broker, err := brokerURL(c.Broker)
	if err != nil {
		return out, err
	}
	out.Address = broker.Host
	conn, err := c.reach(ctx, broker, &out)
	if err != nil {
		return out, err
	}
	defer func() { _ = conn.Close() }() // below a client that has been told to end
	return c.ask(ctx, conn, broker, out)
}

// reach makes the connection.
func (c ProbeConfig) reach(ctx context.Context, broker *url.URL, out *Probed) (net.Conn, error) {
	dialer := net.Dialer{Timeout: c.Limit}
	began := time.Now()
	conn, err := dialer.DialContext(ctx, "tcp", broker.Host)
	if err != nil {
		return nil, err
	}
	out.Took = time.Since(began)
	if broker.Scheme != "ssl" {
		return conn, nil
	}
	out.At = StageTLS
	judge := &trust{now: c.Now, synced: c.Synced}
	config := judge.config(c.TLS, broker.Hostname())
	verify := config.VerifyConnection
	config.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) > 0 {
			out.Certificate = s.PeerCertificates[0] // also of one that is refused
		}
		if verify == nil {
			return nil
		}
		return verify(s)
	}
	secure, err := handshake(ctx, conn, config, c.Limit)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
}

// ask logs in and waits for the configuration that the broker keeps.
func (c ProbeConfig) ask(ctx context.Context, conn net.Conn, broker *url.URL, out Probed) (Probed, error) {
	out.At = StageLogin
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(broker.String()).
		SetClientID("chk-" + string(c.Device) + "-" + c.Suffix).SetUsername(c.Username).SetPassword(c.Password).
		SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).
		SetConnectTimeout(c.Limit).SetWriteTimeout(c.Limit).SetPingTimeout(c.Limit).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return conn, nil }))
	if err := c.wait(ctx, client.Connect()); err != nil {
		return out, err
	}
	defer client.Disconnect(100)
	out.At = StageSubscribe
	topic := wire.Topic(c.Device, wire.ConfigChannel)
	kept := make(chan []byte, 1)
	t := client.Subscribe(topic, 1, func(_ mqtt.Client, m mqtt.Message) {
		select {
		case kept <- m.Payload():
		default:
		}
	})
	if err := c.wait(ctx, t); err != nil {
		return out, err
	}
	if s, ok := t.(*mqtt.SubscribeToken); ok && s.Result()[topic] > 2 { // paho reports a refusal as success
		return out, fmt.Errorf("the broker does not let %q read %s", c.Username, topic)
	}
	out.At = StageConfig
	late := time.NewTimer(c.Limit)
	defer late.Stop()
	select {
	case payload := <-kept:
		if len(c.Centre) != ed25519.PublicKeySize {
			return out, errors.New("the centre's key is missing")
		}
		config, err := wire.OpenConfig(c.Centre, payload)
		if err != nil {
			return out, fmt.Errorf("%w: %w", ErrOtherCentre, err)
		}
		if config.Device != c.Device {
			return out, fmt.Errorf("the configuration is for the box %s", config.Device)
		}
		out.Window = config.Window
	case <-late.C:
		return out, ErrNoConfig
	case <-ctx.Done():
		return out, ctx.Err()
	}
	if c.Sample != nil {
		out.At = StageAnswer
		if err := c.answer(ctx, client, broker); err != nil {
			return out, err
		}
	}
	out.At = StageDone
	return out, nil
}

// wait waits for a token, at most for the limit.
func (c ProbeConfig) wait(ctx context.Context, t mqtt.Token) error {
	late := time.NewTimer(c.Limit)
	defer late.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
		return fmt.Errorf("no answer within %s", c.Limit)
	}
}

// IsRefused reports whether the broker has refused the user or the password, rather than being out of order.
func IsRefused(err error) bool {
	return errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword) || errors.Is(err, packets.ErrorRefusedNotAuthorised)
}
