package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/proof/faultnet"
	"haochaping/internal/proof/mosquitto"
	"haochaping/internal/proof/testkit"
)

// world is everything that is not a box.
type world struct {
	t         *testing.T
	dir       string
	centrald  string // program
	config    string
	process   *exec.Cmd
	proxy     *faultnet.Proxy // the network between the boxes and the broker
	cuts      int             // of that network
	mqtt      string          // the broker's own address
	centreKey string
	rate      string
	// command makes a command that runs on the machine of the centre.
	command func(name string, args ...string) *exec.Cmd
}

func startCentre(t *testing.T, broker func(*testing.T) string) *world {
	w := &world{t: t, dir: t.TempDir(), centrald: programs.Path(t, "centrald"), command: exec.Command}
	if broker == nil {
		w.launch("broker.listen = \"127.0.0.1:0\"\n")
	} else {
		w.mqtt = broker(t)
		w.launch(fmt.Sprintf("broker.url = \"mqtt://%s\"\n", w.mqtt))
	}
	var err error
	if w.proxy, err = faultnet.Listen(w.mqtt); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.proxy.Close() })
	return w
}

// launch starts the centre with what the configuration says of the broker.
func (w *world) launch(broker string) {
	w.t.Helper()
	w.configure(broker)
	addresses := filepath.Join(w.dir, "centre.json")
	if err := os.Remove(addresses); err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	w.process = w.command(w.centrald, "-config", w.config)
	w.process.Stderr = testkit.Shown(w.t, "centrald")
	if err := w.process.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.stopCentre)
	bound := waitAddresses(w.t, addresses)
	if bound["mqtt"] != "" {
		w.mqtt = bound["mqtt"]
	}
	w.centreKey, w.rate = bound["public_key"], bound["rate"]
}

// configure writes the centre's configuration.
func (w *world) configure(broker string) {
	w.t.Helper()
	w.config = filepath.Join(w.dir, "centrald.toml")
	writeFile(w.t, w.config, fmt.Sprintf("state = %q\naddresses_file = %q\nrate.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\n",
		filepath.Join(w.dir, "centre"), filepath.Join(w.dir, "centre.json"))+broker)
}

func (w *world) stopCentre() {
	if w.process == nil {
		return
	}
	_ = w.process.Process.Signal(syscall.SIGTERM)
	_ = w.process.Wait()
	w.process = nil
}

func (w *world) enrol(b *box, i int, more ...string) {
	key := b.publicKey()
	out, err := exec.Command(w.centrald, append([]string{"device", "-config", w.config, "add", "-id", b.name, "-key", key,
		"-hall", "市民中心政务服务大厅", "-window", fmt.Sprintf("w%d", i+1), "-name", fmt.Sprintf("综合窗口%d号", i+1), "-generation", "1"}, more...)...).
		CombinedOutput()
	if err != nil {
		w.t.Fatalf("enrol %s: %v\n%s", b.name, err, out)
	}
}

// startMosquitto starts a broker that lets everybody in.
func startMosquitto(t *testing.T) string { return mosquitto.Start(t, mosquitto.Open) }

func waitAddresses(t *testing.T, path string) map[string]string {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var m map[string]string
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return m
	}
	t.Fatalf("%s was not written within a minute", path)
	return nil
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
