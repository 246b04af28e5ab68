package uplink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/crash"
	"haochaping/sync/wire"
)

// line is the side of a connection that knows paho. It works around what paho does on its own: reconnecting, storing and
// completing tokens across reconnects are all switched off, so that one connection is one client.
type line struct {
	u        *Uplink
	way      way
	client   mqtt.Client // nil before it is made
	lost     chan error
	messages chan message
	taken    chan uint64
	out      chan outgoing
	ended    context.Context // done when the connection is
	stop     context.CancelFunc
	conn     net.Conn      // what lies under the client; nil before it is made
	prover   *prover       // nil where the centre's word releases
	receiver chan struct{} // gets a value when the receiver's presence has come
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

// way returns how the broker in use is reached.
func (u *Uplink) way() way {
	return way{u.broker(), u.device, u.cfg.Username, u.cfg.Password, u.cfg.TLS, &u.trust, u.cfg.Connect}
}

// connect connects, subscribes and says that the box is online.
func (u *Uplink) connect(ctx context.Context) (*connection, error) {
	l := &line{u: u, way: u.way(), lost: make(chan error, 1), messages: make(chan message, 64), taken: make(chan uint64, 64),
		out: make(chan outgoing, outQueue), receiver: make(chan struct{}, 1)}
	l.ended, l.stop = context.WithCancel(context.Background())
	u.setReceiver(receiver{since: time.Now()})
	if err := l.begin(ctx); err != nil {
		l.end(false)
		return nil, err
	}
	if u.cfg.AckMode == AckBroker {
		l.prover = newProver(l)
		go l.contain(l.prover.run)
	}
	go l.contain(l.write)
	return &connection{messages: l.messages, lost: l.lost, taken: l.taken, receiver: l.receiver, out: l.out, end: l.end}, nil
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
	if l.conn, _, err = l.way.open(ctx); err != nil {
		return err
	}
	presence := wire.Topic(u.device, wire.PresenceChannel)
	bounded := &boundedConn{Conn: l.conn, cause: l.fail}
	l.client, err = l.way.client(ctx, bounded, "hcp-"+string(u.device), l.lost, func(o *mqtt.ClientOptions) {
		o.SetKeepAlive(u.cfg.KeepAlive).SetOrderMatters(true). // each message in its turn; onMessage does not wait
									SetBinaryWill(presence, will, 1, true).
									SetConnectionLostHandler(func(_ mqtt.Client, err error) { l.fail(err) }).
									SetDefaultPublishHandler(func(c mqtt.Client, m mqtt.Message) { l.contain(func() { l.onMessage(c, m) }) })
	})
	if err != nil {
		return err
	}
	readable, err := l.way.subscribe(ctx, l.client, l.lost, wire.AckChannel, wire.CommandChannel, wire.ConfigChannel)
	if err != nil {
		return err
	}
	if !readable {
		u.setReceiver(receiver{since: time.Now(), why: fmt.Errorf("the broker does not let %q read %s", l.way.username, wire.ReceiverTopic)})
	}
	if err := l.way.wait(ctx, l.client.Publish(presence, 1, true, online), l.lost); err != nil {
		return fmt.Errorf("publish the presence: %w", err)
	}
	return nil
}

// receiverPatience is how long a retained message is waited for.
const receiverPatience = 5 * time.Second

// onMessage runs on paho's goroutine and must not wait: what does not fit is dropped, since the centre repeats it.
func (l *line) onMessage(_ mqtt.Client, m mqtt.Message) {
	if m.Topic() == wire.ReceiverTopic {
		l.heardReceiver(m.Payload())
		return
	}
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

// heardReceiver notes what the centre says of itself. What cannot be read is as if it had said nothing.
func (l *line) heardReceiver(payload []byte) {
	p, err := wire.DecodePresence(payload)
	l.u.setReceiver(receiver{known: err == nil, online: p.Online, since: time.Now()})
	select {
	case l.receiver <- struct{}{}:
	default:
	}
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
				go l.contain(func() { l.watch(t, o) }) // ends with the connection at the latest
			}
		}
	}
}

// contain ends the connection if f panics, and nothing else: the keys need no uplink.
func (l *line) contain(f func()) {
	if err := crash.Contain(func() error { f(); return nil }); err != nil {
		l.fail(err)
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
