package device

import (
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// fakeChip is a kernel that writes the edges of contacts: numbered, at most so many as its queue holds, and a little late.
type fakeChip struct {
	t       rapid.TB
	now     time.Duration
	waves   []wave
	delay   []time.Duration // until an edge can be read; by line
	written []int           // edges; by line
	out     []int           // descriptors
	lines   []edgeLine
}

func newFakeChip(t rapid.TB, waves []wave) *fakeChip {
	k := &fakeChip{t: t, waves: waves, written: make([]int, len(waves)), delay: make([]time.Duration, len(waves))}
	for i := range waves {
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		k.out = append(k.out, p[1])
		k.lines = append(k.lines, edgeLine{fd: p[0], high: func() (bool, error) { return !k.waves[i].at(k.now), nil }})
	}
	return k
}

func (k *fakeChip) close() {
	for i, l := range k.lines {
		_, _ = unix.Close(l.fd), unix.Close(k.out[i])
	}
}

// write makes readable what is to be by now.
func (k *fakeChip) write() {
	for i, w := range k.waves {
		from := k.written[i]
		for k.written[i] < len(w) && w[k.written[i]].at+k.delay[i] <= k.now {
			k.written[i]++
		}
		var b []byte
		for n := max(from, k.written[i]-uapiQueue); n < k.written[i]; n++ {
			b = append(b, edgeBytes(w[n].at, !w[n].down, uint32(n)+1)...)
		}
		if len(b) == 0 {
			continue
		}
		if n, err := unix.Write(k.out[i], b); err != nil || n < len(b) {
			k.t.Fatalf("wrote %d of %d bytes: %v", n, len(b), err)
		}
	}
}

// next is when the next edge can be read.
func (k *fakeChip) next() time.Duration {
	at := never
	for i, w := range k.waves {
		if n := k.written[i]; n < len(w) {
			at = min(at, w[n].at+k.delay[i])
		}
	}
	return at
}
