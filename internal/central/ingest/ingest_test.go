package ingest

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/central/broker"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

var quiet = slog.New(slog.DiscardHandler)

func key(seed byte) ed25519.PrivateKey {
	s := make([]byte, ed25519.SeedSize)
	s[0] = seed
	return ed25519.NewKeyFromSeed(s)
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// centre is a broker with a journal and instances that share it.
type centre struct {
	t      *testing.T
	broker *broker.Broker
	path   string
}

func newCentre(t *testing.T) *centre {
	t.Helper()
	b, err := broker.Listen(broker.Config{Listen: "127.0.0.1:0", Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &centre{t: t, broker: b, path: filepath.Join(t.TempDir(), "journal.db")}
}

// station is a journal and a fleet, opened by one instance.
type station struct {
	*journal.Journal
	*fleet.Fleet
	close func()
}

// open opens the centre's journal once more, as another instance does.
func (c *centre) open() *station {
	c.t.Helper()
	j, _, stop := journaltest.Open(c.t, "sqlite:"+c.path)
	f, err := fleet.Open(c.t.Context(), j)
	if err != nil {
		c.t.Fatal(err)
	}
	return &station{j, f, stop}
}

// wantRecords fails the test unless the journal has the box's first n records, each once and each following from the one before it.
func (s *station) wantRecords(t *testing.T, n uint64) {
	t.Helper()
	here := make(map[uint64]rating.Hash)
	head := rating.Genesis("box-1", 7)
	all, err := s.Batches(t.Context(), "box-1", 7, 1, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		for i, raw := range e.Parts {
			seq := e.First + uint64(i)
			if known, ok := here[seq]; ok && known != rating.HashOf(raw) {
				t.Errorf("record %d is here twice, and differently", seq)
			}
			here[seq] = rating.HashOf(raw)
		}
	}
	for seq := uint64(1); seq <= n; seq++ {
		h, ok := here[seq]
		if !ok {
			t.Fatalf("record %d is not here", seq)
		}
		head = h
	}
	if uint64(len(here)) != n || head == rating.Genesis("box-1", 7) {
		t.Errorf("%d records are here, want %d", len(here), n)
	}
}

// run starts an instance and returns it with a function that ends it.
func (c *centre) run(name string, j Journal, f Fleet) (*Ingest, func()) {
	c.t.Helper()
	return c.runWith(Config{Broker: "mqtt://" + c.broker.Addr().String(), ClientID: name, Username: broker.CentreName,
		Password: c.broker.Secret(),
		Journal:  j, Fleet: f, Key: key(9), Now: time.Now, Logger: quiet})
}

func (c *centre) runWith(cfg Config) (*Ingest, func()) {
	c.t.Helper()
	in, err := New(cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			c.t.Error(err)
		}
	})
	c.t.Cleanup(stop)
	return in, stop
}

// box is a device that sends batches by hand.
type box struct {
	t       *testing.T
	client  mqtt.Client
	records [][]byte
	head    rating.Hash
	acks    chan wire.Ack
}

func newBox(t *testing.T, c *centre) *box {
	t.Helper()
	return newBoxAt(t, c.broker.Addr().String())
}

func newBoxAt(t *testing.T, at string) *box {
	t.Helper()
	b := &box{t: t, head: rating.Genesis("box-1", 7), acks: make(chan wire.Ack, 1000)}
	subscribed := make(chan struct{}, 100)
	options := mqtt.NewClientOptions().AddBroker("tcp://" + at).SetClientID("hcp-box-1").SetUsername("box-1").
		SetMaxReconnectInterval(time.Second)
	options.SetOnConnectHandler(func(c mqtt.Client) { // each time: a broker that dropped the session has forgotten what it asked for
		c.Subscribe(wire.Topic("box-1", wire.AckChannel), 1, func(_ mqtt.Client, m mqtt.Message) {
			if a, err := wire.OpenAck(public(key(9)), m.Payload()); err == nil {
				b.acks <- a
			} else {
				t.Errorf("acknowledgement: %v", err)
			}
		}).Wait()
		subscribed <- struct{}{}
	})
	b.client = mqtt.NewClient(options)
	if tok := b.client.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	t.Cleanup(func() { b.client.Disconnect(50) })
	<-subscribed
	return b
}

// send sends the next n records as one batch, signed by k.
func (b *box) send(n int, k ed25519.PrivateKey) {
	b.t.Helper()
	first := uint64(len(b.records)) + 1
	for range n {
		r := rating.Record{V: 1, Device: "box-1", Epoch: 7, Seq: uint64(len(b.records)) + 1, Prev: b.head,
			Body: rating.EventBody(rating.Stamp{Boot: 1}, rating.EventStarted)}
		raw, err := r.Encode()
		if err != nil {
			b.t.Fatal(err)
		}
		b.records, b.head = append(b.records, raw), rating.HashOf(raw)
	}
	b.again(first, k)
}

// again sends everything from first on.
func (b *box) again(first uint64, k ed25519.PrivateKey) {
	batch := wire.Batch{Device: "box-1", Epoch: 7, First: first, Records: b.records[first-1:]}
	batch.Sign(k)
	payload, err := batch.Encode()
	if err != nil {
		b.t.Fatal(err)
	}
	b.client.Publish(wire.Topic("box-1", wire.RecordsChannel), 1, false, payload)
}

// wantThrough waits until an acknowledgement reaches a seq; meanwhile it sends again, as a box does.
func (b *box) wantThrough(through uint64) {
	b.t.Helper()
	end := time.After(60 * time.Second)
	for {
		select {
		case a := <-b.acks:
			if a.Through >= through {
				return
			}
		case <-time.After(500 * time.Millisecond):
			b.again(1, key(1))
		case <-end:
			b.t.Fatalf("no acknowledgement through %d", through)
		}
	}
}

func enrol(t testing.TB, f *fleet.Fleet) {
	t.Helper()
	err := f.Put(context.Background(), fleet.Device{ID: "box-1", Key: public(key(1)), EnrolledAt: time.Now(),
		Window: rating.Window{ID: "w", Name: "n", Hall: "h", Generation: 1}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTwoInstancesWriteEachRecordOnce(t *testing.T) {
	c := newCentre(t)
	one, two := c.open(), c.open()
	enrol(t, one.Fleet)
	c.run("one", one.Journal, one.Fleet)
	_, stop := c.run("two", two.Journal, two.Fleet)
	b := newBox(t, c)
	for i := range 40 {
		b.send(5, key(1))
		if i == 20 {
			stop()
		}
	}
	b.wantThrough(200)
	one.wantRecords(t, 200)
}

func TestStrangersAreRefusedAndLoseNothing(t *testing.T) {
	c := newCentre(t)
	s := c.open()
	c.run("one", s.Journal, s.Fleet)
	b := newBox(t, c)
	refused := func(n int) {
		t.Helper()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if s, err := s.States(t.Context(), "", 10); err == nil && len(s) == 1 && s[0].Refused >= n {
				return
			}
		}
		t.Fatalf("refusal %d was not noted", n)
	}
	time.Sleep(200 * time.Millisecond) // the instance subscribes
	b.send(3, key(1))
	refused(1)
	enrol(t, s.Fleet)
	b.again(1, key(2)) // somebody else's key
	refused(2)
	if len(b.acks) > 0 {
		t.Errorf("acknowledged %+v", <-b.acks)
	}
	b.wantThrough(3)
}

// The database is away for a while: nothing is acknowledged, and everything arrives when it is back.
func TestBooksGoneForAWhile(t *testing.T) {
	c := newCentre(t)
	s := c.open()
	enrol(t, s.Fleet)
	_, stop := c.run("one", s.Journal, s.Fleet)
	b := newBox(t, c)
	b.send(1, key(1))
	b.wantThrough(1)
	s.close()
	for range 50 {
		b.send(1, key(1))
	}
	time.Sleep(300 * time.Millisecond)
	for len(b.acks) > 0 {
		if a := <-b.acks; a.Through > 1 {
			t.Fatalf("acknowledged through %d without a database", a.Through)
		}
	}
	stop()
	s = c.open()
	c.run("one", s.Journal, s.Fleet)
	b.wantThrough(51)
	s.wantRecords(t, 51)
}

// A box says once that it has let records go which are not here. It is asked for them though the broker was away at that moment.
func TestABoxIsAskedAgainOnceTheBrokerIsBack(t *testing.T) {
	c := newCentre(t)
	s := c.open()
	enrol(t, s.Fleet)
	in, err := New(Config{Broker: "mqtt://" + c.broker.Addr().String(), ClientID: "one", Username: broker.CentreName,
		Password: c.broker.Secret(),
		Journal:  s.Journal, Fleet: s.Fleet, Key: key(9), Now: time.Now, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	for _, missing := range [][2]uint64{{5, 9}, {3, 6}} { // by two batches
		b := believed{batch: wire.Batch{Device: "box-1", Epoch: 7}, receipt: journal.Receipt{Missing: missing}}
		if err := in.answer(b, new(acks)); err != nil {
			t.Fatal(err)
		}
	}
	box, asked := newBox(t, c), make(chan wire.Command, 100)
	if tok := box.client.Subscribe(wire.Topic("box-1", wire.CommandChannel), 1, func(_ mqtt.Client, m mqtt.Message) {
		cmd, err := wire.OpenCommand(public(key(9)), m.Payload())
		if err != nil {
			t.Error(err)
		}
		asked <- cmd
	}); !tok.WaitTimeout(time.Minute) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	select {
	case cmd := <-asked:
		if cmd.Name != wire.CommandResend || cmd.Args["first"] != "3" || cmd.Args["last"] != "9" ||
			cmd.Args["epoch"] != rating.Epoch(7).String() {
			t.Errorf("asked for %+v, want records 3 to 9", cmd)
		}
	case <-time.After(time.Minute):
		t.Error("the box was not asked")
	}
	for end := time.Now().Add(time.Minute); len(in.asks.waiting()) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what the broker has confirmed is still to be asked for")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func (a *asks) waiting() (all []logName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for l := range a.all {
		all = append(all, l)
	}
	return all
}
