package uplink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/sync/wire"
)

// line is the side of a connection that knows paho. It works around what paho does on its own: reconnecting, storing and
// completing tokens across reconnects are all switched off, so that one connection is one client.
type line struct {
	u        *Uplink
	broker   *url.URL
	client   mqtt.Client
	lost     chan error
	messages chan message
	taken    chan uint64
	out      chan outgoing
	ended    context.Context // done when the connection is
	stop     context.CancelFunc
	conn     net.Conn // what lies under the client; nil before it is made
	prover   *prover  // nil where the centre's word releases
}

var errDisconnected = errors.New("the connection was closed")

// brokerURL returns the broker's address in paho's spelling, with a port.
func brokerURL(s string) (*url.URL, error) {
	wrong := fmt.Errorf("broker %q: want mqtts://host:port or mqtt://host:port", s)
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return nil, wrong
	}
	port := map[string]string{"mqtt": "1883", "tcp": "1883", "mqtts": "8883", "ssl": "8883"}[u.Scheme]
	if port == "" {
		return nil, wrong
	}
	scheme := "tcp"
	if port == "8883" {
		scheme = "ssl"
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(u.Hostname(), port)}, nil
}

// brokerURLs returns the addresses likewise.
func brokerURLs(all []string) ([]*url.URL, error) {
	if len(all) == 0 {
		return nil, errors.New("the broker's address is missing")
	}
	var out []*url.URL
	for _, s := range all {
		u, err := brokerURL(s)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}

// connect connects, subscribes and says that the box is online.
func (u *Uplink) connect(ctx context.Context) (*connection, error) {
	l := &line{u: u, broker: u.broker(), lost: make(chan error, 1), messages: make(chan message, 64), taken: make(chan uint64, 64), out: make(chan outgoing, outQueue)}
	l.ended, l.stop = context.WithCancel(context.Background())
	if err := l.begin(ctx); err != nil {
		l.end(false)
		return nil, err
	}
	if u.cfg.AckMode == AckBroker {
		l.prover = newProver(l)
		go l.prover.run()
	}
	go l.write()
	return &connection{messages: l.messages, lost: l.lost, taken: l.taken, out: l.out, end: l.end}, nil
}

func (l *line) begin(ctx context.Context) error {
	u := l.u
	will, err := wire.EncodeState(u.presence(false))
	if err != nil {
		return err
	}
	online, err := wire.EncodeState(u.presence(true))
	if err != nil {
		return err
	}
	conn, err := l.dial(ctx)
	if err != nil {
		return fmt.Errorf("reach the broker: %w", err)
	}
	presence := wire.Topic(u.device, wire.PresenceChannel)
	l.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker(l.broker.String()).
		SetClientID("hcp-"+string(u.device)).SetUsername(u.cfg.Username).SetPassword(u.cfg.Password).
		SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).
		SetKeepAlive(u.cfg.KeepAlive).SetPingTimeout(u.cfg.Connect).SetConnectTimeout(u.cfg.Connect).SetWriteTimeout(u.cfg.Connect).
		SetOrderMatters(true). // each message in its turn; onMessage does not wait
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return conn, nil }).
		SetBinaryWill(presence, will, 1, true).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { l.fail(err) }).
		SetDefaultPublishHandler(l.onMessage))
	if err := l.wait(ctx, l.client.Connect()); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	topics := make(map[string]byte)
	for _, ch := range []wire.Channel{wire.AckChannel, wire.CommandChannel, wire.ConfigChannel} {
		topics[wire.Topic(u.device, ch)] = 1
	}
	t := l.client.SubscribeMultiple(topics, nil)
	if err := l.wait(ctx, t); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	if s, ok := t.(*mqtt.SubscribeToken); ok {
		for topic, qos := range s.Result() {
			if qos > 2 { // paho reports a refusal as success
				return fmt.Errorf("the broker does not let %q read %s; look at the broker's access rules", u.cfg.Username, topic)
			}
		}
	}
	if err := l.wait(ctx, l.client.Publish(presence, 1, true, online)); err != nil {
		return fmt.Errorf("publish the presence: %w", err)
	}
	return nil
}

// dial makes the connection under the client: bounded, and known to end.
func (l *line) dial(ctx context.Context) (net.Conn, error) {
	conn, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	l.conn = conn
	return &boundedConn{Conn: conn, cause: l.fail}, nil
}

// open makes a connection to the broker.
func (l *line) open(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{Timeout: l.u.cfg.Connect}
	conn, err := dialer.DialContext(ctx, "tcp", l.broker.Host)
	if err != nil {
		return nil, err
	}
	if l.broker.Scheme != "ssl" {
		return conn, nil
	}
	secure, err := handshake(ctx, conn, l.u.trust.config(l.u.cfg.TLS, l.broker.Hostname()), l.u.cfg.Connect)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
}

// onMessage runs on paho's goroutine and must not wait: what does not fit is dropped, since the centre repeats it.
func (l *line) onMessage(_ mqtt.Client, m mqtt.Message) {
	device, channel, err := wire.ParseTopic(m.Topic())
	if err == nil && device == l.u.device {
		select {
		case l.messages <- message{channel, m.Payload()}:
			return
		default:
		}
	}
	l.u.count(func(s *Stats) { s.Dropped++ })
}

// write hands to paho what the loop sends. Paho's Publish waits for a line that is stuck, up to the connect timeout.
func (l *line) write() {
	for {
		select {
		case <-l.ended.Done():
			return
		case o := <-l.out:
			if l.prover != nil && o.last > 0 {
				select {
				case l.prover.queue <- o:
				default:
					l.fail(errCongested)
				}
				continue
			}
			t := l.client.Publish(wire.Topic(l.u.device, o.channel), 1, o.retained, o.payload)
			select {
			case <-t.Done():
				if t.Error() != nil {
					l.fail(fmt.Errorf("publish %s: %w", o.channel, t.Error()))
				}
			default:
			}
			if o.taken != nil || o.last > 0 {
				go l.watch(t, o) // ends with the connection at the latest
			}
		}
	}
}

// watch tells when the broker has what was sent.
func (l *line) watch(t mqtt.Token, o outgoing) {
	select {
	case <-l.ended.Done():
		return
	case <-t.Done():
	}
	if o.taken != nil {
		select {
		case o.taken <- t.Error():
		default:
		}
	}
	if o.last > 0 && t.Error() == nil {
		select {
		case l.taken <- o.last:
		case <-l.ended.Done():
		}
	}
}

func (l *line) fail(err error) {
	if err == nil {
		err = errDisconnected
	}
	select {
	case l.lost <- err:
	default:
	}
}

// wait waits for a token, at most for the connect timeout.
func (l *line) wait(ctx context.Context, t mqtt.Token) error {
	timeout := time.NewTimer(l.u.cfg.Connect)
	defer timeout.Stop()
	var err error
	select {
	case <-t.Done():
		err = t.Error()
	case <-ctx.Done():
		err = ctx.Err()
	case <-timeout.C:
		err = fmt.Errorf("no answer within %s", l.u.cfg.Connect)
	case err = <-l.lost:
		return err
	}
	if err != nil {
		select {
		case err = <-l.lost: // says more
		default:
		}
	}
	return err
}

// end closes the connection. A broker that is told of the end does not publish the will, so only an orderly end tells it.
func (l *line) end(orderly bool) {
	if orderly {
		l.client.Disconnect(100)
	}
	l.stop()
	if l.conn != nil {
		_ = l.conn.Close() // it is given up
	}
	if !orderly && l.client != nil {
		l.client.Disconnect(0) // lets paho's goroutines go; the connection below is closed already
	}
}
