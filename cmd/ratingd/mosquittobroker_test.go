package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"haochaping/internal/proof/mosquitto"
	"haochaping/internal/proof/testkit"
)

// launchAtMosquitto starts the centre at a mosquitto that knows boxes by their certificates, as deploy/broker has both, and the script that
// brings it the list of revoked certificates each second.
func launchAtMosquitto(w *world) {
	t := w.t
	t.Helper()
	program := mosquitto.Need(t)
	folder := filepath.Join(w.dir, "certs")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(folder, name) }
	door := fmt.Sprintf("enrol.listen = %q\nenrol.names = [\"127.0.0.1\"]\n", testkit.Address(t))
	w.config = filepath.Join(w.dir, "centrald.toml")
	writeFile(t, w.config, fmt.Sprintf("state = %q\n", filepath.Join(w.dir, "centre"))+door)
	w.centre("certificate", "-server", "127.0.0.1", "-key", at("mqtt.key"), "-out", at("mqtt.pem"), "-root", at("root.pem"), "-revoked",
		at("revoked.pem"))
	w.centre("certificate", "-centre", "-key", at("centre.key"), "-out", at("centre.pem"))
	shipped, err := os.ReadFile("../../deploy/broker/mosquitto-certificates.conf")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile("../../deploy/broker/mosquitto.acl")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, at("haochaping.acl"), string(rules))
	w.mqtt = testkit.Address(t)
	_, port, _ := net.SplitHostPort(w.mqtt)
	writeFile(t, at("mosquitto.conf"), strings.NewReplacer("listener 8883", "listener "+port+" 127.0.0.1", "/etc/mosquitto/certs/", folder+"/",
		"/etc/mosquitto/", folder+"/").Replace(string(shipped))+"user root\n")
	broker := exec.Command(program, "-c", at("mosquitto.conf"))
	mosquitto.Run(t, broker, w.mqtt)
	w.launch(fmt.Sprintf("broker.url = \"mqtts://%s\"\nbroker.ca_file = %q\nbroker.client_cert_file = %q\nbroker.client_key_file = %q\n",
		w.mqtt, at("root.pem"), at("centre.pem"), at("centre.key")) + door)
	list := "https://" + waitAddresses(t, filepath.Join(w.dir, "centre.json"))["enrol"] + "/revoked.crl"

	over, ended := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(over); <-ended })
	go func() {
		defer close(ended)
		for {
			said, err := exec.Command("sh", "../../deploy/broker/revoked.sh", list, folder, "touch", at("restart")).CombinedOutput()
			if err != nil {
				t.Logf("the list of revoked certificates: %v: %s", err, said) // the centre may be away
			}
			if os.Remove(at("restart")) == nil {
				_ = broker.Process.Signal(syscall.SIGTERM)
				_ = broker.Wait()
				broker = exec.Command(program, "-c", at("mosquitto.conf"))
				if err := broker.Start(); err != nil {
					t.Errorf("mosquitto does not start again: %v", err)
					return
				}
			}
			select {
			case <-over:
				_ = broker.Process.Kill()
				_ = broker.Wait() // killed, which it is told
				return
			case <-time.After(time.Second):
			}
		}
	}()
}
