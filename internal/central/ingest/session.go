package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// patience bounds each step of connecting, and how long the broker may take to confirm what was published.
const patience = 10 * time.Second

// publishing bounds how long paho may take to hand a publication to the connection, which never waits. When a session has ended, paho's
// Publish waits that long for nobody.
const publishing = time.Second

// work is a message to be taken.
type work struct {
	message mqtt.Message
	channel wire.Channel
	device  rating.DeviceID
}

// aside is how many messages besides records may wait to be looked at.
const aside = 256

// session is one connection. It returns why it ended.
func (in *Ingest) session(ctx context.Context) error {
	line := &line{in: in, lost: make(chan error, 1), queue: make(chan work, aside)}
	line.ctx, line.stop = context.WithCancel(ctx)
	line.takers = newTakers(in, line)
	line.takers.start()
	in.acks.Store(&line.takers.acks)
	defer func() {
		in.acks.Store(nil)
		line.end() // which frees what waits for the network
		line.working.Wait()
		line.takers.clear(line.ctx)
	}()
	defer in.connected(nil)
	if err := line.begin(); err != nil {
		return err
	}
	in.recovered()
	in.asks.anew()
	if err := line.sayReceiver(true); err != nil {
		return err
	}
	defer func() { _ = line.sayReceiver(false) }() // without it the broker says so, as the will
	line.working.Go(func() { in.keepConfigs(line.ctx) })
	line.working.Go(func() { in.tellMissed(line.ctx) })
	if in.cfg.Partitions > 0 {
		line.working.Go(func() {
			if err := line.partitions().Run(line.ctx); err != nil {
				line.fail(err)
			}
		})
	}
	second := time.NewTicker(time.Second)
	defer second.Stop()
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-line.lost:
			return err
		case w := <-line.queue:
			in.hear(w)
		case <-minute.C:
			if err := in.ready(ctx); err != nil {
				return booksError{err}
			}
		case now := <-second.C:
			if err := in.notes.flush(ctx, in.cfg.Fleet); err != nil {
				return booksError{err}
			}
			if err := errors.Join(line.takers.acks.check(now), in.asks.send(in.ask)); err != nil {
				return err
			}
		}
	}
}

// line is one paho client with the connection under it.
type line struct {
	in     *Ingest
	client mqtt.Client
	lost   chan error
	queue  chan work // what boxes say besides records
	takers *takers
	ctx    context.Context
	stop   context.CancelFunc

	working sync.WaitGroup // all that the session has begun

	mu   sync.Mutex
	conn net.Conn // guarded by mu
}

func (l *line) begin() error {
	c := l.in.cfg
	gone, err := wire.EncodeState(receiver(false))
	if err != nil {
		return err
	}
	l.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker(l.in.broker.String()).SetClientID(c.ClientID).
		SetUsername(c.Username).SetPassword(c.Password).SetProtocolVersion(4).SetCleanSession(true).
		SetAutoReconnect(false).SetConnectRetry(false).SetConnectTimeout(patience).SetWriteTimeout(publishing).
		SetKeepAlive(15*time.Second).SetOrderMatters(true).SetAutoAckDisabled(true).
		SetCustomOpenConnectionFn(l.open).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { l.fail(err) }).
		SetBinaryWill(wire.ReceiverTopic, gone, 1, true).
		SetDefaultPublishHandler(l.receive))
	if err := l.wait(l.client.Connect()); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	l.in.connected(l.client) // what comes at once after the subscription is answered too
	// What boxes say of themselves comes once only: a thousand retained presences at once must not fill the places that
	// the broker has for messages which it must see answered.
	topics := map[string]byte{
		wire.AllDevices(wire.PresenceChannel): 0, wire.AllDevices(wire.HealthChannel): 0, wire.AllDevices(wire.ReplyChannel): 1,
	}
	if c.Partitions == 0 {
		topics[wire.Shared(group, wire.RecordsChannel)] = 1
	}
	if err := l.subscribe(topics); err != nil {
		return err
	}
	// where it may not be read there is one instance fewer that says so
	return l.wait(l.client.Subscribe(wire.ReceiverTopic, 1, l.heardReceiver))
}

// receiver is what the centre says of itself at the broker.
func receiver(online bool) wire.Presence {
	return wire.Presence{V: wire.Version, Online: online}
}

// sayReceiver says at the broker, for boxes and for whoever connects later, whether records are taken. It does not wait for the broker.
func (l *line) sayReceiver(online bool) error {
	payload, err := wire.EncodeState(receiver(online))
	if err != nil {
		return err
	}
	l.client.Publish(wire.ReceiverTopic, 1, true, payload)
	return nil
}

// heardReceiver contradicts another instance that has gone: this one takes records.
func (l *line) heardReceiver(_ mqtt.Client, m mqtt.Message) {
	m.Ack()
	if p, err := wire.DecodePresence(m.Payload()); err != nil || p.Online || l.ctx.Err() != nil {
		return
	}
	if err := l.sayReceiver(true); err != nil {
		l.in.cfg.Logger.Error("it cannot be said that records are taken", "error", err)
	}
}

// subscribe returns once the broker has agreed.
func (l *line) subscribe(topics map[string]byte) error {
	t := l.client.SubscribeMultiple(topics, nil)
	if err := l.wait(t); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	if s, ok := t.(*mqtt.SubscribeToken); ok {
		for topic, qos := range s.Result() {
			if qos > 2 { // paho reports a refusal as success
				return fmt.Errorf("the broker does not let %q read %s; look at the broker's access rules", l.in.cfg.Username, topic)
			}
		}
	}
	return nil
}

// partitions returns what reads this instance's share of the boxes' records where the broker divides them by subject.
func (l *line) partitions() *Partitions {
	topic := func(n int) string { return wire.AllDevices(wire.RecordsChannel) + "/" + strconv.Itoa(n) }
	return NewPartitions(PartitionsConfig{Count: l.in.cfg.Partitions, Instance: l.in.cfg.ClientID, Leases: l.in.cfg.Leases, Now: time.Now,
		Logger: l.in.cfg.Logger,
		Take:   func(n int) error { return l.subscribe(map[string]byte{topic(n): 1}) },
		// What comes all the same is taken, and the journal knows what it has.
		Leave: func(n int) { l.client.Unsubscribe(topic(n)) },
	})
}

// open makes the connection under the client, bounded and known to end.
func (l *line) open(broker *url.URL, _ mqtt.ClientOptions) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	dial := (&net.Dialer{}).DialContext
	if broker.Scheme == "ssl" {
		dial = (&tls.Dialer{Config: l.in.cfg.TLS}).DialContext
	}
	c, err := dial(ctx, "tcp", broker.Host)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return nil, errors.Join(l.ctx.Err(), c.Close())
	}
	together := newGatherConn(c, patience)
	l.working.Go(together.Run)
	l.conn = together
	return newSlimConn(together, wire.MaxBatch+1024), nil
}

// receive runs on paho's goroutine, which also answers the broker's pings, so it waits only while there is much to take.
func (l *line) receive(_ mqtt.Client, m mqtt.Message) {
	device, channel, err := wire.ParseTopic(trimPartition(m.Topic()))
	if err != nil || channel == wire.RecordsChannel && m.Qos() == 0 {
		m.Ack() // whoever sends records in this way does not wait for an answer, so it is no box
		return
	}
	if channel != wire.RecordsChannel && len(m.Payload()) > wire.MaxState {
		m.Ack() // many of them would fill the memory, and none is understood
		return
	}
	w := work{m, channel, device}
	if channel == wire.RecordsChannel {
		l.takers.give(l.ctx, w)
		return
	}
	select {
	case l.queue <- w:
	case <-l.ctx.Done():
	}
}

func (l *line) fail(err error) {
	if err == nil {
		err = errors.New("the connection was closed")
	}
	select {
	case l.lost <- err:
	default:
	}
}

func (l *line) wait(t mqtt.Token) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case err := <-l.lost:
		return err
	case <-l.ctx.Done():
		return l.ctx.Err()
	case <-timeout.C:
		return fmt.Errorf("no answer within %s", patience)
	}
}

// end closes the connection. Paho waits for its own goroutines, one of which may wait for the queue or the network.
func (l *line) end() {
	l.stop()
	if l.client.IsConnectionOpen() {
		l.client.Disconnect(100)
	}
	l.mu.Lock()
	if l.conn != nil {
		_ = l.conn.Close() // it is given up
	}
	l.mu.Unlock()
	l.client.Disconnect(0)
}

const (
	// maxAcks bounds the acknowledgements that the broker has not confirmed. One that comes behind a long queue confirms late; what is beyond
	// the bound is sent without asking for confirmation, since a box that misses one sends again.
	maxAcks = 1024
	// behindAfter is how long a broker takes at least to confirm an acknowledgement where batches come faster than they are answered: the
	// confirmation comes behind all that waits. On a broker that is not far away it takes some milliseconds else.
	behindAfter = 100 * time.Millisecond
)

// acks are acknowledgements that the broker has not confirmed yet, oldest first. Its methods are safe for concurrent use.
type acks struct {
	mu        sync.Mutex
	all       []ack     // guarded by mu
	confirmed time.Time // guarded by mu; when one was last found confirmed
	failed    error     // guarded by mu; why one was not sent
}

type ack struct {
	token mqtt.Token
	since time.Time
}

// qos returns how the next acknowledgement is sent.
func (a *acks) qos(now time.Time) byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop(now)
	if len(a.all) < maxAcks {
		return 1
	}
	return 0
}

// add keeps one until the broker has confirmed it.
func (a *acks) add(t mqtt.Token, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, ack{t, now})
}

// drop drops what was confirmed. The caller holds mu.
func (a *acks) drop(now time.Time) {
	for len(a.all) > 0 && a.failed == nil {
		select {
		case <-a.all[0].token.Done():
			a.failed = a.all[0].token.Error()
			a.all, a.confirmed = a.all[1:], now
			continue
		default:
		}
		return
	}
}

// behind reports whether the oldest waits for so long that batches must be coming faster than they are answered.
func (a *acks) behind(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop(now)
	return len(a.all) > 0 && now.Sub(a.all[0].since) > behindAfter
}

// check returns an error if the broker does not take the acknowledgements. Confirmations come behind the batches that the broker has sent
// before, so that on a busy machine the oldest may take long; then others before it have come meanwhile.
func (a *acks) check(now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop(now)
	switch {
	case a.failed != nil:
		return fmt.Errorf("an acknowledgement was not sent: %w", a.failed)
	case len(a.all) > 0 && now.Sub(a.all[0].since) > patience && now.Sub(a.confirmed) > patience:
		return fmt.Errorf("the broker has not taken an acknowledgement within %s", patience)
	}
	return nil
}
