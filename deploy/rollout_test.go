package deploy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	rollingBroker = `broker.listen = "127.0.0.1:8883"
broker.certificates = true
`
	rollingMosquitto = `broker.url = "mqtts://127.0.0.1:8883"
broker.ca_file = "/etc/centrald-mqtt/root.pem"
broker.client_cert_file = "/etc/centrald-mqtt/centre.pem"
broker.client_key_file = "/etc/centrald-mqtt/centre.key"
`
)

const rollingCentre = `enrol.listen = "127.0.0.1:8443"
enrol.names = ["127.0.0.1"]
enrol.updates = "/srv/apt"
`

const rollingBox = `screen.panel = "none"
window_api.listen = ""
`

const rollingKeys = `[keys]
source = "simulated"
map = [{ key = "a", level = 5 }, { key = "b", level = 4 }, { key = "c", level = 3 }, { key = "d", level = 2 }, { key = "e", level = 1 }]
`

// rolledOutBox: centre and box, installed from their packages, run in one Debian. The box is let in on the page by its code and updated by
// the centre's rollouts: to a version that is well, to one that is not, and to one in the middle of whose installation the power is cut.
func rolledOutBox(t *testing.T, d *debian, p packages) {
	r := rollingDebian(t, d, p, rollingBroker)
	r.publish("centre", p.ratingd, r.build("91", nil), r.build("92", broken()),
		// The scripts of this one wait until the power has been cut there.
		r.build("93", map[string]string{"DEBIAN/preinst": "#!/bin/sh\ntouch /run/preparing\n[ -e /var/prepared ] || sleep 300\n",
			"DEBIAN/postinst": "#!/bin/sh\ntouch /run/configuring\n[ -e /var/configured ] || sleep 300\nOLD"}))
	m := boot(t, d)
	m.until(60*time.Second, "systemctl is-active centrald ratingd haochaping-update.path", "active\nactive\nactive")
	c := newTechnician(t, m)
	device := c.letIn()
	c.forthAndBack(device)

	// The power is cut before files are unpacked, and while they are configured.
	third := c.begin(device, "93")
	m.until(time.Minute, "ls /run/preparing", "/run/preparing")
	m.cut()
	d.write("/var/prepared", "")
	m = boot(t, d)
	m.until(2*time.Minute, "ls /run/configuring", "/run/configuring")
	m.cut()
	d.write("/var/configured", "")
	m = boot(t, d)
	m.until(time.Minute, `grep -c '"version":"93","outcome":"done"' /var/lib/haochaping-update/report.json`, "1")
	m.runs("93")
	c.m = m
	c.sees(2*time.Minute, third, "已更新，正常")
}

// rolledOutOverMosquitto is rolledOutBox with Debian's mosquitto as docs/enrolment.md has it, without the power cuts, which know no broker.
// Then the box is revoked, and the shipped timer puts it out.
func rolledOutOverMosquitto(t *testing.T, p packages) {
	if os.Getenv("SIMULATE") == "" {
		t.Skip("unpacks and boots another Debian; make simulate")
	}
	d := newDebian(t, "bookworm", "mosquitto", "curl", "openssl")
	r := rollingDebian(t, d, p, rollingMosquitto)
	r.publish("centre", p.ratingd, r.build("91", nil), r.build("92", broken()))
	d.run("sh", "-euc", mosquittoOfTheManual)
	m := boot(t, d)
	m.until(60*time.Second, "systemctl is-active centrald ratingd haochaping-update.path mosquitto haochaping-revoked.timer",
		"active\nactive\nactive\nactive\nactive")
	c := newTechnician(t, m)
	device := c.letIn()
	c.forthAndBack(device)
	began := time.Now()
	c.post("/fleet/boxes/"+device+"/revoke", "reason", "被盗")
	m.until(time.Minute, shownCode+" | wc -c", "9")
	t.Logf("the box was out and showed its code %v after it was revoked", time.Since(began).Round(time.Second))
}

// mosquittoOfTheManual is what docs/enrolment.md and the shipped files tell an administrator to do.
const mosquittoOfTheManual = `
cd /usr/share/doc/centrald/examples
install -d -o centrald -m 700 /etc/centrald-mqtt
runuser -u centrald -- sh -euc 'cd /etc/centrald-mqtt
centrald certificate -server 127.0.0.1 -key mqtt.key -out mqtt.pem -root root.pem -revoked revoked.pem
centrald certificate -centre -key centre.key -out centre.pem'
(cd /etc/centrald-mqtt && install -o mosquitto -m 600 mqtt.key mqtt.pem root.pem revoked.pem -t /etc/mosquitto/certs)
install -m 644 mosquitto.acl /etc/mosquitto/haochaping.acl
install -m 644 mosquitto-certificates.conf -t /etc/mosquitto/conf.d
install -m 755 revoked.sh /usr/local/sbin
install -m 644 haochaping-revoked.timer -t /etc/systemd/system
sed s/enrol.example.com/127.0.0.1/ haochaping-revoked.service >/etc/systemd/system/haochaping-revoked.service
systemctl enable haochaping-revoked.timer
`

// broken is what makes a version of which the daemon does not run.
func broken() map[string]string { return map[string]string{"usr/bin/ratingd": "#!/bin/sh\nexit 1\n"} }

// rollingDebian installs centre and box, with the file of all boxes, and returns the repository that the centre serves.
func rollingDebian(t *testing.T, d *debian, p packages, broker string) *repository {
	t.Helper()
	d.t = t
	r := newRepository(t, d.root+"/srv/apt", p.ratingd)
	d.install(p.ratingd, p.centrald)
	if err := os.MkdirAll(d.root+"/boot/firmware", 0o755); err != nil {
		t.Fatal(err)
	}
	organisation, err := os.ReadFile("../cmd/ratingctl/organisation.csv")
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{"/etc/centrald.toml": broker + rollingCentre, "/etc/ratingd.toml": rollingBox,
		"/tmp/keypad.toml": rollingKeys, "/tmp/updates.asc": r.keys["centre"], "/tmp/halls.csv": string(organisation)} {
		d.write(path, text)
	}
	centrald := []string{"-u", "centrald", "--", "centrald"}
	for _, words := range []string{"directory import -apply -reason test /tmp/halls.csv",
		"image-config -broker mqtts://127.0.0.1:8883 -defaults /tmp/keypad.toml -update-key /tmp/updates.asc -out /tmp/haochaping.toml",
		"account add -role technician -area 629900000000 -login technician -name 运维"} {
		d.run("runuser", append(centrald, strings.Fields(words)...)...)
	}
	d.run("cp", "/tmp/haochaping.toml", "/boot/firmware/haochaping.toml")
	if err := os.MkdirAll(d.root+"/etc/systemd/system/haochaping-update.service.d", 0o755); err != nil {
		t.Fatal(err)
	}
	d.write("/etc/systemd/system/haochaping-update.service.d/test.conf",
		"[Service]\nExecStart=\nExecStart=/usr/bin/ratingctl update -patience 20s -steady 2s\nNice=0\n")
	return r
}

// forthAndBack updates a box to a version with which it is well, and to one from which it goes back, where the rollout halts.
func (c *technician) forthAndBack(device string) {
	c.t.Helper()
	first := c.begin(device, "91")
	c.sees(2*time.Minute, first, "已更新，正常")
	c.m.runs("91")
	c.post("/fleet/rollouts/"+first+"/steer", "do", "halt")
	c.post("/fleet/rollouts/"+first+"/steer", "do", "abandon")

	second := c.begin(device, "92")
	c.sees(2*time.Minute, second, "已停住", "已自行退回原版本")
	c.m.runs("91")
	c.post("/fleet/rollouts/"+second+"/steer", "do", "abandon")
}

// technician looks after boxes on the centre's pages, which are on the loopback of a machine.
type technician struct {
	t      *testing.T
	m      *machine
	client *http.Client
}

const centrePages = "http://127.0.0.1:8081"

func newTechnician(t *testing.T, m *machine) *technician {
	t.Helper()
	c := &technician{t: t, m: m}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.client = &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, DialContext: c.dial}}
	link, err := m.try("runuser -u centrald -- centrald account link -sign-in technician")
	if err != nil {
		t.Fatal(link, err)
	}
	c.post(regexp.MustCompile(`/enter/\S+`).FindString(link))
	return c
}

// dial connects within the machine's network. A thread that has entered it is not used for anything else, unless it has left it again.
func (c *technician) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	runtime.LockOSThread()
	ours, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer func() { _ = ours.Close() }()
	theirs, err := os.Open("/proc/" + c.m.pid + "/ns/net")
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirs.Close() }()
	if err := unix.Setns(int(theirs.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	conn, err = new(net.Dialer).DialContext(ctx, network, address)
	if back := unix.Setns(int(ours.Fd()), unix.CLONE_NEWNET); back != nil {
		return nil, errors.Join(err, back)
	}
	runtime.UnlockOSThread()
	return conn, err
}

// ask sends a form, or asks for a page where there is none, and returns where that led and the page.
func (c *technician) ask(method, path string, form url.Values) (at, text string, err error) {
	r, err := http.NewRequestWithContext(c.t.Context(), method, centrePages+path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", "", err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := c.client.Do(r)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return resp.Request.URL.RequestURI(), string(b), err
}

func (c *technician) post(path string, fields ...string) string {
	c.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	at, text, err := c.ask(http.MethodPost, path, form)
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", path, err, text)
	}
	return at
}

// shownCode prints the code that the box shows.
const shownCode = "ratingctl status 2>/dev/null | sed -n 's/.*配对码 \\([A-Z]\\{8\\}\\).*/\\1/p' | head -n 1"

// letIn accepts the box by the code that it shows, closes its hall, and returns the box's name once the centre knows its package.
func (c *technician) letIn() string {
	c.t.Helper()
	c.m.until(time.Minute, shownCode+" | wc -c", "9")
	shown, err := c.m.try(shownCode)
	if err != nil {
		c.t.Fatal(shown, err)
	}
	done, err := url.Parse(c.post("/fleet/halls/SL-H1/enrol", "code", shown, "window", "SL-H1-A12"))
	if err != nil {
		c.t.Fatal(err)
	}
	device := done.Query().Get("done")
	opens, closes := "06:00", "07:00"
	if time.Now().UTC().Hour() >= 16 || time.Now().UTC().Hour() < 4 { // before noon in the hall
		opens, closes = "20:00", "21:00"
	}
	c.post("/fleet/halls/SL-H1/hours", "opens", opens, "closes", closes)
	c.until(time.Minute, "/fleet/boxes/"+device, "更新程序")
	return device
}

// begin begins a rollout of a version with the box's window, and returns its name.
func (c *technician) begin(device, version string) string {
	c.t.Helper()
	c.until(time.Minute, "/fleet/boxes/"+device, `class="state-word well"`) // as the first window has to be
	at := c.post("/fleet/rollouts", "scope", "hall SL-H1", "first", "SL-H1-A12", "version", version, "hold", "5")
	return strings.TrimPrefix(at, "/fleet/rollouts/")
}

// sees waits until a rollout's page says something.
func (c *technician) sees(limit time.Duration, rollout string, want ...string) {
	c.t.Helper()
	c.until(limit, "/fleet/rollouts/"+rollout, want...)
}

func (c *technician) until(limit time.Duration, path string, want ...string) {
	c.t.Helper()
	var text string
	var err error
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if _, text, err = c.ask(http.MethodGet, path, nil); err != nil {
			continue
		}
		missing := 0
		for _, w := range want {
			if !strings.Contains(text, w) {
				missing++
			}
		}
		if missing == 0 {
			return
		}
	}
	log, _ := c.m.try("cat /var/lib/haochaping-update/report.json; journalctl --no-pager | tail -n 60")
	c.t.Fatalf("%s never says %v: %v\n%s\n%s", path, want, err, text, log)
}
