package ingest

import (
	"bytes"
	"context"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"pgregory.net/rapid"

	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// FuzzTake gives ingest a message on each channel: it answers each once, fails none, and hands on to the books only what the
// box has signed, and states within their bounds. The books are fake, since SQLite's own coverage differs from run to run.
func FuzzTake(f *testing.F) {
	good := rating.Record{V: 1, Device: "box-1", Epoch: 7, Seq: 1, Prev: rating.Genesis("box-1", 7),
		Body: rating.EventBody(rating.Stamp{Boot: 1}, rating.EventStarted)}
	raw, err := good.Encode()
	if err != nil {
		f.Fatal(err)
	}
	batch := wire.Batch{Device: "box-1", Epoch: 7, First: 1, Records: [][]byte{raw}}
	batch.Sign(key(1))
	payload, err := batch.Encode()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{payload, raw, append(append(raw, '\n'), raw...), []byte(`{"v":1,"online":true}`), []byte(`{"v":1}`), nil,
		[]byte("{}\n\n[]")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		books := &taker{t: t}
		in, err := New(Config{Broker: "mqtt://localhost", Journal: books, Fleet: books, Key: key(9),
			Now: func() time.Time { return time.UnixMilli(0) }, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		for _, ch := range []wire.Channel{wire.RecordsChannel, wire.PresenceChannel, wire.HealthChannel, wire.ReplyChannel, wire.ConfigChannel} {
			m := &message{payload: payload}
			w := work{m, ch, "box-1"}
			if ch == wire.RecordsChannel {
				takeOne(t, in, w)
			} else {
				in.hear(w)
			}
			if m.acked != 1 {
				t.Errorf("%s: answered %d times", ch, m.acked)
			}
		}
		if err := in.notes.flush(context.Background(), books); err != nil {
			t.Error(err)
		}
	})
}

// takeOne takes a batch as a lane does, and answers it.
func takeOne(t *testing.T, in *Ingest, w work) {
	k := newTakers(in, new(line))
	if !in.underWay.TryAcquire(size(w)) {
		t.Error("there is no room for a single batch")
	}
	if err := k.some(context.Background(), []work{w}); err != nil {
		t.Error(err)
	}
	select {
	case b := <-k.answers:
		if err := in.answer(b, &k.acks); err != nil {
			t.Error(err)
		}
		k.dismiss(b.work)
	default: // it was not believed
	}
	if !in.underWay.TryAcquire(maxBytesUnderWay) {
		t.Fatal("the bytes of an answered batch still count")
	}
	in.underWay.Release(maxBytesUnderWay)
}

// taker is a journal and a fleet that look at what they are given.
type taker struct {
	Journal
	Fleet
	t *testing.T
}

func (k *taker) Known(_ context.Context, d rating.DeviceID) (fleet.Device, error) {
	return fleet.Device{ID: d, Key: public(key(1))}, nil
}

func (k *taker) Submit(_ context.Context, e journal.Entry, done func(journal.Receipt, error)) error {
	if b := e.Batch(); b.Device != "box-1" || e.Header().CheckSignature() != nil || len(b.Records) == 0 {
		k.t.Errorf("the journal is given %+v", e)
	}
	done(journal.Receipt{Pos: 1, Entered: true, Ack: e.Last()}, nil)
	return nil
}

func (k *taker) Note(_ context.Context, all []fleet.Note) error {
	for _, n := range all {
		if n.Device != "box-1" || len(n.RefusedWhy) > 600 {
			k.t.Errorf("the fleet is given %+v", n)
		}
	}
	return nil
}

// Whatever a box has signed is in the books and acknowledged, and the books verify.
func TestWhateverIsSignedIsTaken(t *testing.T) {
	s := newCentre(t).open()
	enrol(t, s.Fleet)
	epoch := rating.Epoch(100) // another log each time
	rapid.Check(t, func(r *rapid.T) {
		epoch++
		b := wire.Batch{Device: "box-1", Epoch: epoch, First: rapid.Uint64Range(1, 1<<53-100).Draw(r, "first"),
			Records: rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 1, 20).Draw(r, "records")}
		b.Released = b.First - 1
		b.Sign(key(1))
		res, err := s.Append(context.Background(), believed{batch: b, key: public(key(1))}.entry(), nil)
		if err != nil || res.Ack != b.Last() || len(res.Quarantined) != len(b.Records) {
			r.Fatalf("acknowledged %+v, %v; want all through %d, in quarantine", res, err, b.Last())
		}
	})
	a, err := s.Verify(t.Context(), public(key(9)), func(int64, int64) {})
	if err != nil || len(a.Problems) > 0 {
		t.Errorf("%q, %v", a.Problems, err)
	}
}

// FuzzSlimConn reads what a broker may send: nothing fails but with an error, and no packet is too large.
func FuzzSlimConn(f *testing.F) {
	f.Add([]byte{0x32, 7, 0, 1, 'a', 0, 1, 'x', 'y', 0xd0, 0})
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, in []byte) {
		const most = 64
		c := newSlimConn(readerConn{r: bytes.NewReader(in)}, most)
		buf := make([]byte, 16)
		for {
			n, err := c.Read(buf)
			if c.body > most || len(c.out) > 2<<16 {
				t.Fatalf("%d bytes pass", c.body+len(c.out))
			}
			if err != nil {
				return
			}
			if n == 0 {
				t.Fatal("nothing was read, and no error")
			}
		}
	})
}

// message is a message that counts its answers.
type message struct {
	mqtt.Message
	payload []byte
	acked   int
}

func (m *message) Payload() []byte { return m.payload }
func (m *message) Ack()            { m.acked++ }
