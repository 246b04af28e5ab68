package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"haochaping/internal/boxconfig"
	keys "haochaping/internal/identity"
)

// TestABoxOfTheFirstVersionIsCertified runs a box with a name and a password in its own configuration, gives it the file of all boxes and
// one command at the centre, and finds it at its window by its certificate, under the same name and key, without a code.
func TestABoxOfTheFirstVersionIsCertified(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts the whole product")
	}
	w := &world{t: t, dir: t.TempDir(), centrald: programs.Path(t, "centrald"), command: exec.Command}
	sum := sha256.Sum256([]byte("a drawn password"))
	passwords := filepath.Join(w.dir, "passwords")
	writeFile(t, passwords, "lz-0417 "+hex.EncodeToString(sum[:])+"\n")
	w.launch(fmt.Sprintf("broker.listen = \"127.0.0.1:0\"\nbroker.certificates = true\nbroker.passwords_file = %q\n"+
		"enrol.listen = \"127.0.0.1:0\"\nenrol.names = [\"127.0.0.1\"]\n", passwords))
	shared, root, password := filepath.Join(w.dir, "haochaping.toml"), filepath.Join(w.dir, "root.pem"), filepath.Join(w.dir, "password")
	w.centre("image-config", "-url", "https://"+waitAddresses(t, filepath.Join(w.dir, "centre.json"))["enrol"], "-broker", "mqtts://"+w.mqtt,
		"-out", shared)
	w.centre("certificate", "-root", root)
	writeFile(t, password, "a drawn password\n")

	b := newGPIOBox(t, w, "lz-0417", 1)
	if err := os.MkdirAll(b.state, 0o700); err != nil {
		t.Fatal(err)
	}
	rest := b.keys + "screen.panel = \"none\"\nscreen.browser = \"127.0.0.1:0\"\nscreen.width = 480\nscreen.height = 320\n" +
		"screen.fonts = []\n" +
		fmt.Sprintf("window_api.listen = \"\"\noperations.socket = %q\nstate = %q\naddresses_file = %q\n", b.socket(), b.state, b.addresses)
	writeFile(t, b.config, fmt.Sprintf("device = \"lz-0417\"\nenrol.file = \"\"\nuplink.broker = %q\nuplink.ca_file = %q\n"+
		"uplink.password_file = %q\nuplink.centre_key = %q\n", "mqtts://"+w.mqtt, root, password, w.centreKey)+rest)
	b.launch()
	key := b.bound["public_key"]
	w.centre("device", "add", "-id", "lz-0417", "-key", key, "-hall", "市民中心政务服务大厅", "-window", "w1", "-name", "综合窗口1号")
	b.wait("serving by its password", func(s boxState) bool { return s.State == "idle" && !s.Offline })
	b.stop()

	w.centre("certify", "lz-0417")
	writeFile(t, b.config, fmt.Sprintf("device = \"lz-0417\"\nenrol.file = %q\n", shared)+rest)
	b.launch()
	b.wait("serving by its certificate", func(s boxState) bool {
		if s.Code != "" {
			t.Fatalf("it shows the code %s", s.Code)
		}
		return s.State == "idle" && !s.Offline
	})
	tlsKey, err := keys.Read(filepath.Join(b.state, boxconfig.TLSKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	c, err := keys.ReadCertificate(filepath.Join(b.state, boxconfig.CertificateFile), tlsKey)
	if err != nil || c.Leaf.Subject.CommonName != "lz-0417" || b.bound["public_key"] != key {
		t.Errorf("its certificate is of %v, its key %s of before %s, %v", c.Leaf, b.bound["public_key"], key, err)
	}
	b.stop()
}
