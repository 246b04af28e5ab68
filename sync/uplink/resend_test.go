package uplink

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// archive is a Log that keeps what was acknowledged, but for its front.
type archive struct {
	*memory
	gone     uint64 // seq through which it keeps nothing
	epoch    atomic.Uint64
	broken   atomic.Bool
	replaced atomic.Bool // the file is, by one of epoch 8, while it is read next
}

func newArchive(n int, gone uint64) *archive {
	a := &archive{memory: newMemory(), gone: gone}
	a.epoch.Store(7)
	a.append(n)
	a.released = uint64(n)
	return a
}

func (a *archive) Epoch() rating.Epoch { return rating.Epoch(a.epoch.Load()) }

func (a *archive) Kept(from uint64, maxRecords, maxBytes int) (uint64, [][]byte, error) {
	if a.broken.Load() {
		return 0, nil, errors.New("damaged")
	}
	if a.replaced.Swap(false) {
		a.epoch.Store(8)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	from = max(from, a.gone+1)
	var out [][]byte
	size := 0
	for seq := from; seq <= uint64(len(a.records)) && len(out) < maxRecords; seq++ {
		r := a.records[seq-1]
		if size += len(r); size > maxBytes && len(out) > 0 {
			break
		}
		out = append(out, r)
	}
	return from, out, nil
}

// restored is an uplink whose centre has lost its books; a test plays the broker.
type restored struct {
	*Uplink
	t     *testing.T
	k     keys
	log   *archive
	lines chan *wireless
	w     *wireless
	asked int
}

func newRestored(t *testing.T, log *archive) *restored {
	t.Helper()
	r := &restored{t: t, k: newKeys(t), log: log, lines: make(chan *wireless, 16)}
	r.Uplink = bench(t, log.memory, r.k, func() (*connection, error) {
		w := newWireless(outQueue)
		r.lines <- w
		return w.connection(), nil
	})
	r.cfg.Log = log
	return r
}

// connected takes the next connection. Where nothing is to be sent it begins with the question whether records get through.
func (r *restored) connected() {
	r.t.Helper()
	r.w = <-r.lines
	if r.log.Last() > r.log.Released() {
		return
	}
	if b, ok := r.batch(time.Second); !ok || b.First != r.log.Released() || len(b.Records) != 1 {
		r.t.Fatalf("a connection begins with %d to %d, want %d", b.First, b.Last(), r.log.Released())
	}
}

// ask asks for a range and returns the reply.
func (r *restored) ask(first, last uint64) wire.Reply {
	r.t.Helper()
	r.order(first, last)
	reply, err := wire.DecodeReply(r.w.next().payload)
	if err != nil {
		r.t.Fatal(err)
	}
	return reply
}

// order asks for a range and does not wait for the reply.
func (r *restored) order(first, last uint64) {
	r.t.Helper()
	r.asked++
	r.w.messages <- message{wire.CommandChannel, sealed(r.t, r.k.centre, wire.CommandPurpose, &wire.Command{
		Device: "box-1", ID: fmt.Sprint(r.asked), Name: wire.CommandResend, Expires: time.Now().Add(time.Hour).UnixMilli(),
		Args: map[string]string{"epoch": rating.Epoch(7).String(), "first": fmt.Sprint(first), "last": fmt.Sprint(last)},
	})}
}

// batch returns what is sent within a time, false if nothing is.
func (r *restored) batch(within time.Duration) (wire.Batch, bool) {
	r.t.Helper()
	end := time.After(within)
	for {
		select {
		case o := <-r.w.out:
			if o.channel != wire.RecordsChannel {
				continue
			}
			b, err := wire.DecodeBatch(o.payload)
			if err != nil || !b.Verify(public(r.k.box)) {
				r.t.Fatalf("a batch does not verify: %v", err)
			}
			return b, true
		case <-end:
			return wire.Batch{}, false
		}
	}
}

func TestResendGivesWhatIsStillHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRestored(t, newArchive(1000, 400))
		stop := background(t, r.Uplink)
		r.connected()
		if reply := r.ask(1, 5000); !reply.OK {
			t.Fatalf("refused: %s", reply.Error)
		}
		for want := uint64(401); want <= 1000; {
			b, ok := r.batch(10 * time.Second)
			if !ok {
				t.Fatalf("nothing was sent from %d on", want)
			}
			if b.Epoch != 7 || b.First != want || b.Released != want-1 || b.Last() > 1000 {
				t.Fatalf("epoch %s, %d to %d, released %d; want from %d", b.Epoch, b.First, b.Last(), b.Released, want)
			}
			want = b.Last() + 1
			r.w.taken <- b.Last()
		}
		if b, ok := r.batch(time.Minute); ok {
			t.Errorf("%d to %d was sent behind the last", b.First, b.Last())
		}
		stop()
	})
}

// TestResendOnAThinLine sends nothing more while the broker has not what was sent before, and new presses at once.
func TestResendOnAThinLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRestored(t, newArchive(5000, 0))
		stop := background(t, r.Uplink)
		r.connected()
		r.ask(1, 5000)
		first, ok := r.batch(10 * time.Second)
		if !ok {
			t.Fatal("nothing was sent")
		}
		if b, ok := r.batch(5 * time.Second); ok {
			t.Fatalf("%d to %d was sent while %d to %d was on its way", b.First, b.Last(), first.First, first.Last())
		}
		pressed := time.Now()
		r.log.append(1)
		b, ok := r.batch(10 * time.Second)
		if !ok || b.First != 5001 || time.Since(pressed) > 0 {
			t.Fatalf("after a press came %d to %d after %s", b.First, b.Last(), time.Since(pressed))
		}
		r.w.taken <- first.Last()
		if b, ok := r.batch(3 * time.Second); ok {
			t.Fatalf("%d to %d was sent before the press was acknowledged", b.First, b.Last())
		}
		r.w.messages <- message{wire.AckChannel, sealed(t, r.k.centre, wire.AckPurpose, &wire.Ack{
			Device: "box-1", Epoch: 7, Through: 5001, Head: rating.HashOf(r.log.record(5001)), Time: time.Now().UnixMilli()})}
		b, ok = r.batch(10 * time.Second)
		if !ok || b.First != first.Last()+1 {
			t.Fatalf("then came %d to %d, want from %d", b.First, b.Last(), first.Last()+1)
		}
		if len(b.Records) >= len(first.Records) {
			t.Errorf("a line that took 8 s for %d records is given %d at once", len(first.Records), len(b.Records))
		}
		stop()
	})
}

// TestResendSurvivesTheConnection sends again what went down with a connection, and not what no broker takes.
func TestResendSurvivesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRestored(t, newArchive(2000, 0))
		stop := background(t, r.Uplink)
		r.connected()
		r.ask(1, 2000)
		for try := range maxResendTries {
			b, ok := r.batch(10 * time.Second)
			if !ok || b.First != 1 {
				t.Fatalf("connection %d: %d to %d, want from 1", try, b.First, b.Last())
			}
			r.w.lost <- errors.New("lost")
			r.connected()
		}
		if b, ok := r.batch(10 * time.Second); !ok || b.First == 1 {
			t.Errorf("%d to %d was sent, want what is behind a batch that %d connections broke under", b.First, b.Last(), maxResendTries)
		}
		stop()
	})
}

func TestResendOfAnotherLogOrADamagedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRestored(t, newArchive(1000, 0))
		stop := background(t, r.Uplink)
		r.connected()
		r.log.broken.Store(true)
		r.ask(1, 1000)
		if b, ok := r.batch(time.Minute); ok || len(r.lines) > 0 {
			t.Errorf("%d to %d was sent, and %d connections were lost, over what cannot be read", b.First, b.Last(), len(r.lines))
		}
		r.log.broken.Store(false)
		r.log.replaced.Store(true)
		r.order(1, 1000)
		for r.log.replaced.Load() {
			time.Sleep(100 * time.Millisecond)
		}
		r.log.append(1)
		if b, ok := r.batch(10 * time.Second); ok {
			t.Errorf("records %d to %d of the new log were signed as those of epoch %s", b.First, b.Last(), b.Epoch)
		}
		r.connected()
		for {
			b, ok := r.batch(10 * time.Second)
			if !ok {
				break
			}
			if b.Epoch != 8 || b.First < 1001 {
				t.Errorf("%d to %d of epoch %s was sent, which nobody has asked for", b.First, b.Last(), b.Epoch)
			}
		}
		stop()
	})
}

func TestResendRefusesWhatItDoesNotUnderstand(t *testing.T) {
	log := newArchive(10, 0)
	r := newRestored(t, log)
	r.follow()
	for _, args := range []map[string]string{
		nil, {"epoch": rating.Epoch(8).String(), "first": "1", "last": "2"}, {"epoch": rating.Epoch(7).String(), "first": "0", "last": "2"},
		{"epoch": rating.Epoch(7).String(), "first": "3", "last": "2"},
		{"epoch": rating.Epoch(7).String(), "first": "1", "last": "18446744073709551615"},
	} {
		if err := r.askedAgain(wire.Command{Args: args}); err == nil || r.resend != (resend{}) {
			t.Errorf("%v was taken", args)
		}
	}
}
