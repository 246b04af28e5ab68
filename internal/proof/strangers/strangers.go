// Package strangers sends to a listener what nobody who plays by the rules does: packets of a conversation out of order, again, cut short
// and with bytes changed, and bytes at random.
package strangers

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"time"
)

// patience is how long a listener may take to end a connection on which nothing more comes. One that waits longer is left.
const patience = 50 * time.Millisecond

// Lines returns the packets of a conversation in lines, as HTTP is one.
func Lines(conversation []byte) [][]byte { return bytes.SplitAfter(conversation, []byte("\n")) }

// MQTT returns the packets of a conversation in MQTT. What is cut short or has no length is one packet, the last.
func MQTT(conversation []byte) (packets [][]byte) {
	for rest := conversation; len(rest) > 0; {
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || n > 4 || size > uint64(len(rest)-1-n) {
			return append(packets, rest)
		}
		end := 1 + n + int(size)
		packets, rest = append(packets, rest[:end]), rest[end:]
	}
	return packets
}

// Mix returns packets as a seed has it: in their order for 0; else some left out, some sent again, some exchanged, one cut short, or
// a few bytes changed, also all of that.
func Mix(packets [][]byte, seed uint64) []byte {
	if seed == 0 {
		return bytes.Join(packets, nil)
	}
	random := rand.New(rand.NewPCG(seed, 1))
	var mixed [][]byte
	for _, p := range packets {
		switch random.IntN(6) {
		case 0: // lost
		case 1: // replayed
			mixed = append(mixed, p, p)
		default:
			mixed = append(mixed, p)
		}
	}
	if seed&1 != 0 {
		random.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	}
	out := bytes.Join(mixed, nil)
	if seed&2 != 0 && len(out) > 0 {
		out = out[:random.IntN(len(out))]
	}
	if seed&4 != 0 {
		for range min(len(out), 1+random.IntN(4)) {
			out[random.IntN(len(out))] = byte(random.Uint32())
		}
	}
	return out
}

// Noise returns bytes at random.
func Noise(seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 2))
	out := make([]byte, 1+random.IntN(2000))
	for i := range out {
		out[i] = byte(random.Uint32())
	}
	return out
}

// Send sends bytes over a connection and reads what is answered until the other side ends it, or is silent. It closes the connection, and
// reports whether the other side did not take all.
func Send(conn net.Conn, b []byte) (ended bool) {
	defer func() { _ = conn.Close() }() // the other side may have ended it
	if conn.SetDeadline(time.Now().Add(20*patience)) != nil {
		return true
	}
	if _, err := conn.Write(b); err != nil {
		return true
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() != nil {
		return true
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	_, err := io.Copy(io.Discard, io.LimitReader(conn, 1<<20))
	return !errors.Is(err, os.ErrDeadlineExceeded)
}
