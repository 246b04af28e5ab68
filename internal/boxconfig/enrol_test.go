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
	"strings"
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
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotBefore: time.Unix(0, 0),
		NotAfter: time.Unix(1<<32, 0), IsCA: true, BasicConstraintsValid: true}
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
	text := fmt.Sprintf("enrol.url = \"https://enrol.example.com:8443\"\nenrol.root = \"\"\"\n%s\"\"\"\n"+
		"uplink.broker = [\"mqtts://mqtt%d.example.com:8883\"]\nuplink.centre_key = %q\nlink.base = \"https://rate.example.com\"\n%s",
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
	keys := "[keys]\nsource = \"simulated\"\nmap = " +
		"[{key=\"a\",level=5},{key=\"b\",level=4},{key=\"c\",level=3},{key=\"d\",level=2},{key=\"e\",level=1}]\n"
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
	write(own, fmt.Appendf(nil, "device = \"lz-0417\"\nstate = %q\nenrol.file = %q\nuplink.password_file = \"/etc/ratingd.password\"\n",
		filepath.Join(folder, "old"), shared))
	if c, err := Load(own); err != nil || c.Enrols() || c.Device != "lz-0417" {
		t.Errorf("a box of the first version is %q and enrols: %v, %v", c.Device, c.Enrols(), err)
	}
}

// sharedBox is a box with a shared file, born in a folder.
type sharedBox struct {
	t                  *testing.T
	state, shared, own string
	root               string
}

const fiveKeys = "[keys]\nsource = \"simulated\"\nmap = " +
	"[{key=\"a\",level=5},{key=\"b\",level=4},{key=\"c\",level=3},{key=\"d\",level=2},{key=\"e\",level=1}]\n"

func newSharedBox(t *testing.T, own string) *sharedBox {
	t.Helper()
	folder := t.TempDir()
	b := &sharedBox{t, filepath.Join(folder, "state"), filepath.Join(folder, "haochaping.toml"), filepath.Join(folder, "ratingd.toml"),
		rootText(t)}
	b.write(b.own, fmt.Appendf(nil, "state = %q\nenrol.file = %q\n%s", b.state, b.shared, own))
	return b
}

func (b *sharedBox) write(path string, text []byte) {
	b.t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// start loads the configuration as the daemon does, and reports how long it waits for an answer, and what it says of the shared file.
func (b *sharedBox) start() (wait Duration, fault error) {
	b.t.Helper()
	c, err := Load(b.own)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := c.Birth(rand.Reader); err != nil {
		b.t.Fatal(err)
	}
	return c.Visit.Wait, c.SharedFault
}

// TestATypoForAllBoxes gives boxes a file that its centre has signed and that is wrong: they go on with what they had, and say it.
func TestATypoForAllBoxes(t *testing.T) {
	b := newSharedBox(t, "")
	b.write(b.shared, sharedText(t, 1, b.root, "visit.wait = \"31s\"\n"+fiveKeys))
	if wait, fault := b.start(); wait != Duration(31*time.Second) || fault != nil {
		t.Fatalf("it waits %v, %v", wait, fault)
	}
	for _, typo := range []string{"visit.wiat = \"32s\"\n", "visit.wait = \"32\"\n", "visit.wait = \"32h\"\n"} {
		b.write(b.shared, sharedText(t, 1, b.root, typo+fiveKeys))
		if wait, fault := b.start(); wait != Duration(31*time.Second) || fault == nil {
			t.Errorf("%q: it waits %v, %v", typo, wait, fault)
		}
	}
	b.write(b.own, fmt.Appendf(nil, "state = %q\nenrol.file = %q\nvisit.wiat = \"33s\"\n", b.state, b.shared))
	if _, err := Load(b.own); err == nil || !strings.Contains(err.Error(), "visit.wiat") {
		t.Errorf("a typo of its own: %v", err)
	}
}

// TestADamagedCopy loses one copy of the shared file, then both, with the file itself and without.
func TestADamagedCopy(t *testing.T) {
	b := newSharedBox(t, fiveKeys)
	file := sharedText(t, 1, b.root, "visit.wait = \"31s\"\n")
	b.write(b.shared, file)
	if _, fault := b.start(); fault != nil {
		t.Fatal(fault)
	}
	if err := os.Remove(b.shared); err != nil {
		t.Fatal(err)
	}
	first, second := filepath.Join(b.state, SharedFile), filepath.Join(b.state, SharedCopy)
	b.write(first, []byte("visit.wait = \x00\x00"))
	if wait, fault := b.start(); wait != Duration(31*time.Second) || !errors.Is(fault, provision.ErrBroken) {
		t.Errorf("one copy is damaged: it waits %v, %v", wait, fault)
	}
	if wait, fault := b.start(); wait != Duration(31*time.Second) || fault != nil {
		t.Errorf("it is not written anew: %v, %v", wait, fault)
	}
	// What is no file, or fills the memory, is a damaged copy too, and where none can be kept the box starts all the same.
	if err := errors.Join(os.Remove(first), os.Mkdir(first, 0o700), os.Truncate(second, 8<<30)); err != nil {
		t.Fatal(err)
	}
	b.write(b.shared, file)
	if wait, fault := b.start(); wait != Duration(31*time.Second) || fault == nil || !strings.Contains(fault.Error(), first) ||
		!strings.Contains(fault.Error(), second) {
		t.Errorf("a folder and a film are no copies: it waits %v, %v", wait, fault)
	}
	if err := errors.Join(os.Remove(first), os.Remove(b.shared)); err != nil {
		t.Fatal(err)
	}
	b.write(first, file[1:])
	b.write(second, nil)
	if wait, fault := b.start(); wait != Default().Visit.Wait || fault == nil {
		t.Errorf("both are damaged: it waits %v, %v", wait, fault)
	}
	if c, err := Load(b.own); err != nil || len(c.Device) != 12 || len(c.Keys.Map) != 5 || c.Enrols() {
		t.Errorf("the keys do not go on: %q with %d keys, %v", c.Device, len(c.Keys.Map), err)
	}
	b.write(b.shared, file)
	if wait, fault := b.start(); wait != Duration(31*time.Second) || fault == nil {
		t.Errorf("the file is back: it waits %v, %v", wait, fault)
	}
	if wait, fault := b.start(); wait != Duration(31*time.Second) || fault != nil {
		t.Errorf("the copies are not written anew: %v, %v", wait, fault)
	}
}

// TestAnOlderFileIsNotPlayedBack puts back a file that the same centre has signed before.
func TestAnOlderFileIsNotPlayedBack(t *testing.T) {
	b := newSharedBox(t, fiveKeys)
	of := func(revision int, wait string) []byte {
		return sharedText(t, 1, b.root, fmt.Sprintf("enrol.revision = %d\nvisit.wait = %q\n", revision, wait))
	}
	for _, x := range []struct {
		revision int
		wait     string
		want     time.Duration
		older    bool
	}{{5, "31s", 31 * time.Second, false}, {4, "32s", 31 * time.Second, true}, {0, "33s", 31 * time.Second, true},
		{6, "34s", 34 * time.Second, false}, {5, "31s", 34 * time.Second, true}} {
		b.write(b.shared, of(x.revision, x.wait))
		if wait, fault := b.start(); wait != Duration(x.want) || errors.Is(fault, ErrOlder) != x.older {
			t.Errorf("revision %d: it waits %v, %v", x.revision, wait, fault)
		}
	}
}

// TestAForeignFileWithoutCopies does not turn a box to another centre whose copies are damaged and that has a certificate.
func TestAForeignFileWithoutCopies(t *testing.T) {
	b := newSharedBox(t, fiveKeys)
	b.write(b.shared, sharedText(t, 1, b.root, "visit.wait = \"31s\"\n"))
	if _, fault := b.start(); fault != nil {
		t.Fatal(fault)
	}
	b.write(filepath.Join(b.state, CertificateFile), []byte(b.root)) // a chain that ends below the root
	for _, name := range []string{SharedFile, SharedCopy} {
		b.write(filepath.Join(b.state, name), []byte("damaged"))
	}
	b.write(b.shared, sharedText(t, 2, rootText(t), "visit.wait = \"32s\"\n"))
	if wait, fault := b.start(); wait != Default().Visit.Wait || fault == nil {
		t.Errorf("the file of another centre is taken: it waits %v, %v", wait, fault)
	}
	b.write(b.shared, sharedText(t, 1, b.root, "visit.wait = \"31s\"\n"))
	if wait, _ := b.start(); wait != Duration(31*time.Second) {
		t.Errorf("its own centre's is not: it waits %v", wait)
	}
}

func TestCheckShared(t *testing.T) {
	shared := sharedText(t, 1, rootText(t), "")
	for text, want := range map[string]string{
		"":                                    "",
		fiveKeys:                              "",
		"visit.wait = \"31s\"\n" + fiveKeys:   "",
		"# keys\nvisit.wiat = \"31s\"\n":      "line 2: visit.wiat: unknown",
		"visit.wait = \"31h\"\n":              "line 1: visit.wait",
		"device = \"lz-0417\"\n":              "device",
		"uplink.password_file = \"/etc/p\"\n": "uplink.password_file",
		"keys.map = [{key=\"a\",level=5}]\n":  "keys.map",
		"visit.wait = \n":                     "line 1",
	} {
		if err := CheckShared(shared, []byte(text)); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
