package ingest

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"testing/iotest"
)

func TestSlimConn(t *testing.T) {
	message := func(qos byte, topic string, payload int) []byte {
		body := binary.BigEndian.AppendUint16(nil, uint16(len(topic)))
		body = append(body, topic...)
		if qos > 0 {
			body = append(body, 0x12, 0x34)
		}
		body = append(body, make([]byte, payload)...)
		return append(binary.AppendUvarint([]byte{0x30 | qos<<1}, uint64(len(body))), body...)
	}
	in := bytes.Join([][]byte{{0x20, 2, 0, 0}, message(1, "a/b", 100), message(1, "a/b", 5000), message(0, "c", 200_000), message(0, "c", 3)},
		nil)
	want := bytes.Join([][]byte{{0x20, 2, 0, 0}, message(1, "a/b", 100), message(1, "a/b", 0), message(0, "c", 0), message(0, "c", 3)}, nil)
	for _, r := range []io.Reader{bytes.NewReader(in), iotest.OneByteReader(bytes.NewReader(in)), iotest.HalfReader(bytes.NewReader(in))} {
		got, err := io.ReadAll(newSlimConn(readerConn{r: r}, 1000))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, %v; want %d", len(got), err, len(want))
		}
	}
}

// readerConn is a connection from which one can only read.
type readerConn struct {
	net.Conn
	r io.Reader
}

func (c readerConn) Read(p []byte) (int, error) { return c.r.Read(p) }
