// Package probe finds out at the start what a broker lacks that the centre needs, before boxes wait in vain: whether it hands
// on what is published, divides a shared subscription or partitions the boxes' subjects, keeps retained messages, takes the
// largest batch, and lets the centre read and write its topics.
//
// Nothing is believed that can be tried: the probe publishes under a name that no box can have, hcp/1/-/probe, and hears
// itself. A broker that does not let the centre use that topic cannot be proven; the result then says so, and what to add to its
// rules. Reading the boxes' own topics cannot be tried from here, since the centre may not write them: "ratingctl doctor" does
// that at a box.
package probe

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/sync/wire"
)

// Topic is the root of what a probe publishes and reads. No box can have the name in it.
const Topic = wire.Prefix + "-/probe"

// Config says where the broker is and who asks.
type Config struct {
	Broker   string // mqtt://host:port or mqtts://host:port
	Username string
	Password string
	TLS      *tls.Config
	Limit    time.Duration // of each step; 0 is 3 s
}

// Answer is what was found out about one thing.
type Answer string

// The answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown" // it could not be tried
)

// Result is what a broker can.
type Result struct {
	Address    string
	Delivers   Answer // what is published to the probe's topic comes back
	Shared     Answer // a shared subscription is divided
	Partitions int    // of the boxes' subjects, 0 if there are none; found out only where Shared is not Yes
	Retained   Answer
	Large      Answer // a message of wire.MaxBatch bytes comes through
	Largest    int    // bytes of the largest that did where that does not; 0 if none was tried or none did
	Sessions   Answer // a session outlives its connection; nothing of ours needs it
	Unreadable []string
	Unwritable []string
	Hidden     bool   // the centre may not say at wire.ReceiverTopic that it is there
	V5         Answer // it speaks MQTT 5, without which Unwritable and Hidden are not complete
}

// Run tries a broker. The error says that it cannot be reached or refuses the login.
func Run(ctx context.Context, c Config) (Result, error) {
	if c.Limit == 0 {
		c.Limit = 3 * time.Second
	}
	broker, err := url.Parse(c.Broker)
	if err != nil || broker.Hostname() == "" || broker.Scheme != "mqtt" && broker.Scheme != "mqtts" {
		return Result{}, fmt.Errorf("broker %q: want mqtt://host:port or mqtts://host:port", c.Broker)
	}
	if broker.Port() == "" {
		broker.Host = net.JoinHostPort(broker.Hostname(), map[string]string{"mqtt": "1883", "mqtts": "8883"}[broker.Scheme])
	}
	t := &trial{Config: c, ctx: ctx, broker: broker, token: strings.ToLower(rand.Text()[:12])}
	t.out = Result{Address: broker.Host, Delivers: Unknown, Shared: Unknown, Retained: Unknown, Large: Unknown, Sessions: Unknown, V5: Unknown}
	defer t.end()
	if t.one, err = t.connect("1", true); err != nil {
		return t.out, err
	}
	if t.two, err = t.connect("2", true); err != nil {
		return t.out, err
	}
	t.subscriptions()
	t.writes(t.present())
	t.delivers()
	if t.out.Delivers == Yes {
		for _, step := range []func(){t.shared, t.retained, t.large} {
			step()
		}
	}
	t.sessions()
	if t.out.Shared != Yes {
		t.partitions()
	}
	return t.out, ctx.Err()
}

// trial is one run.
type trial struct {
	Config
	ctx      context.Context
	broker   *url.URL
	token    string // tells what this run publishes from what others do
	one, two *peer
	out      Result
}

// peer is one client of the probe.
type peer struct {
	mqtt.Client
	got chan mqtt.Message
}

func (t *trial) end() {
	for _, p := range []*peer{t.one, t.two} {
		if p != nil {
			p.Disconnect(0)
		}
	}
}

func (t *trial) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, t.Limit)
	defer cancel()
	if t.broker.Scheme == "mqtts" {
		return (&tls.Dialer{Config: t.TLS}).DialContext(ctx, "tcp", t.broker.Host)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", t.broker.Host)
}

func (t *trial) open(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return t.dial(t.ctx) }

func (t *trial) id(suffix string) string { return "centre-probe-" + t.token + "-" + suffix }

func (t *trial) connect(suffix string, clean bool) (*peer, error) {
	p := &peer{got: make(chan mqtt.Message, 256)}
	p.Client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + t.broker.Host).SetClientID(t.id(suffix)).
		SetUsername(t.Username).SetPassword(t.Password).SetProtocolVersion(4).SetCleanSession(clean).SetAutoReconnect(false).
		SetConnectRetry(false).
		SetConnectTimeout(t.Limit).SetWriteTimeout(t.Limit).SetResumeSubs(false).
		SetCustomOpenConnectionFn(t.open).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
			select {
			case p.got <- m:
			default: // more than any step asks for
			}
		}))
	if err := t.wait(p.Connect()); err != nil {
		return nil, fmt.Errorf("log in at the broker %s: %w", t.broker.Host, err)
	}
	return p, nil
}

var errSilent = errors.New("no answer")

// wait waits for a token, at most for the limit.
func (t *trial) wait(token mqtt.Token) error {
	late := time.NewTimer(t.Limit)
	defer late.Stop()
	select {
	case <-token.Done():
		return token.Error()
	case <-t.ctx.Done():
		return t.ctx.Err()
	case <-late.C:
		return fmt.Errorf("%w within %s", errSilent, t.Limit)
	}
}

// subscribe reports whether the broker grants a subscription, which need not mean that it delivers.
func (t *trial) subscribe(p *peer, filter string, qos byte) bool {
	token := p.Subscribe(filter, qos, nil)
	if t.wait(token) != nil {
		return false
	}
	s, ok := token.(*mqtt.SubscribeToken)
	return ok && s.Result()[filter] <= 2 // paho reports a refusal as success
}

func (t *trial) publish(p *peer, topic string, retained bool, payload []byte) error {
	return t.wait(p.Publish(topic, 1, retained, payload))
}

// own is what a message of this run begins with.
func (t *trial) own(what string) []byte { return []byte("probe " + t.token + " " + what) }

// receive returns the messages of this run that come until there are enough of them or the limit has passed.
func (t *trial) receive(enough int, limit time.Duration, from ...*peer) (all []mqtt.Message) {
	late := time.NewTimer(limit)
	defer late.Stop()
	mine := string(t.own(""))
	take := func(m mqtt.Message) {
		if strings.HasPrefix(string(m.Payload()), mine) {
			all = append(all, m)
		}
	}
	second := from[len(from)-1]
	for len(all) < enough {
		select {
		case m := <-from[0].got:
			take(m)
		case m := <-second.got:
			take(m)
		case <-late.C:
			return all
		case <-t.ctx.Done():
			return all
		}
	}
	return all
}
