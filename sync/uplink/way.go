package uplink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/rating"
	"haochaping/sync/mqtt5"
	"haochaping/sync/wire"
)

// way is how a client of the box reaches one broker and logs in: the daemon's own, those beside it that ask the broker why, and
// the doctor's. There is no other code that connects.
type way struct {
	broker   *url.URL
	device   rating.DeviceID
	username string
	password string
	tls      *tls.Config
	trust    *trust
	limit    time.Duration // bound of each step
}

// seen is what was seen of the broker on the way.
type seen struct {
	took        time.Duration     // until the port answered
	certificate *x509.Certificate // also one that was refused; nil without TLS
}

// open makes a connection to the broker.
func (w way) open(ctx context.Context) (net.Conn, seen, error) {
	var s seen
	began := time.Now()
	conn, err := (&net.Dialer{Timeout: w.limit}).DialContext(ctx, "tcp", w.broker.Host)
	if err != nil {
		return nil, s, &StageError{StageReach, err}
	}
	s.took = time.Since(began)
	if w.broker.Scheme != "ssl" {
		return conn, s, nil
	}
	config := w.trust.config(w.tls, w.broker.Hostname())
	verify := config.VerifyConnection
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) > 0 {
			s.certificate = state.PeerCertificates[0]
		}
		if verify == nil {
			return nil
		}
		return verify(state)
	}
	secure, err := handshake(ctx, conn, config, w.limit)
	if err != nil {
		return nil, s, &StageError{StageTLS, errors.Join(err, conn.Close())}
	}
	return secure, s, nil
}

// client logs in over a connection, whose owner closes it. Adjust adds what one client has and another does not. Lost, which may
// be nil, tells that the connection has ended.
func (w way) client(ctx context.Context, conn net.Conn, id string, lost <-chan error, adjust func(*mqtt.ClientOptions)) (mqtt.Client,
	error) {
	o := mqtt.NewClientOptions().AddBroker(w.broker.String()).SetClientID(id).SetUsername(w.username).SetPassword(w.password).
		SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).
		SetConnectTimeout(w.limit).SetWriteTimeout(w.limit).SetPingTimeout(w.limit).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return conn, nil })
	if adjust != nil {
		adjust(o)
	}
	client := mqtt.NewClient(o)
	if err := w.wait(ctx, client.Connect(), lost); err != nil {
		return client, &StageError{StageLogin, err}
	}
	return client, nil
}

// subscribe returns once the broker has agreed to all channels. Whether the box may read of the receiver's presence it reports.
func (w way) subscribe(ctx context.Context, client mqtt.Client, lost <-chan error, channels ...wire.Channel) (receiver bool, err error) {
	topics := map[string]byte{wire.ReceiverTopic: 1}
	for _, ch := range channels {
		topics[wire.Topic(w.device, ch)] = 1
	}
	t := client.SubscribeMultiple(topics, nil)
	if err := w.wait(ctx, t, lost); err != nil {
		return false, &StageError{StageSubscribe, err}
	}
	s, ok := t.(*mqtt.SubscribeToken)
	if !ok {
		return false, nil
	}
	for topic, qos := range s.Result() {
		switch refused := qos > 2; { // paho reports a refusal as success
		case topic == wire.ReceiverTopic:
			receiver = !refused
		case refused:
			return false, &StageError{StageSubscribe, fmt.Errorf("the broker does not let %q read %s; look at the broker's access rules", w.username,
				topic)}
		}
	}
	return receiver, nil
}

// wait waits for a token, at most for the limit.
func (w way) wait(ctx context.Context, t mqtt.Token, lost <-chan error) error {
	late := time.NewTimer(w.limit)
	defer late.Stop()
	var err error
	select {
	case <-t.Done():
		err = t.Error()
	case <-ctx.Done():
		err = ctx.Err()
	case <-late.C:
		err = fmt.Errorf("no answer within %s", w.limit)
	case err = <-lost:
		return err
	}
	if err != nil {
		select {
		case said := <-lost: // says more
			if !IsRefused(err) {
				err = said
			}
		default:
		}
	}
	return err
}

// asker logs in beside the box in MQTT 5. The caller closes the connection, which is nil after an error.
func (w way) asker(ctx context.Context, suffix string) (*mqtt5.Client, mqtt5.Offer, net.Conn, error) {
	conn, _, err := w.open(ctx)
	if err != nil {
		return nil, mqtt5.Offer{}, nil, err
	}
	login := mqtt5.Login{ID: "chk-" + string(w.device) + "-" + suffix, Username: w.username, Password: w.password}
	asker, offer, err := mqtt5.Connect(conn, login, w.limit)
	if err != nil {
		return nil, offer, nil, errors.Join(&StageError{StageLogin, err}, conn.Close())
	}
	return asker, offer, conn, nil
}

// why publishes a batch once more in MQTT 5, in which a broker says what it does with it, and returns why the answer to it does not
// come: ErrMayNotWrite, ErrNobodyReads, ErrTooLarge, or ErrNoAnswer if the broker hands it on. Other errors say that the broker
// could not be asked.
func (w way) why(ctx context.Context, suffix string, payload []byte) error {
	topic := wire.Topic(w.device, wire.RecordsChannel)
	size := packetSize(topic, payload)
	asker, offer, conn, err := w.asker(ctx, suffix)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // nothing more is wanted of it
	if offer.MaxPacket > 0 && size > int(offer.MaxPacket) {
		return &TooLargeError{Bytes: size, Limit: int(offer.MaxPacket)}
	}
	reason, err := asker.Publish(topic, payload)
	if err != nil {
		return fmt.Errorf("ask the broker: %w", err)
	}
	if err := judged(reason, size); err != nil {
		return err
	}
	return ErrNoAnswer
}

// judged returns what a broker's reason means for a batch whose packet has so many bytes, nil if somebody gets it.
func judged(r mqtt5.Reason, size int) error {
	const unspecified, itsOwn = 0x80, 0x83
	switch {
	case r == mqtt5.NotAuthorised:
		return ErrMayNotWrite
	case r == mqtt5.NobodyReads:
		return ErrNobodyReads
	case r == mqtt5.PacketTooLong:
		return &TooLargeError{Bytes: size}
	case r == mqtt5.QuotaExceeded, r == unspecified, r == itsOwn:
		return fmt.Errorf("%w: reason 0x%02x", ErrBusy, byte(r))
	case r.Refused():
		return fmt.Errorf("%w: reason 0x%02x", ErrMayNotWrite, byte(r))
	}
	return nil
}

// packetSize returns the bytes of the packet that carries a payload, with its header.
func packetSize(topic string, payload []byte) int { return len(payload) + len(topic) + 10 }
