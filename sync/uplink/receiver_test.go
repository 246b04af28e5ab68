package uplink

import (
	"context"
	"errors"
	"io"
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
	until(t, "the release", func() bool { return log.Released() == 400 })
	if got := l.Link(); got.Fault != "" {
		t.Errorf("%+v", got)
	}
}

// A record that is larger than the broker takes is no lack of rights where the broker's word releases, either.
func TestTooLargeByTheBrokersWord(t *testing.T) {
	for _, limit := range []string{"message_size_limit 20000", "max_packet_size 20000"} {
		t.Run(limit, func(t *testing.T) {
			b, log := newMosquitto(t), newMemory()
			if err := appendFile(b.Config, limit+"\n"); err != nil {
				t.Fatal(err)
			}
			b.start(t)
			defer func() { b.stop() }()
			startReceiver(t, b.address())
			log.append(3)
			log.appendLarge(30_000)
			l, _ := startLink(t, b.address(), newKeys(t), log, AckBroker)
			until(t, "the fault", func() bool { return l.Link().Fault == FaultTooLarge })
			large := new(TooLargeError)
			if err := l.Link().Err; !errors.As(err, &large) || large.Bytes < 30_000 || large.Bytes > 32_000 || log.Released() != 3 {
				t.Errorf("%v, released through %d", err, log.Released())
			}
		})
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
		w.messages <- message{wire.AckChannel, sealed(t, k.centre, wire.AckPurpose, &wire.Ack{Device: "box-1", Epoch: 7, Through: 1, Head: rating.HashOf(log.record(1))})}
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
		w.messages <- message{wire.AckChannel, sealed(t, k.centre, wire.AckPurpose, &wire.Ack{Device: "box-1", Epoch: 7, Through: 1, Head: rating.HashOf(log.record(1))})}
		synctest.Wait()
		if got := u.Link(); got.Fault != "" || log.Released() != 1 {
			t.Errorf("after an acknowledgement: %+v, released through %d", got, log.Released())
		}
		stop()
	})
}
