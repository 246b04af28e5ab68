package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/creack/pty"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/internal/proof/testkit"
	"haochaping/internal/proof/tty"
	"haochaping/internal/rating"
	"haochaping/store"
	"haochaping/sync/wire"
)

// gate is a broker's hook that lets in who knows the password.
type gate struct {
	mqtt.HookBase
	password string
}

func (*gate) ID() string { return "gate" }

func (*gate) Provides(b byte) bool {
	return b == mqtt.OnConnectAuthenticate || b == mqtt.OnACLCheck
}

func (g *gate) OnConnectAuthenticate(_ *mqtt.Client, p packets.Packet) bool {
	return string(p.Connect.Username) == "lz-0417" && string(p.Connect.Password) == g.password
}

func (*gate) OnACLCheck(*mqtt.Client, string, bool) bool { return true }

// clinic is a box with all that belongs to it, in order, and its centre.
type clinic struct {
	t                      *testing.T
	dir, config, state     string
	broker                 *mqtt.Server
	address                string
	centre                 ed25519.PrivateKey
	keypad                 *os.File    // the keypad's end of the serial line
	mute                   atomic.Bool // the centre acknowledges nothing
	socket, port, password string
}

func newClinic(t *testing.T) *clinic {
	t.Helper()
	dir := t.TempDir()
	c := &clinic{t: t, dir: dir, config: filepath.Join(dir, "ratingd.toml"), state: filepath.Join(dir, "state"),
		socket:   filepath.Join(dir, "ops.sock"),
		password: filepath.Join(dir, "password")}
	var err error
	if _, c.centre, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.address = l.Addr().String()
	c.broker = mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	if err := errors.Join(c.broker.AddHook(&gate{password: "secret"}, nil), c.broker.AddListener(listeners.NewNet("t", l)),
		c.broker.Serve()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.broker.Close() })
	if err := c.broker.Subscribe("hcp/1/+/records", 1, c.acknowledge); err != nil {
		t.Fatal(err)
	}
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close(); _ = tty.Close() })
	c.keypad, c.port = master, tty.Name()
	c.write(c.password, "secret\n")
	c.configure("")
	db, err := store.Open(filepath.Join(c.state, "log.db"),
		store.Options{Device: "lz-0417", Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Append(rating.EventBody(rating.Stamp{Boot: 1}, rating.EventStarted),
		rating.EventBody(rating.Stamp{Boot: 1}, rating.EventConfigured, "window", "A12"))
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := ratingctl(t, "identity", "-config", c.config); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *clinic) write(path, text string) {
	c.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// configure writes the configuration, in which fields that are given again take the place of those that are well.
func (c *clinic) configure(changed string) {
	c.t.Helper()
	text := changed
	for _, line := range []string{"device = \"lz-0417\"", fmt.Sprintf("state = %q", c.state), "keys.source = \"serial\"",
		fmt.Sprintf("keys.serial.port = %q", c.port),
		"keys.map = [{key=\"0x31\",level=5},{key=\"0x32\",level=4},{key=\"0x33\",level=3},{key=\"0x34\",level=2},{key=\"0x35\",level=1}]",
		"screen.panel = \"none\"", fmt.Sprintf("uplink.broker = \"mqtt://%s\"", c.address), fmt.Sprintf("uplink.password_file = %q", c.password),
		fmt.Sprintf("uplink.centre_key = %q", base64.RawURLEncoding.EncodeToString(c.centre.Public().(ed25519.PublicKey))),
		fmt.Sprintf("operations.socket = %q", c.socket)} {
		key, _, _ := strings.Cut(line, " =")
		if !strings.Contains("\n"+changed, "\n"+key+" =") && !strings.Contains(changed, "#"+key+" =") {
			text += line + "\n"
		}
	}
	c.write(c.config, text)
}

// enrol lets the broker keep what the centre has signed for the box.
func (c *clinic) enrol() {
	c.t.Helper()
	payload, err := wire.Seal(c.centre, wire.ConfigPurpose,
		&wire.Config{Device: "lz-0417", Window: rating.Window{ID: "A12", Name: "综合受理12号窗口", Hall: "市民中心", Generation: 1}})
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.broker.Publish(wire.Topic("lz-0417", wire.ConfigChannel), payload, true, 1); err != nil {
		c.t.Fatal(err)
	}
}

// look runs the doctor and returns what it says of each part, by its English name.
func (c *clinic) look(args ...string) (lines map[string]string, err error) {
	c.t.Helper()
	text, err := ratingctl(c.t, append([]string{"doctor", "-config", c.config}, args...)...)
	lines = make(map[string]string)
	last := ""
	for _, line := range strings.SplitAfter(text, "\n") {
		if f := strings.Fields(line); len(f) > 2 && !strings.HasPrefix(line, " ") {
			last = f[2]
		}
		lines[last] += line
	}
	return lines, err
}

func (c *clinic) want(lines map[string]string, part string, m mark, words ...string) {
	c.t.Helper()
	got, found := lines[part]
	if !found || !strings.HasPrefix(got, string(m)) {
		c.t.Errorf("%s is not %s but\n%s", part, m, got)
	}
	for _, w := range words {
		if !strings.Contains(got, w) {
			c.t.Errorf("%s does not say %q but\n%s", part, w, got)
		}
	}
	if m != well && (!strings.Contains(got, "含义：") || !strings.Contains(got, "处理：") || strings.Count(got, "→ ") != 1) {
		c.t.Errorf("%s does not say what it means and what to do:\n%s", part, got)
	}
}

// Without the daemon the doctor tries the parts itself, and has to say so of the daemon alone.
func TestDoctorWithoutADaemon(t *testing.T) {
	c := newClinic(t)
	c.enrol()
	lines, err := c.look()
	if !errors.Is(err, errSick) {
		t.Errorf("a box whose daemon does not run: %v", err)
	}
	c.want(lines, "daemon", sick, "ratingd 没有运行", "systemctl start ratingd")
	for _, part := range []string{"config", "window", "keys", "screen", "store", "damage", "disk", "key", "broker", "cert"} {
		c.want(lines, part, well)
	}
	c.want(lines, "window", well, "A12")
	c.want(lines, "broker", well, "takes the password", "signed for this box")
	c.want(lines, "store", well, "2 records, all sound; at most 2 wait")
	if len(lines) != len(checks()) {
		t.Errorf("%d parts are reported, want %d", len(lines), len(checks()))
	}
}

// Each fault is found and told apart, with what to do.
func TestDoctorFindsEachFault(t *testing.T) {
	c := newClinic(t)
	stranger := base64.RawURLEncoding.EncodeToString(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey))
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	lines, _ := c.look()
	c.want(lines, "broker", sick, "中心没有本机的配置", "ratingctl identity")
	c.enrol()
	for _, f := range []struct {
		name, changed, part string
		words               []string
	}{
		{"another centre's key", fmt.Sprintf("uplink.centre_key = %q\n", stranger), "broker",
			[]string{"uplink.centre_key 不是这个中心的公钥", "centrald key"}},
		{"no centre's key", "#uplink.centre_key = \n", "config", []string{"uplink.centre_key"}},
		{"no password file", "uplink.password_file = \"/nowhere/password\"\n", "config",
			[]string{"uplink.password_file: open /nowhere/password", "按键评价不受影响"}},
		{"no password", "uplink.password_file = \"\"\n", "broker", []string{"中心拒绝本机的用户或密码", "lz-0417", "uplink.password_file"}},
		{"closed port", fmt.Sprintf("uplink.broker = \"mqtt://%s\"\n", closed.Addr()), "broker", []string{"连不上中心", "网线"}},
		{"unknown name", "uplink.broker = \"mqtt://nowhere.invalid:1883\"\n", "broker", []string{"找不到中心的地址", "DNS"}},
		{"TLS where there is none", fmt.Sprintf("uplink.broker = \"mqtts://%s\"\n", c.address), "broker", []string{"没有 MQTT 代理应答", "mqtt://"}},
		{"no keypad", "keys.serial.port = \"/dev/nowhere\"\n", "keys", []string{"读不到键盘", "/dev/nowhere", "二维码仍可评价"}},
		{"no GPIO line", "keys.source = \"gpio\"\nkeys.map = " +
			"[{key=\"NOWHERE1\",level=5},{key=\"NOWHERE2\",level=4},{key=\"NOWHERE3\",level=3},{key=\"NOWHERE4\",level=2},{key=\"NOWHERE5\"," +
			"level=1}]\n",
			"keys", []string{"读不到键盘", "接线"}},
		{"no USB keypad", "keys.source = \"usb\"\nkeys.usb.device = \"/dev/input/nowhere\"\n" +
			"keys.map = " +
			"[{key=\"KEY_KP1\",level=5},{key=\"KEY_KP2\",level=4},{key=\"KEY_KP3\",level=3},{key=\"KEY_KP4\",level=2},{key=\"KEY_KP5\",level=1}]\n",
			"keys", []string{"读不到键盘", "/dev/input/nowhere"}},
		{"no screen", "screen.panel = \"framebuffer\"\nscreen.framebuffer = \"/dev/nowhere\"\n", "screen",
			[]string{"屏幕无法显示", "/dev/nowhere", "视频线"}},
		{"another box's log", "device = \"lz-0418\"\n", "store", []string{"这是评价器 lz-0417 的记录"}},
		{"never started", "state = \"/nowhere/state\"\n", "store", []string{"还没有记录文件"}},
	} {
		t.Run(f.name, func(t *testing.T) {
			c.configure(f.changed)
			lines, err := c.look()
			if !errors.Is(err, errSick) {
				t.Errorf("it ends with %v", err)
			}
			c.want(lines, f.part, sick, f.words...)
		})
	}
	c.configure("nonsense = 1\n")
	if said := checkConfig(t.Context(), &patient{path: c.config}); !strings.Contains(said.found.EN, "nonsense") ||
		!strings.Contains(said.found.ZH, "nonsense") {
		t.Errorf("of a field that is unknown it says %q", said.found)
	}
	c.configure(fmt.Sprintf("uplink.broker = [\"mqtt://%s\", \"mqtt://%s\"]\n", closed.Addr(), c.address))
	lines, _ = c.look()
	c.want(lines, "broker", noted, "2 个地址中有 1 个不通：连不上中心", closed.Addr().String(), "其余地址可用")
	c.configure("")
	c.mute.Store(true)
	lines, _ = c.look()
	c.want(lines, "broker", sick, "没有收到中心的确认", "hcp/1/lz-0417/ack")
	c.mute.Store(false)
	if err := errors.Join(os.Truncate(filepath.Join(c.state, "log.db"), 5000),
		os.WriteFile(filepath.Join(c.state, "log.db.damaged-1"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	lines, _ = c.look()
	c.want(lines, "store", sick, "记录文件损坏", "restart ratingd")
	c.want(lines, "damage", sick, "log.db.damaged-1", "更换存储卡")
}

// Root may read everything, and is told what the daemon may not.
func TestDoctorReadsAsTheDaemonWould(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give the state folder to another user")
	}
	c := newClinic(t)
	c.enrol()
	if err := errors.Join(os.Chown(c.state, 65534, 65534), os.Chmod(c.config, 0o644),
		os.Chown(filepath.Join(c.state, "device.key"), 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	lines, _ := c.look()
	c.want(lines, "config", sick, c.password+" (-rw-------) cannot be read by nobody", "chmod 640")
	for _, chmod := range []func() error{
		func() error { return os.Chmod(c.password, 0o644) },
		func() error { return errors.Join(os.Chmod(c.password, 0o640), os.Chown(c.password, 0, 65534)) },
		func() error { return errors.Join(os.Chmod(c.password, 0o400), os.Chown(c.password, 65534, 0)) },
	} {
		if err := chmod(); err != nil {
			t.Fatal(err)
		}
		lines, _ = c.look()
		c.want(lines, "config", well)
	}
}

// A box without a window is not well, whatever else is.
func TestDoctorOfABoxThatIsNotEnrolled(t *testing.T) {
	c := newClinic(t)
	if err := os.RemoveAll(c.state); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(filepath.Join(c.state, "log.db"),
		store.Options{Device: "lz-0417", Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Append(rating.EventBody(rating.Stamp{Boot: 1}, rating.EventStarted))
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	lines, _ := c.look()
	c.want(lines, "window", sick, "本机尚未在中心登记", "centrald device add -id lz-0417")
	c.want(lines, "key", sick, "本机还没有密钥", "ratingctl identity")
}

// With the daemon running the doctor asks it, and touches neither keypad nor screen.
func TestDoctorAsksTheDaemon(t *testing.T) {
	c := newClinic(t)
	c.enrol()
	s := wellBox()
	changed := fmt.Sprintf("keys.serial.port = \"/dev/held-by-the-daemon\"\nscreen.panel = \"drm\"\noperations.socket = %q\n",
		answerAt(t, t.TempDir(), &s))
	c.configure(changed)
	lines, err := c.look()
	if err != nil {
		t.Errorf("a well box: %v\n%v", err, lines)
	}
	c.want(lines, "daemon", well, "正在运行", "v1.2.0")
	c.want(lines, "clock", well, "+0.02 秒")
	for _, part := range []string{"keys", "screen", "store", "window"} {
		c.want(lines, part, well)
	}
	s = sickBox()
	if lines, err = c.look(); !errors.Is(err, errSick) {
		t.Errorf("a sick box: %v", err)
	}
	c.want(lines, "keys", sick, "读不到键盘")
	c.want(lines, "screen", sick, "屏幕无法显示")
	c.want(lines, "store", sick, "存储卡已变为只读")
	c.want(lines, "window", sick, "本机尚未在中心登记")
	c.want(lines, "clock", noted, "未同步")
	s = wellBox()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	c.configure(changed + fmt.Sprintf("window_api.listen = %q\n", taken.Addr()))
	s.Parts = append(s.Parts,
		troubled(opsapi.Part{Name: "window_api"}, condition.Of("window_api.address", "address already in use"), s.Clock.Now),
		opsapi.Part{Name: "fonts", OK: true}, opsapi.Part{Name: "sound", OK: true})
	if lines, err = c.look(); !errors.Is(err, errSick) {
		t.Errorf("a box whose port is taken: %v", err)
	}
	c.want(lines, "window_api", sick, "窗口电脑连不上评价器", "停止占用端口的程序", fmt.Sprintf("（进程 %d）", os.Getpid()))
	c.want(lines, "others", well, "字体、声音")
	s = wellBox()
	lines, _ = c.look("-keys")
	c.want(lines, "keys", noted, "systemctl stop ratingd")
}

// Somebody presses each key of the keypad, and one that is broken is named.
func TestDoctorAsksToPressEachKey(t *testing.T) {
	c := newClinic(t)
	c.enrol()
	out := new(testkit.Said)
	done := make(chan error, 1)
	go func() {
		done <- run(t.Context(), []string{"doctor", "-keys", "-config", c.config}, out, new(bytes.Buffer))
	}()
	out.Wait(t, "请从左到右各按一次五个键", 1)
	tty.UntilRaw(t, c.keypad)
	for _, key := range []struct{ byte, want string }{{"1", "5 非常满意"}, {"2", "4 满意"}, {"3", "3 基本满意"}, {"4", "2 不满意"}, {"5", "1 非常不满意"}} {
		if _, err := c.keypad.WriteString(key.byte); err != nil {
			t.Fatal(err)
		}
		out.Wait(t, key.want, 1)
	}
	if err := <-done; !errors.Is(err, errSick) { // the daemon does not run
		t.Error(err)
	}
	if !strings.Contains(out.String(), "五个键都收到了") {
		t.Errorf("the keys are not well:\n%s", out)
	}
}
