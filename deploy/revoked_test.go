package deploy

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/central/enrol"
)

// TestARevokedBoxIsPutOutOfMosquitto runs the shipped script as its timer does: a box that is connected and was revoked is put out and not
// let in again, others are back, and mosquitto is left alone where nothing has changed or the list cannot be believed.
func TestARevokedBoxIsPutOutOfMosquitto(t *testing.T) {
	for _, program := range []string{"curl", "openssl"} {
		need(t, program, program)
	}
	c := startCertified(t)
	var list atomic.Pointer[[]byte]
	sign := func(by *certified, all ...enrol.Revocation) {
		t.Helper()
		signed, err := by.List(all, time.Now().Unix())
		if err != nil {
			t.Fatal(err)
		}
		list.Store(&signed)
	}
	door := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(*list.Load()) }))
	door.Listener = tls.NewListener(door.Listener, c.ServerTLS([]string{"127.0.0.1"}))
	door.Start()
	t.Cleanup(door.Close)
	url := "https" + strings.TrimPrefix(door.URL, "http") + "/revoked.crl"
	asked := filepath.Join(c.dir, "asked")
	synced := filepath.Join(c.dir, "synced")
	tools := t.TempDir()
	if err := os.WriteFile(filepath.Join(tools, "sync"), fmt.Appendf(nil, "#!/bin/sh\nls -l \"$1\" >>%s\n", synced), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
	bring := func() (string, error) {
		t.Helper()
		out, err := exec.Command("sh", "broker/revoked.sh", url, c.dir, "sh", "-c",
			fmt.Sprintf("echo >>%s; kill %d", asked, c.command.Process.Pid)).CombinedOutput()
		return string(out), err
	}
	restarts := func(want int) {
		t.Helper()
		b, err := os.ReadFile(asked)
		if got := strings.Count(string(b), "\n"); got != want || err != nil && want > 0 {
			t.Fatalf("mosquitto was to start again %d times, want %d", got, want)
		}
	}
	sign(c)
	if out, err := bring(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	restarts(1) // it has read none of this script's before
	if b, err := os.ReadFile(synced); err != nil || !strings.HasPrefix(string(b), "-rw-r--r--") {
		t.Errorf("the list may be empty after a power cut, and mosquitto then does not start: %s, %v", b, err)
	}
	_ = c.command.Wait()
	c.start()

	stolen, leaf := c.shows("bcdf23456789")
	other, _ := c.shows("ghjk23456789")
	lost := make(chan error, 1)
	box := c.connect(stolen, func(o *mqtt.ClientOptions) {
		o.SetConnectionLostHandler(func(_ mqtt.Client, err error) { lost <- err })
	})
	if box.err != nil {
		t.Fatal(box.err)
	}
	if out, err := bring(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	restarts(1)

	began := time.Now()
	sign(c, enrol.Revocation{Serial: leaf.SerialNumber.Text(16), At: time.Now()})
	if out, err := bring(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	restarts(2)
	select {
	case err := <-lost:
		t.Logf("the revoked box was put out %v after the list was fetched: %v", time.Since(began).Round(time.Millisecond), err)
	case <-time.After(time.Minute):
		t.Error("the revoked box is connected a minute later")
	}
	_ = c.command.Wait()
	c.start()
	if err := c.connect(stolen, nil).err; err == nil {
		t.Error("a revoked box is let in")
	}
	if err := c.connect(other, nil).err; err != nil {
		t.Errorf("another box is not: %v", err)
	}

	good, err := os.ReadFile(filepath.Join(c.dir, "revoked.pem"))
	if err != nil {
		t.Fatal(err)
	}
	sign(newAuthority(t))
	if out, err := bring(); err == nil {
		t.Errorf("a list that another authority has signed is taken: %s", out)
	}
	nonsense := []byte("no list")
	list.Store(&nonsense)
	if out, err := bring(); err == nil {
		t.Errorf("what is no list is taken: %s", out)
	}
	door.Close()
	if out, err := bring(); err == nil {
		t.Errorf("a door that is not there is no error: %s", out)
	}
	restarts(2)
	if now, err := os.ReadFile(filepath.Join(c.dir, "revoked.pem")); err != nil || string(now) != string(good) {
		t.Errorf("the list that mosquitto has was changed: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(c.dir, "revoked.??????*")); err != nil || len(left) > 0 {
		t.Errorf("files are left: %q, %v", left, err)
	}
}
