package boxconfig

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"haochaping/internal/provision"
)

// rootText returns a root certificate as the shared file has it.
func rootText(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// sharedText returns a shared file that a centre's key has signed.
func sharedText(t *testing.T, seed byte, root, more string) []byte {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	text := fmt.Sprintf("enrol.url = \"https://enrol.example.com:8443\"\nenrol.root = \"\"\"\n%s\"\"\"\nuplink.broker = [\"mqtts://mqtt%d.example.com:8883\"]\nuplink.centre_key = %q\nlink.base = \"https://rate.example.com\"\n%s",
		root, seed, base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey)), more)
	file, err := provision.Sign([]byte(text), key)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestTheSharedFile gives a box the file of its centre, then a broken one, one of another centre, a newer one and none.
func TestTheSharedFile(t *testing.T) {
	folder, root := t.TempDir(), rootText(t)
	state, shared, own := filepath.Join(folder, "state"), filepath.Join(folder, "haochaping.toml"), filepath.Join(folder, "ratingd.toml")
	write := func(path string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keys := "[keys]\nsource = \"simulated\"\nmap = [{key=\"a\",level=5},{key=\"b\",level=4},{key=\"c\",level=3},{key=\"d\",level=2},{key=\"e\",level=1}]\n"
	write(own, fmt.Appendf(nil, "state = %q\nenrol.file = %q\nlink.base = \"https://other.example.com\"\n", state, shared))
	if _, err := Load(own); err == nil {
		t.Error("a box without a shared file needs no name")
	}
	first := sharedText(t, 1, root, keys)
	write(shared, first[:len(first)/2])
	if _, err := Load(own); !errors.Is(err, provision.ErrBroken) {
		t.Errorf("half a file: %v", err)
	}
	write(shared, first)
	load := func(broker string, fault bool) Config {
		t.Helper()
		c, err := Load(own)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Birth(rand.Reader); err != nil {
			t.Fatal(err)
		}
		if c.Uplink.Broker[0] != "mqtts://"+broker+".example.com:8883" || (c.SharedFault != nil) != fault || !c.Enrols() {
			t.Errorf("the broker is %v, the fault %v", c.Uplink.Broker, c.SharedFault)
		}
		return c
	}
	born := load("mqtt1", false)
	if len(born.Device) != 12 || born.Link.Base != "https://other.example.com" || len(born.Keys.Map) != 5 {
		t.Errorf("the box is %q with %q and %d keys", born.Device, born.Link.Base, len(born.Keys.Map))
	}
	write(shared, sharedText(t, 2, root, keys))
	load("mqtt1", true)
	write(shared, first[:len(first)/2])
	load("mqtt1", true)
	newer := sharedText(t, 1, root, "visit.wait = \"33s\"\n"+keys)
	write(shared, newer)
	if c := load("mqtt1", false); c.Visit.Wait != Duration(33*time.Second) {
		t.Errorf("the newer file waits %v", c.Visit.Wait)
	}
	if err := os.Remove(shared); err != nil {
		t.Fatal(err)
	}
	if c := load("mqtt1", false); c.Visit.Wait != Duration(33*time.Second) || c.Device != born.Device {
		t.Errorf("without the file the box is %q and waits %v", c.Device, c.Visit.Wait)
	}
	// A box of the first version beside such a file is as it was.
	write(shared, newer)
	write(own, fmt.Appendf(nil, "device = \"lz-0417\"\nstate = %q\nenrol.file = %q\nuplink.password_file = \"/etc/ratingd.password\"\n", filepath.Join(folder, "old"), shared))
	if c, err := Load(own); err != nil || c.Enrols() || c.Device != "lz-0417" {
		t.Errorf("a box of the first version is %q and enrols: %v, %v", c.Device, c.Enrols(), err)
	}
}
