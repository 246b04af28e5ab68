package ingest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// pipeTo returns a gatherConn that runs and the other end of its connection.
func pipeTo(t *testing.T, patience time.Duration) (*gatherConn, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	g := newGatherConn(near, patience)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.Run()
	}()
	t.Cleanup(func() {
		_ = far.Close()
		_ = g.Close()
		<-ended
	})
	return g, far
}

// What several write arrives whole and in the order of each, Close waits for it, and nothing is taken afterwards.
func TestGatherConn(t *testing.T) {
	g, far := pipeTo(t, time.Minute)
	const writers, each = 4, 500
	got := make(chan []byte, 1)
	go func() {
		b, err := io.ReadAll(far)
		if err != nil {
			t.Error(err)
		}
		got <- b
	}()
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				line := append(bytes.Repeat([]byte{byte('a' + w)}, 300), byte(i>>8), byte(i))
				if n, err := g.Write(line); n != len(line) || err != nil {
					t.Errorf("Write: %d, %v", n, err)
				}
			}
		})
	}
	writing.Wait()
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if _, err := g.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v, want %v", err, net.ErrClosed)
	}
	next := make(map[byte]int)
	b := <-got
	for ; len(b) >= 302; b = b[302:] {
		who, n := b[0], int(b[300])<<8|int(b[301])
		if !bytes.Equal(b[:300], bytes.Repeat([]byte{who}, 300)) || n != next[who] {
			t.Fatalf("writer %c: line %d came in the place of line %d, or torn", who, n, next[who])
		}
		next[who]++
	}
	for w := range writers {
		if n := next[byte('a'+w)]; n != each {
			t.Errorf("writer %c: %d lines arrived, want %d", 'a'+w, n, each)
		}
	}
}

// A peer that takes nothing is given up once patience is over, and the connection is closed.
func TestGatherConnGivesUp(t *testing.T) {
	g, far := pipeTo(t, 50*time.Millisecond)
	if _, err := g.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	var err error
	for end := time.Now().Add(time.Minute); err == nil && time.Now().Before(end); time.Sleep(time.Millisecond) {
		_, err = g.Write([]byte("x"))
	}
	var slow net.Error
	if !errors.As(err, &slow) || !slow.Timeout() {
		t.Errorf("got %v, want a timeout", err)
	}
	if _, err := far.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
}

// What waits for a slow peer is bounded, and nobody waits with it.
func TestGatherConnIsBounded(t *testing.T) {
	g, _ := pipeTo(t, time.Minute)
	taken := 0
	for {
		n, err := g.Write(make([]byte, 1<<20))
		taken += n
		if err != nil {
			if !errors.Is(err, errFull) {
				t.Errorf("got %v, want %v", err, errFull)
			}
			break
		}
	}
	if taken < maxGathered || taken > 2*maxGathered { // one part of it is being written
		t.Errorf("%d bytes were taken, at most %d may wait", taken, maxGathered)
	}
}
