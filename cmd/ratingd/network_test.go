package main

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/proof/faultnet"
	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
)

// recovery is after how long everything is surely not at the centre any more by itself. It takes seconds, which are logged, and longer on a
// busy machine.
const recovery = 2 * time.Minute

// fault is something that happens to the network of one box.
type fault struct {
	name  string
	lasts time.Duration
	total bool // nothing may reach the centre meanwhile
	begin func(p *patient)
	end   func(p *patient)
}

// patient is a box, with a way to the broker that can be broken. Its times are the product's own, not a test's.
type patient struct {
	*box
	proxy *faultnet.Proxy
	last  rating.Level // that was pressed
}

// admit starts a box whose broker is at the address, or behind a proxy of its own if that is empty, and enrols it.
func admit(t *testing.T, w *world, name, broker, more string) *patient {
	t.Helper()
	own := *w // so that failures are this test's
	own.t = t
	p := &patient{box: newSerialBox(t, &own, name, uint64(time.Now().UnixNano()))}
	if broker == "" {
		proxy, err := faultnet.Listen(w.mqtt)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = proxy.Close() })
		p.proxy, broker = proxy, "mqtt://"+proxy.Addr()
	}
	if err := os.MkdirAll(p.state, 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, p.config, fmt.Sprintf("device = %q\nstate = %q\naddresses_file = %q\nlog_level = \"debug\"\n", name, p.state, p.addresses)+
		p.keys+
		fmt.Sprintf("screen.panel = \"none\"\nscreen.browser = \"127.0.0.1:0\"\nscreen.width = 480\nscreen.height = 320\nscreen.fonts = []\n"+
			"visit.wait = \"20s\"\nvisit.thanks = \"1s\"\nlink.base = \"http://%s\"\nwindow_api.listen = \"127.0.0.1:0\"\n"+
			"window_api.loopback_without_token = true\noperations.socket = \"\"\n"+
			"uplink.broker = %q\nuplink.centre_key = %q\n", w.rate, broker, w.centreKey)+more)
	key, err := boxconfig.Config{State: p.state, RecordAlgorithm: recordkey.Ed25519}.Identity()
	if err != nil {
		t.Fatal(err)
	}
	p.enrol(base64.RawURLEncoding.EncodeToString(identity{key: key}.public()))
	return p
}

func (p *patient) enrol(key string) {
	p.t.Helper()
	out, err := exec.Command(p.w.centrald, "device", "-config", p.w.config, "add", "-id", p.name, "-key", key,
		"-hall", "市民中心政务服务大厅", "-window", p.name, "-name", "综合窗口", "-generation", "1").CombinedOutput()
	if err != nil {
		p.t.Fatalf("enrol %s: %v\n%s", p.name, err, out)
	}
}

// suffer measures the box without the fault, with it, and how soon after it everything is at the centre.
func (p *patient) suffer(f fault) {
	p.t.Helper()
	p.rate() // the first press after the port was opened waits
	healthy := p.rateFor(3 * time.Second)
	p.drained("before the fault", recovery)
	before := p.resources()
	f.begin(p)
	ill := p.rateFor(f.lasts)
	after := p.resources()
	if s, err := p.look(); f.total && (err != nil || s.Pending == 0) {
		p.t.Errorf("%s: %d records are pending during the fault, %v: there was none", f.name, s.Pending, err)
	}
	f.end(p)
	took := p.drained("after the fault", recovery)
	p.t.Logf("%s: recovered in %.1f s; press to thanks p50 %s without, %s with the fault (%d, %d presses); memory %d to %d MB, threads %d "+
		"to %d",
		f.name, took.Seconds(), median(healthy), median(ill), len(healthy), len(ill), before.mb, after.mb, before.threads, after.threads)
	// What waits for the network waits for seconds; less may be the machine.
	if bound := 3*median(healthy) + 2*time.Second; median(ill) > bound {
		p.t.Errorf("%s: press to thanks takes %s during the fault, want at most %s", f.name, median(ill), bound)
	}
	if after.mb > before.mb+before.mb/2+30 || after.threads > before.threads+16 {
		p.t.Errorf("%s: the daemon grows: %+v, then %+v", f.name, before, after)
	}
}

// rateFor lets citizens rate one after the other and returns how long each waited for the thanks.
func (p *patient) rateFor(d time.Duration) (waits []time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end) || len(waits) == 0; {
		waits = append(waits, p.rate())
	}
	return waits
}

// rate is one visit with one press.
func (p *patient) rate() time.Duration {
	id := p.openVisit()
	// Another key than before: one that comes again within two seconds is the same press.
	level := rating.Level(1 + (int(p.last)+p.random.IntN(4))%5)
	p.last = level
	p.pressed[id] = map[rating.Level]bool{level: true}
	start := time.Now()
	p.press(int(level))
	if p.sawThanks(id, level, nil) {
		p.remember(id, level)
	}
	took := time.Since(start)
	p.wait("free after a visit", boxState.free)
	return took
}

// drained waits until the centre has everything, and says how long that took.
func (p *patient) drained(when string, within time.Duration) time.Duration {
	p.t.Helper()
	start := time.Now()
	for time.Since(start) < within {
		if s, err := p.look(); err == nil && s.Pending == 0 && !s.Offline {
			return time.Since(start)
		}
		time.Sleep(20 * time.Millisecond)
	}
	s, err := p.look()
	p.t.Fatalf("%s: not drained within %s %s: %+v, %v", p.name, within, when, s, err)
	return 0
}

// discharge stops the box and compares the books with what was thanked for.
func (p *patient) discharge() {
	p.drained("at the end", recovery)
	p.stop()
	p.compare(filepath.Join(p.w.dir, "centre"))
}

// resources is what the daemon uses.
type resources struct{ mb, threads int }

func (p *patient) resources() (r resources) {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.process.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		words := strings.Fields(value)
		if len(words) == 0 {
			continue
		}
		n, _ := strconv.Atoi(words[0]) // the lines that matter are numbers
		switch name {
		case "VmRSS":
			r.mb = n / 1024
		case "Threads":
			r.threads = n
		}
	}
	return r
}

func median(d []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[len(s)/2].Round(100 * time.Microsecond)
}

// behave returns a fault in which the broker's address belongs to something else.
func behave(name string, b faultnet.Behaviour) fault {
	return fault{name, 20 * time.Second, true, func(p *patient) { p.proxy.Set(b) }, func(p *patient) { p.proxy.Later(faultnet.Pass) }}
}

// TestNetwork breaks the networks of many boxes, all at the same time, since a fault is mostly waiting, and then compares
// the books with what the citizens were thanked for.
func TestNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the whole product many times")
	}
	program := programs.Path(t, "centrald")
	var tests parallel
	for name, test := range map[string]func(*testing.T, string){
		"peer": networkPeers, "broker": networkBroker, "certificate": networkCertificates, "names": networkNames, "line": networkLine,
	} {
		tests.run(t, name, func(t *testing.T) { test(t, program) })
	}
	tests.wait()
}

// networkPeers puts things between a box and its broker, or beside them, that misbehave.
func networkPeers(t *testing.T, program string) {
	impostors := []fault{
		behave("closes at once", faultnet.Hangup),
		behave("never answers", faultnet.Mute),
		behave("captive portal", faultnet.Portal),
		behave("refuses the login", faultnet.NoLogin),
		behave("answers the login only", faultnet.Indifferent),
		behave("takes every message and acknowledges none", faultnet.BlackHole),
	}
	var tests parallel
	for _, b := range []struct {
		name   string
		broker func(*testing.T) string
		faults []fault
	}{
		{"embedded", nil, append(impostors, lineFaults()...)},
		{"mosquitto", startMosquitto, append(lineFaults(), forged())},
	} {
		tests.run(t, b.name, func(t *testing.T) {
			w := &world{t: t, dir: t.TempDir(), centrald: program, command: exec.Command}
			listen := "broker.listen = \"127.0.0.1:0\"\n"
			if b.broker != nil {
				w.mqtt = b.broker(t)
				listen = fmt.Sprintf("broker.url = \"mqtt://%s\"\n", w.mqtt)
			}
			w.launch(listen)
			var tests parallel
			for i, f := range b.faults {
				tests.run(t, f.name, func(t *testing.T) {
					p := admit(t, w, fmt.Sprintf("box-%d", i), "", "")
					p.start()
					p.suffer(f)
					p.discharge()
				})
			}
			tests.wait()
		})
	}
	tests.wait()
}

// lineFaults are those of the way to a broker that is in order.
func lineFaults() []fault {
	return []fault{
		{"reset in the middle of packets", 20 * time.Second, false, func(p *patient) {
			p.proxy.Set(faultnet.ResetAfter(func() int64 { return rand.Int64N(2000) }))
		}, func(p *patient) { p.proxy.Set(faultnet.Pass) }},
		forgotten(),
		cloned(),
	}
}
