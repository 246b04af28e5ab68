package uplink

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"haochaping/internal/rating"
	"haochaping/sync/mqtt5"
	"haochaping/sync/wire"
)

// Where the broker's word releases records and nobody says that he takes them, they alone wait: the connection stands, and configuration
// and health come and go. They are sent once somebody does.
func TestWithoutAReceiverOnlyRecordsWait(t *testing.T) {
	b, k, log := newMosquitto(t), newKeys(t), newMemory()
	b.start(t)
	defer func() { b.stop() }()
	enrol(t, b.address(), k)
	l, _ := startLink(t, b.address(), k, log, AckBroker)
	log.append(3)
	until(t, "the fault", func() bool { return l.Link().Fault == FaultNoReceiver })
	until(t, "the configuration", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.configs) == 1
	})
	if got := l.Link(); !got.Connected || log.Released() != 0 {
		t.Errorf("%+v, released through %d", got, log.Released())
	}
	startReceiver(t, b.address())
	until(t, "the release", func() bool { return log.Released() == 3 && l.Link().Fault == "" })
	sayReceiver(t, b.address(), false)
	until(t, "that it has left", func() bool { return l.Link().Fault == FaultNoReceiver })
	log.append(2)
	until(t, "that the records are seen", func() bool { return log.Last() == 5 })
	if got := l.Link(); !got.Connected || log.Released() != 3 {
		t.Errorf("%+v, released through %d", got, log.Released())
	}
	sayReceiver(t, b.address(), true)
	until(t, "the release of the others", func() bool { return log.Released() == 5 && l.Link().Fault == "" })
}

// What the receiver leaves in the middle is sent again, also where it comes and goes faster than the loop looks.
func TestTheReceiverComesAndGoes(t *testing.T) {
	b, log := newMosquitto(t), newMemory()
	b.start(t)
	defer func() { b.stop() }()
	startReceiver(t, b.address())
	l, _ := startLink(t, b.address(), newKeys(t), log, AckBroker)
	for range 20 {
		log.append(10)
		sayReceiver(t, b.address(), false)
		log.append(10)
		sayReceiver(t, b.address(), true)
	}
	// What was said last may come after all is released.
	until(t, "the release, and the receiver", func() bool { return log.Released() == 400 && l.Link().Fault == "" })
}

// A record that is larger than the broker takes stays where it is and is told of, where the broker's word releases records, too; those
// before and behind it arrive, also over another connection; and everything is released once the limit is raised.
func TestTooLargeByTheBrokersWord(t *testing.T) {
	for _, limit := range []string{"message_size_limit 20000", "max_packet_size 20000"} {
		t.Run(strings.Fields(limit)[0], func(t *testing.T) {
			b, log := newMosquitto(t), newMemory()
			plain, err := os.ReadFile(b.Config)
			if err != nil {
				t.Fatal(err)
			}
			if err := appendFile(b.Config, limit+"\n"); err != nil {
				t.Fatal(err)
			}
			b.start(t)
			defer func() { b.stop() }()
			k := newKeys(t)
			c := startCentre(t, b.address(), k.centre, public(k.box))
			c.set(func(*centre, wire.Batch) {}) // it cannot answer
			sayReceiver(t, b.address(), true)
			log.append(3)
			log.appendLarge(30_000)
			log.append(20)
			log.appendLarge(40_000)
			log.append(5)
			l, _ := startLink(t, b.address(), k, log, AckBroker)
			until(t, "what is before and behind", func() bool { return c.hasAll(1, 3) && c.hasAll(5, 24) && c.hasAll(26, 30) })
			until(t, "both are told of", func() bool {
				large := new(TooLargeError)
				return len(l.Stuck()) == 2 && errors.As(l.Link().Err, &large) && large.Bytes >= 30_000 && large.Bytes < 32_000
			})
			if got := l.Stuck(); got[0].Seq != 4 || got[1].Seq != 25 || log.Released() != 3 {
				t.Errorf("told of %+v, released through %d", got, log.Released())
			}
			until(t, "that nothing waits for an answer", func() bool { return l.Link().Waiting.IsZero() })
			restart := func() { // a receiver says that it is there once it reads
				before := c.subscribed.Load()
				b.stop()
				b.start(t)
				until(t, "the receiver reads", func() bool { return c.subscribed.Load() > before })
				sayReceiver(t, b.address(), true)
			}
			restart()
			log.append(1)
			until(t, "what came after a restart of the broker", func() bool { return c.hasAll(31, 31) })
			if log.Released() != 3 {
				t.Errorf("released through %d, want 3", log.Released())
			}
			if err := os.WriteFile(b.Config, plain, 0o600); err != nil {
				t.Fatal(err)
			}
			restart()
			for tries := 0; len(l.Stuck()) > 0 && tries < 60; tries++ { // a connection that comes after some time asks again
				before := l.Stats().Connections
				restart()
				until(t, "another connection", func() bool { return l.Stats().Connections > before })
			}
			until(t, "everything, once the limit is raised", func() bool { return log.Released() == 31 && c.hasAll(1, 31) && len(l.Stuck()) == 0 })
		})
	}
}

// What the broker has taken behind a record that cannot be sent releases nothing, and is not sent again on this connection; its word for
// what was sent twice is no answer to what is on its way.
func TestTheBrokersWordBehindAStuckRecord(t *testing.T) {
	log := newMemory()
	log.append(9)
	u := bench(t, log, newKeys(t), nil)
	u.cfg.AckMode = AckBroker
	u.follow()
	u.setStuck([]wire.Stuck{{Seq: 3}})
	u.window = u.window.onSent(flight{first: 1, last: 2, at: time.Now()}).skip().onSent(flight{first: 4, last: 6, at: time.Now()})
	for _, step := range []struct {
		last             uint64
		want             bool
		released, beyond uint64
	}{{2, true, 2, 0}, {2, false, 2, 0}, {7, false, 2, 0}, {6, true, 2, 6}, {6, false, 2, 6}} {
		if got := u.took(step.last); got != step.want || log.Released() != step.released || u.window.beyond != step.beyond {
			t.Errorf("through %d: taken %v, released %d, beyond %d; want %+v", step.last, got, log.Released(), u.window.beyond, step)
		}
	}
	if u.window.waiting() {
		t.Errorf("%+v", u.window)
	}
}

func TestWhatABrokersReasonMeans(t *testing.T) {
	for reason, want := range map[mqtt5.Reason]Fault{
		mqtt5.Success: "", mqtt5.NobodyReads: FaultNobody, mqtt5.NotAuthorised: FaultWrite, mqtt5.PacketTooLong: FaultTooLarge,
		mqtt5.QuotaExceeded: FaultSilent, 0x80: FaultSilent, 0x83: FaultSilent, mqtt5.BadTopicName: FaultWrite,
	} {
		err := judged(reason, 17)
		if got := FaultOf(err); got != want {
			t.Errorf("reason %#x means %q, want %q", byte(reason), got, want)
		}
		if large := new(TooLargeError); errors.As(err, &large) && large.Bytes != 17 {
			t.Errorf("%v", err)
		}
		if onWay(err) {
			t.Errorf("a connection would disprove %v", err)
		}
	}
}

// A broker that cannot be asked in MQTT 5 leaves the silence of the centre to be told of: a new connection is no answer.
func TestSilenceOutlastsAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, log := newKeys(t), newMemory()
		log.append(1)
		lines := make(chan *wireless, 10)
		u := bench(t, log, k, func() (*connection, error) {
			w := newWireless(1000)
			lines <- w
			return w.connection(), nil
		})
		u.why = func(context.Context, string, []byte) error { return &StageError{StageLogin, mqtt5.ErrVersion} }
		stop := background(t, u)
		w := <-lines
		time.Sleep(30 * time.Second)
		w.lost <- io.EOF
		w = <-lines
		synctest.Wait()
		for range 30 {
			if got := u.Link(); got.Fault != FaultSilent && got.Fault != FaultNotEnrolled || !got.Connected {
				t.Fatalf("after a new connection: %+v", got)
			}
			time.Sleep(100 * time.Millisecond)
		}
		w.messages <- message{wire.AckChannel, sealed(t, k.centre, wire.AckPurpose,
			&wire.Ack{Device: "box-1", Epoch: 7, Through: 1, Head: rating.HashOf(log.record(1))})}
		synctest.Wait()
		if got := u.Link(); got.Fault != "" {
			t.Errorf("after an acknowledgement: %+v", got)
		}
		stop()
	})
}

// A panic ends the connection and not the daemon; it has a name of its own, is tried again at growing intervals, and the broker
// learns that the box is away.
func TestAPanicIsAFaultOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, log := newKeys(t), newMemory()
		log.append(1)
		lines := make(chan *wireless, 100)
		u := bench(t, log, k, func() (*connection, error) {
			w := newWireless(1000)
			lines <- w
			return w.connection(), nil
		})
		health := u.cfg.Health
		var mended atomic.Bool
		u.cfg.Health = func() wire.Health {
			if !mended.Load() {
				panic("no such part")
			}
			return health()
		}
		stop := background(t, u)
		for range 3 {
			if orderly := <-(<-lines).orderly; orderly {
				t.Error("the connection ended in order")
			}
		}
		synctest.Wait()
		if got := u.Link(); got.Fault != FaultCrashed {
			t.Errorf("the link says %+v", got)
		}
		time.Sleep(5 * time.Minute)
		if n := len(lines); n > 5*60/7 {
			t.Errorf("%d tries in five minutes", n)
		}
		mended.Store(true)
		var w *wireless
		for range len(lines) + 1 {
			w = <-lines
		}
		w.messages <- message{wire.AckChannel, sealed(t, k.centre, wire.AckPurpose,
			&wire.Ack{Device: "box-1", Epoch: 7, Through: 1, Head: rating.HashOf(log.record(1))})}
		synctest.Wait()
		if got := u.Link(); got.Fault != "" || log.Released() != 1 {
			t.Errorf("after an acknowledgement: %+v, released through %d", got, log.Released())
		}
		stop()
	})
}
