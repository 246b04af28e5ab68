package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/central/db"
	"haochaping/internal/central/enrol"
	keys "haochaping/internal/identity"
	"haochaping/internal/proof/faultnet"
	"haochaping/internal/proof/inspect"
	"haochaping/internal/proof/mosquitto"
	"haochaping/internal/rating"
)

// life is the whole product for boxes with certificates, whose authority is older than a year.
type life struct {
	*world
	admin     page   // of the hall SL-H2
	door      string // at which boxes ask
	shared    string // the file of all boxes
	elsewhere *elsewhere
}

// elsewhere is a mosquitto with the shipped configuration for certificates.
type elsewhere struct {
	*mosquitto.Broker
	folder string // of its certificates
	times  int    // it was started anew by the shipped script
}

// lives plays something over the built-in broker and over mosquitto.
func lives(t *testing.T, test func(*testing.T, *life)) {
	t.Helper()
	t.Parallel()
	if testing.Short() {
		t.Skip("starts the whole product")
	}
	for _, name := range []string{"built-in broker", "mosquitto"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "mosquitto" {
				needs(t)
			}
			test(t, begin(t, name == "mosquitto"))
		})
	}
}

// needs skips a test where mosquitto or what the shipped script calls is missing.
func needs(t *testing.T) {
	t.Helper()
	mosquitto.Need(t)
	for _, program := range []string{"curl", "openssl"} {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		text := program + " is missing: install the Debian package " + program
		if os.Getenv("CI") != "" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
}

const (
	days = 24 * time.Hour
	// authorityAge is how long ago the authority was made.
	authorityAge = 500 * days
)

func begin(t *testing.T, other bool) *life {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), centrald: programs.Path(t, "centrald"), command: exec.Command}
	l := &life{world: w, shared: filepath.Join(w.dir, "haochaping.toml")}
	if err := os.Mkdir(filepath.Join(w.dir, "centre"), 0o700); err != nil {
		t.Fatal(err)
	}
	l.authority(authorityAge)
	lines := "enrol.listen = \"127.0.0.1:0\"\nenrol.names = [\"127.0.0.1\"]\n"
	if other {
		lines += l.beside(lines)
	} else {
		passwords := filepath.Join(w.dir, "passwords")
		writeFile(t, passwords, "")
		lines += fmt.Sprintf("broker.listen = \"127.0.0.1:0\"\nbroker.certificates = true\nbroker.passwords_file = %q\n", passwords)
	}
	w.launch(lines)
	w.centre("directory", "import", "-apply", "../ratingctl/organisation.csv")
	l.admin = w.signedIn("SL-H2", "629901000000")
	l.door = "https://" + waitAddresses(t, filepath.Join(w.dir, "centre.json"))["enrol"]
	var err error
	if w.proxy, err = faultnet.Listen(w.mqtt); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.proxy.Close() })
	w.centre("image-config", "-url", l.door, "-broker", "mqtts://"+w.proxy.Addr(), "-out", l.shared)
	return l
}

// authority opens the centre's authority as of some time ago.
func (l *life) authority(ago time.Duration) *enrol.Authority {
	l.t.Helper()
	a, err := enrol.OpenAuthority(filepath.Join(l.dir, "centre"), func() time.Time { return time.Now().Add(-ago) })
	if err != nil {
		l.t.Fatal(err)
	}
	return a
}

// beside starts mosquitto as docs/enrolment.md says, and returns what the centre's configuration says of it.
func (l *life) beside(lines string) string {
	l.t.Helper()
	l.configure(lines)
	e := &elsewhere{Broker: mosquitto.New(l.t, ""), folder: l.t.TempDir()}
	l.elsewhere, l.mqtt = e, e.Address
	at := func(name string) string { return filepath.Join(e.folder, name) }
	l.centre("certificate", "-server", "127.0.0.1", "-key", at("mqtt.key"), "-out", at("mqtt.pem"), "-root", at("root.pem"), "-revoked",
		at("revoked.pem"))
	l.centre("certificate", "-centre", "-key", at("centre-mqtt.key"), "-out", at("centre-mqtt.pem"))
	text, err := os.ReadFile("../../deploy/broker/mosquitto-certificates.conf")
	if err != nil {
		l.t.Fatal(err)
	}
	rules, err := os.ReadFile("../../deploy/broker/mosquitto.acl")
	if err != nil {
		l.t.Fatal(err)
	}
	writeFile(l.t, at("haochaping.acl"), string(rules))
	_, port, _ := net.SplitHostPort(e.Address)
	// Debian's own file, which includes the shipped one, keeps what the broker remembers.
	writeFile(l.t, e.Config, strings.NewReplacer("listener 8883", "listener "+port+" 127.0.0.1", "/etc/mosquitto/certs/", e.folder+"/",
		"/etc/mosquitto/", e.folder+"/").Replace(string(text))+"user root\npersistence true\npersistence_location "+l.t.TempDir()+"/\n")
	e.Start(l.t)
	return fmt.Sprintf("broker.url = \"mqtts://%s\"\nbroker.ca_file = %q\nbroker.client_cert_file = %q\nbroker.client_key_file = %q\n",
		e.Address, at("root.pem"), at("centre-mqtt.pem"), at("centre-mqtt.key"))
}

// relist does what the shipped timer does on the machine of a broker elsewhere.
func (l *life) relist() {
	l.t.Helper()
	if err := l.listed(); err != nil {
		l.t.Fatal(err)
	}
}

func (l *life) listed() error {
	e := l.elsewhere
	if e == nil {
		return nil
	}
	asked := filepath.Join(e.folder, "asked")
	out, err := exec.Command("sh", "../../deploy/broker/revoked.sh", l.door+"/revoked.crl", e.folder, "touch", asked).CombinedOutput()
	if err != nil {
		return fmt.Errorf("revoked.sh: %w\n%s", err, out)
	}
	if os.Remove(asked) == nil {
		e.times++
		e.End(syscall.SIGTERM)
		e.Start(l.t)
	}
	return nil
}

// relists is relist each second until the test ends. The centre may be away meanwhile.
func (l *life) relists() {
	over, ended := make(chan struct{}), make(chan struct{})
	l.t.Cleanup(func() { close(over); <-ended })
	go func() {
		defer close(ended)
		for {
			if err := l.listed(); err != nil {
				l.t.Log(err)
			}
			select {
			case <-over:
				return
			case <-time.After(time.Second):
			}
		}
	}()
}

// born switches on a box that has nothing but the file of all boxes, on a board of its own.
func (l *life) born(name string, more string) *box {
	l.t.Helper()
	b := newGPIOBox(l.t, l.world, name, 1)
	if err := os.MkdirAll(b.state, 0o700); err != nil {
		l.t.Fatal(err)
	}
	l.write(b, more)
	b.launch()
	return b
}

// board returns the file with the number of a box's board.
func (l *life) board(b *box) string { return filepath.Join(filepath.Dir(b.config), "serial-number") }

// write writes a box's configuration, and its board.
func (l *life) write(b *box, more string) {
	board := l.board(b)
	writeFile(l.t, board, "1000-"+b.name+"\x00")
	writeFile(l.t, b.config, fmt.Sprintf("state = %q\naddresses_file = %q\nenrol.file = %q\nenrol.board = %q\n", b.state, b.addresses,
		l.shared, board)+b.keys+"screen.panel = \"none\"\n"+
		"screen.browser = \"127.0.0.1:0\"\nscreen.width = 480\nscreen.height = 320\nscreen.fonts = []\n"+
		"visit.thanks = \"1s\"\nreasons.ask = false\nuplink.resend = \"1s\"\nwindow_api.listen = \"127.0.0.1:0\"\n"+
		"window_api.loopback_without_token = true\n"+fmt.Sprintf("operations.socket = %q\n", b.socket())+more)
}

// accept lets a box in by the code that it shows, for a window.
func (l *life) accept(b *box, window string) {
	l.t.Helper()
	l.admit(b, b.showsCode().Code, window)
	b.serves()
}

// admit enters a code on the page.
func (l *life) admit(b *box, code, window string) {
	l.t.Helper()
	// The centre believes its copy of the organisation for a second.
	l.admin.until("/fleet/enrol?hall=SL-H2&code="+code, `value="`+window+`"`)
	l.admin.post("/fleet/halls/SL-H2/enrol", url.Values{"code": {code}, "window": {window}})
}

// serves waits until a box asks citizens and is connected.
func (b *box) serves() {
	b.t.Helper()
	b.wait("serving", func(s boxState) bool { return s.State == "idle" && !s.Offline })
}

// cut ends a box as a power cut does.
func (b *box) cut() {
	_ = b.process.Process.Kill()
	_ = b.process.Wait() // killed, which it is told
}

// certificate returns a box's own certificate, and checks that it is of the box's key.
func (b *box) certificate() *x509.Certificate {
	b.t.Helper()
	key, err := keys.Read(filepath.Join(b.state, boxconfig.TLSKeyFile))
	if err != nil {
		b.t.Fatal(err)
	}
	c, err := keys.ReadCertificate(filepath.Join(b.state, boxconfig.CertificateFile), key)
	if err != nil {
		b.t.Fatal(err)
	}
	return c.Leaf
}

// follows waits until a box has another certificate than one.
func (b *box) follows(old *x509.Certificate) *x509.Certificate {
	b.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if c := b.certificate(); !c.Equal(old) {
			return c
		}
	}
	b.t.Fatal("it has no other certificate a minute later")
	return nil
}

// ages makes a box that is off one that was let in some time ago and has got no certificate since, and returns the one it has.
func (l *life) ages(b *box, ago time.Duration) *x509.Certificate {
	l.t.Helper()
	key, err := keys.Read(filepath.Join(b.state, boxconfig.TLSKeyFile))
	if err != nil {
		l.t.Fatal(err)
	}
	_, record, err := ed25519.GenerateKey(rand.Reader) // no certificate says which
	if err != nil {
		l.t.Fatal(err)
	}
	der, err := keys.NewRequest(rating.DeviceID(b.bound["device"]), key, keys.Record(record))
	if err != nil {
		l.t.Fatal(err)
	}
	q, err := keys.ParseRequest(der)
	if err != nil {
		l.t.Fatal(err)
	}
	a := l.authority(ago)
	c, err := a.Box(q)
	if err != nil {
		l.t.Fatal(err)
	}
	x, err := inspect.Open(l.t.Context(), filepath.Join(l.dir, "centre"))
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	err = x.Journal.DB().Write(l.t.Context(), func(tx *db.Tx) error {
		for _, table := range []string{"enrol_certificate", "enrol_request"} {
			if _, err := tx.ExecContext(l.t.Context(), "DELETE FROM "+table+" WHERE device = $1", string(q.Device)); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(l.t.Context(), "INSERT INTO enrol_certificate (serial, device, key_hash, issued, ends, body) VALUES ($1, $2, "+
			"$3, $4, $5, $6)", c.SerialNumber.Text(16), string(q.Device), q.Hash[:], time.Now().Add(-ago).UnixMilli(), c.NotAfter.UnixMilli(),
			c.Raw)
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	writeFile(l.t, filepath.Join(b.state, boxconfig.CertificateFile), string(enrol.PEM(c))+string(enrol.PEM(a.Issuing())))
	return c
}

// counts ends the centre and checks that so many of a box's evaluations count, and that nothing of it is missing.
func (l *life) counts(b *box, want int) {
	l.t.Helper()
	l.stopCentre()
	if n := l.counted(b.bound["device"]); n != want {
		l.t.Errorf("%d evaluations of %s count, want %d", n, b.name, want)
	}
}
