package mqtt5

import (
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"haochaping/internal/proof/mosquitto"
)

// startBroker starts a mosquitto with rules and lines of configuration.
func startBroker(t *testing.T, config string) string {
	t.Helper()
	rules := filepath.Join(t.TempDir(), "acl")
	if err := os.WriteFile(rules, []byte("topic read closed\nuser box\ntopic readwrite open\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return mosquitto.Start(t, "user root\nacl_file "+rules+"\n"+config+"\n")
}

func dial(t *testing.T, at string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestMosquittoSaysWhy(t *testing.T) {
	at := startBroker(t, "allow_anonymous true\nmessage_size_limit 20000\nmax_packet_size 50000")
	c, o, err := Connect(dial(t, at), Login{ID: "a", Username: "box"}, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if !o.Shared || !o.Retained || o.QoS != 2 || o.MaxPacket != 50000 {
		t.Errorf("it offers %+v", o)
	}
	for _, p := range []struct {
		topic string
		size  int
		want  Reason
	}{{"open", 10, NobodyReads}, {"closed", 0, NotAuthorised}, {"open", 30000, PacketTooLong}, {"open", 0, NobodyReads}} {
		if got, err := c.Publish(p.topic, make([]byte, p.size)); got != p.want || err != nil {
			t.Errorf("%s with %d bytes: 0x%02x, %v; want 0x%02x", p.topic, p.size, byte(got), err, byte(p.want))
		}
	}
	if got, err := c.Publish("open", make([]byte, 60000)); err == nil && !got.Refused() {
		t.Errorf("more than the largest packet: 0x%02x", byte(got))
	}
	at = startBroker(t, "allow_anonymous false")
	if _, _, err := Connect(dial(t, at), Login{ID: "a", Username: "box"}, 5*time.Second); err == nil {
		t.Error("a login without password is taken")
	}
}

func FuzzOffer(f *testing.F) {
	f.Add([]byte{0})
	f.Add([]byte{3, 0x21, 0, 10, 0x24, 1})
	f.Add(append([]byte{7, 0x27, 0, 0, 1, 0, 0x2a, 0}, 0x26, 0xff, 0xff))
	f.Fuzz(func(t *testing.T, b []byte) {
		o := offer(b)
		// One that says nothing, or what cannot be read, has everything.
		if size, n := binary.Uvarint(b); (n <= 0 || size == 0) && o != (Offer{Shared: true, Retained: true, QoS: 2}) {
			t.Errorf("%x offers %+v", b, o)
		}
	})
}
