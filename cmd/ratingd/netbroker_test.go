package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/proof/mosquitto"
)

// outage is how long a broker or a centre is away.
const outage = 8 * time.Second

// networkBroker stops and kills brokers and the centre.
func networkBroker(t *testing.T, program string) {
	var tests parallel
	tests.run(t, "embedded", func(t *testing.T) {
		w := &world{t: t, dir: t.TempDir(), centrald: program, command: exec.Command}
		const listen = "broker.listen = \"127.0.0.1:0\"\n"
		w.launch(listen)
		p := admit(t, w, "built-in", "", "")
		p.start()
		for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			p.suffer(fault{fmt.Sprintf("the centre with its broker gets %s", s), outage, true,
				func(*patient) { _ = w.process.Process.Signal(s); _ = w.process.Wait(); w.process = nil },
				func(p *patient) { w.launch(listen); p.proxy.Target(w.mqtt) }})
		}
		p.discharge()
	})
	tests.run(t, "mosquitto", func(t *testing.T) {
		m := newBroker(t)
		w := &world{t: t, dir: t.TempDir(), centrald: program, command: exec.Command, mqtt: m.Address}
		m.Start(t)
		w.launch(fmt.Sprintf("broker.url = \"mqtt://%s\"\n", w.mqtt))
		p := admit(t, w, "elsewhere", "mqtt://"+m.Address, "")
		p.start()
		start := func(*patient) { m.Start(t) }
		p.suffer(fault{"the broker is stopped", outage, true, func(*patient) { m.End(syscall.SIGTERM) }, start})
		p.suffer(fault{"the broker is killed", outage, true, func(*patient) { m.End(syscall.SIGKILL) }, start})
		p.suffer(fault{"the broker is killed and its memory lost", outage, true, func(*patient) { m.End(syscall.SIGKILL); m.wipe() }, start})
		p.discharge()
	})
	tests.run(t, "a centre that is silent", func(t *testing.T) {
		w := &world{t: t, dir: t.TempDir(), centrald: program, command: exec.Command, mqtt: startMosquitto(t)}
		w.launch(fmt.Sprintf("broker.url = \"mqtt://%s\"\n", w.mqtt))
		p := admit(t, w, "unheard", "", "")
		p.start()
		// Longer than a connection is borne that nothing comes over.
		p.suffer(fault{"the centre is silent", 30 * time.Second, true,
			func(*patient) { _ = w.process.Process.Signal(syscall.SIGSTOP) },
			func(p *patient) {
				_ = w.process.Process.Signal(syscall.SIGCONT)
				// Once, and once beside that to ask the broker why nobody answers.
				if n := p.proxy.Accepted(); n > 2 {
					p.t.Errorf("the box connected %d times while the broker was in order, want twice at most", n)
				}
			}})
		p.discharge()
	})
	tests.wait()
}

// broker is a mosquitto that keeps its memory on the disk.
type broker struct {
	*mosquitto.Broker
	t      *testing.T
	folder string
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	folder := t.TempDir()
	return &broker{mosquitto.New(t, mosquitto.Open+"user root\npersistence true\npersistence_location "+folder+"/\nautosave_interval 1\n"), t,
		folder}
}

// wipe takes away what the broker has kept.
func (b *broker) wipe() {
	entries, err := os.ReadDir(b.folder)
	if err != nil || len(entries) == 0 {
		b.t.Errorf("the broker has kept nothing: %v", err)
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(b.folder, e.Name())); err != nil {
			b.t.Error(err)
		}
	}
}
