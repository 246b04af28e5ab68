package uplink

import (
	"bytes"
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"
)

func packet(size int) []byte {
	return append(binary.AppendUvarint([]byte{0x30}, uint64(size)), bytes.Repeat([]byte{0xff}, size)...)
}

// TestPacketsPassHoweverTheyAreCut sends packets through the gate in pieces, and one that is too large at the end.
func TestPacketsPassHoweverTheyAreCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		for range rapid.IntRange(0, 5).Draw(t, "packets") {
			stream = append(stream, packet(rapid.OneOf(rapid.IntRange(0, 300), rapid.Just(maxPacket)).Draw(t, "size"))...)
		}
		good := len(stream)
		stream = append(stream, binary.AppendUvarint([]byte{0x30}, uint64(rapid.IntRange(maxPacket+1, 1<<28-1).Draw(t, "too large")))...)
		var g packetGate
		for at := 0; at < len(stream); {
			n := min(rapid.IntRange(1, 1<<16).Draw(t, "piece"), len(stream)-at)
			err := g.pass(stream[at : at+n])
			at += n
			if err != nil && at <= good {
				t.Fatalf("refused within the good packets, which end at %d: %v", good, err)
			}
			if err != nil {
				return
			}
		}
		t.Fatal("a packet that is too large passed")
	})
}

func FuzzPacketGate(f *testing.F) {
	f.Add(packet(3), 1)
	f.Add([]byte{0x30, 0x80, 0x80, 0x80, 0x80, 0x01}, 2)
	f.Add([]byte{0xd0, 0x00, 0x30, 0xff, 0xff, 0xff, 0x7f}, 3)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		var whole, pieces packetGate
		err := whole.pass(b)
		at := min(max(cut, 0), len(b))
		errPieces := pieces.pass(b[:at])
		if errPieces == nil {
			errPieces = pieces.pass(b[at:])
		}
		if (err == nil) != (errPieces == nil) {
			t.Fatalf("whole: %v, in two pieces: %v", err, errPieces)
		}
		if whole.body > maxPacket {
			t.Fatalf("a packet of %d bytes was let in", whole.body)
		}
	})
}
