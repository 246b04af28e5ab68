package uplink

import (
	"bufio"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"haochaping/sync/wire"
)

// has reports whether the centre has all records of a range.
func (c *centre) hasAll(from, to uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for seq := from; seq <= to; seq++ {
		if c.got[seq] == nil {
			return false
		}
	}
	return true
}

// A record that is larger than the broker takes stays where it is and is told of; those before and behind it arrive, also
// those that come later and over another connection; and it goes once the broker's limit is raised.
func TestARecordTooLargeForTheBroker(t *testing.T) {
	for _, limit := range []string{"message_size_limit 20000", "max_packet_size 20000"} {
		t.Run(strings.Fields(limit)[0], func(t *testing.T) {
			b := newMosquitto(t)
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
			log := newMemory()
			log.append(3)
			log.appendLarge(30_000)
			log.append(20)
			log.appendLarge(40_000)
			log.append(5)
			l, _ := startLink(t, b.address(), k, log, AckCentre)
			until(t, "what is before and behind", func() bool { return c.hasAll(1, 3) && c.hasAll(5, 24) && c.hasAll(26, 30) })
			until(t, "both are told of", func() bool { return len(l.Stuck()) == 2 })
			got := l.Stuck()
			if got[0].Seq != 4 || got[1].Seq != 25 || got[0].Bytes < 30_000 || got[0].Bytes > 32_000 {
				t.Errorf("told of %+v", got)
			}
			if wantLimit := strings.HasPrefix(limit, "max_packet"); (got[0].Limit == 20000) != wantLimit {
				t.Errorf("the limit is %d", got[0].Limit)
			}
			if log.Released() != 3 {
				t.Errorf("released through %d, want 3", log.Released())
			}
			log.append(4)
			until(t, "what came later", func() bool { return c.hasAll(31, 34) })
			batches := l.Stats().Batches
			b.stop()
			b.start(t)
			log.append(1)
			until(t, "what came after a restart of the broker", func() bool { return c.hasAll(35, 35) })
			if more := l.Stats().Batches - batches; more > 10 {
				t.Errorf("%d batches were sent for one record", more)
			}
			if log.Released() != 3 {
				t.Errorf("released through %d, want 3", log.Released())
			}
			b.stop()
			if err := os.WriteFile(b.Config, plain, 0o600); err != nil {
				t.Fatal(err)
			}
			b.start(t)
			for tries := 0; len(l.Stuck()) > 0 && tries < 60; tries++ { // a connection that comes after some time asks again
				before := l.Stats().Connections
				b.stop()
				b.start(t)
				until(t, "another connection", func() bool { return l.Stats().Connections > before })
			}
			until(t, "everything, once the limit is raised", func() bool { return log.Released() == 35 && len(l.Stuck()) == 0 })
		})
	}
}

// A centre that is away is not taken for a broker with a limit, however large the record.
func TestALargeRecordWaitsForTheCentre(t *testing.T) {
	b := newMosquitto(t)
	b.start(t)
	defer b.stop()
	k := newKeys(t)
	log := newMemory()
	log.appendLarge(30_000)
	log.append(3)
	l, _ := startLink(t, b.address(), k, log, AckCentre)
	until(t, "some silences", func() bool { return l.Stats().Silences >= 4 })
	if got := l.Stuck(); len(got) > 0 {
		t.Errorf("told of %+v", got)
	}
	startCentre(t, b.address(), k.centre, public(k.box))
	until(t, "the records", func() bool { return log.Released() == 4 })
}

// A thin line that does not carry the record in time is no broker with a limit; one that ends the connection under it is, after
// others have broken.
func TestAThinLineIsNoLimit(t *testing.T) {
	for name, c := range map[string]struct {
		ends   bool // the broker ends the connection under a PUBLISH
		losses int
		want   bool
		err    bool
	}{
		"thin": {false, 9, false, true}, "ends": {true, 2, true, false}, "ends once": {true, 0, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer func() { _ = conn.Close() }()
				r := bufio.NewReader(conn)
				_, _ = r.Peek(1)                            // the CONNECT
				_, _ = conn.Write([]byte{0x20, 3, 0, 0, 0}) // taken, in MQTT 5
				buf := make([]byte, 100)
				for n := 0; n < 1000; { // more than the CONNECT has
					more, err := r.Read(buf)
					if n += more; err != nil {
						return
					}
				}
				if !c.ends {
					_, _ = io.Copy(io.Discard, r) // until the box hangs up
				}
			}()
			log := newMemory()
			log.appendLarge(30_000)
			u := bench(t, log, newKeys(t), nil)
			u.cfg.Connect = 300 * time.Millisecond
			u.brokers[0].Host = l.Addr().String()
			u.why = u.way().why
			u.follow()
			_, yes, err := u.tooLarge(t.Context(), 1, c.losses)
			if yes != c.want || (err != nil) != c.err {
				t.Errorf("too large: %v, %v; want %v, an error %v", yes, err, c.want, c.err)
			}
		})
	}
}

// A repeated answer to a batch behind a record that is passed over is none to the batch that is on its way.
func TestARepeatedAnswerBehindAStuckRecord(t *testing.T) {
	u := bench(t, newMemory(), newKeys(t), nil)
	u.setStuck([]wire.Stuck{{Seq: 1}})
	u.window = newWindow(0, 9, wire.MaxBatchBytes).skip().onSent(flight{first: 2, last: 5, at: time.Now()})
	for _, a := range []struct {
		wire.Ack
		want bool
	}{
		{wire.Ack{First: 2, Last: 4}, false}, {wire.Ack{First: 3, Last: 5}, false}, {wire.Ack{First: 6, Last: 9}, false},
		{wire.Ack{First: 2, Last: 5}, true}, {wire.Ack{First: 2, Last: 5}, false},
	} {
		if got := u.behindStuck(a.Ack); got != a.want {
			t.Errorf("an answer to %d to %d is taken: %v, want %v", a.First, a.Last, got, a.want)
		}
	}
	u.window = u.window.onSent(flight{first: 6, last: 9, at: time.Now()})
	if !u.behindStuck(wire.Ack{}) {
		t.Error("a centre that names no batch is not believed")
	}
}
