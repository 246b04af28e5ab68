package uplink

import (
	"net"
	"testing"

	"haochaping/internal/proof/testkit"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// A box that knows two brokers goes on at the other when one dies, there and back, and nothing is lost or waits for the dead.
func TestTheOtherBrokerTakesOver(t *testing.T) {
	one, two := newMosquitto(t), newMosquitto(t)
	one.start(t)
	two.start(t)
	defer func() { one.stop(); two.stop() }()
	k := newKeys(t)
	books := startCentre(t, one.address(), k.centre, public(k.box))
	other := startCentre(t, two.address(), k.centre, public(k.box)) // the same centre at the second broker
	other.set(func(c *centre, b wire.Batch) {
		books.mu.Lock()
		defer books.mu.Unlock()
		for i, r := range b.Records {
			books.got[b.First+uint64(i)] = r
		}
		for books.got[books.through+1] != nil {
			books.through++
		}
		c.send(k.centre, wire.Ack{Device: b.Device, Epoch: b.Epoch, Through: books.through, Head: rating.HashOf(books.got[books.through])})
	})
	log := newMemory()
	l, _ := startLinkTo(t, []string{"mqtt://" + one.address(), "mqtt://" + two.address()}, k, log, AckCentre)
	log.append(20)
	until(t, "the first records", func() bool { return log.Released() == 20 })
	if got := l.Broker(); got != "mqtt://"+one.address() {
		t.Errorf("it uses %s, want the first", got)
	}
	one.stop()
	log.append(20)
	until(t, "the records by way of the second", func() bool { return log.Released() == 40 })
	if got := l.Broker(); got != "mqtt://"+two.address() || !l.Connected() {
		t.Errorf("it uses %s, connected %v, want the second", got, l.Connected())
	}
	one.start(t)
	two.stop()
	log.append(20)
	until(t, "the records by way of the first again", func() bool { return log.Released() == 60 })
}

// A broker that takes the login and is silent then, or refuses the box, is left for the other one.
func TestABrokerThatDoesNotServeIsLeft(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte{0x20, 2, 0, 5}) // not authorised
			_ = c.Close()
		}
	}()
	b := &embedded{at: testkit.Address(t)}
	b.start(t)
	defer b.stop()
	k := newKeys(t)
	startCentre(t, b.address(), k.centre, public(k.box))
	log := newMemory()
	startLinkTo(t, []string{"mqtt://" + l.Addr().String(), "mqtt://" + b.address()}, k, log, AckCentre)
	log.append(5)
	until(t, "the records", func() bool { return log.Released() == 5 })
}

// Boxes begin at any of the addresses, so that they spread over a cluster, and come to each.
func TestBoxesSpread(t *testing.T) {
	made := func(random float64, brokers ...string) *Uplink {
		u := bench(t, newMemory(), newKeys(t), nil)
		c := u.cfg
		c.Brokers, c.Random = brokers, func() float64 { return random }
		u, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	began := make(map[string]int)
	for i := range 30 {
		u := made(float64(i)/30, "mqtt://a", "mqtt://b", "mqtt://c")
		first := u.Broker()
		began[first]++
		for range 3 {
			u.next()
		}
		if u.Broker() != first {
			t.Errorf("after a round it is at %s, it began at %s", u.Broker(), first)
		}
	}
	if began["mqtt://a"] != 10 || began["mqtt://b"] != 10 || began["mqtt://c"] != 10 {
		t.Errorf("thirty boxes begin at %v", began)
	}
	if got := made(0.5, "mqtt://a").Broker(); got != "mqtt://a" {
		t.Errorf("one that knows one address begins at %s", got)
	}
}
