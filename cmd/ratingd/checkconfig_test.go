package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const checkedConfig = `device = "lz-0417"
` + simulatedKeys + `uplink.centre_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
`

const (
	simulatedKeys = `keys.source = "simulated"
keys.map = [{key="1",level=5},{key="2",level=4},{key="3",level=3},{key="4",level=2},{key="5",level=1}]
`
	gpioLines = `keys.source = "gpio"
keys.map = [{key="GPIO1",level=5},{key="GPIO2",level=4},{key="GPIO3",level=3},{key="GPIO4",level=2},{key="GPIO5",level=1}]
`
)

// checkIn runs -check-config in a folder that holds the configuration, as this user, and with the unit of the folder.
func checkIn(dir string) (status int, said string) {
	cmd := exec.Command(os.Args[0], "-check-config", "-config", filepath.Join(dir, "ratingd.toml"))
	cmd.Env = append(os.Environ(), pinsEnv+"=1", unitsEnv+"="+dir)
	out, _ := cmd.CombinedOutput() // the status says it
	return cmd.ProcessState.ExitCode(), string(out)
}

func TestCheckConfig(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	font, err := os.ReadFile("../../display/fonts/NotoSerifTibetan-subset.ttf")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config string
		file   string // content of the file "f"
		status int
		want   string
	}{
		"in order":  {"", "", 0, "is in order"},
		"no device": {"device = \"\"\n", "", 78, "device"},
		"no secret": {"window_api.webhook_url = \"https://hall.example/\"\nwindow_api.webhook_secret_file = \"DIR/none\"\n", "", 1,
			"window_api.webhook_secret_file: open DIR/none: no such file"},
		"a guessed secret": {"window_api.webhook_url = \"https://hall.example/\"\nwindow_api.webhook_secret_file = \"DIR/f\"\n", "guess", 1,
			"whsec_"},
		"a right secret": {"window_api.webhook_url = \"https://hall.example/\"\nwindow_api.webhook_secret_file = \"DIR/f\"\n",
			"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n", 0, ""},
		"no password":         {"uplink.password_file = \"DIR/none\"\n", "", 1, "the password cannot be read: open DIR/none: no such file"},
		"an empty password":   {"uplink.password_file = \"DIR/f\"\n", "\n", 1, "DIR/f 是空的"},
		"a marked password":   {"uplink.password_file = \"DIR/f\"\n", "\ufeff\r\n", 1, "DIR/f 是空的"},
		"a password":          {"uplink.password_file = \"DIR/f\"\n", "secret\n", 0, ""},
		"half a font":         {"screen.fonts = [\"DIR/f\"]\n", string(font[:len(font)/2]), 1, "screen.fonts: the font DIR/f is not used"},
		"an empty font":       {"screen.fonts = [\"DIR/f\"]\n", "", 1, "screen.fonts: the font DIR/f is not used"},
		"a font":              {"screen.fonts = [\"DIR/f\", \"DIR/none\"]\n", string(font), 0, ""},
		"a file as folder":    {"screen.files = \"DIR/f/screens\"\n", "x", 1, "screen.files: "},
		"a folder to be made": {"screen.files = \"DIR/screens/A12\"\n", "", 0, ""},
		"below /proc":         {"screen.files = \"/proc/self/screens\"\n", "", 1, "screen.files: "},
		"below /sys":          {"screen.files = \"/sys/screens/A12\"\n", "", 1, "screen.files: "},
		"no file to replace":  {"screen.files = \"DIR\"\n", "", 1, "screen.files: DIR/screen.png is no file"},
		"socket below /proc":  {"operations.socket = \"/proc/ops.sock\"\n", "", 1, "operations.socket: "},
		"a prompt":            {"sound.thanks = \"DIR/f\"\n", "MP3", 1, "sound.thanks: "},
		"a taken port": {"window_api.listen = \"TAKEN\"\n", "", 1,
			fmt.Sprintf("window_api.listen: 端口 PORT 被 ratingd.test（进程 %d）占用", os.Getpid())},
		"a port twice": {"window_api.listen = \"127.0.0.1:18377\"\noperations.listen = \"127.0.0.1:18377\"\n", "", 1,
			"operations.listen: 与 window_api.listen 端口相同"},
		"a reader's profile":      {"cards.port = \"/dev/ttyUSB9\"\ncards.profile = \"DIR/none.toml\"\n", "", 1, "cards.profile: "},
		"no socket":               {"operations.socket = \"DIR/f\"\n", "x", 1, "operations.socket: DIR/f 已存在且不是套接字"},
		"no folder for socket":    {"operations.socket = \"DIR/none/ops.sock\"\n", "", 1, "operations.socket: "},
		"lines that are there":    {gpioLines + "lamps.buzzer = \"GPIO17\"\n", "", 0, ""},
		"a key that is not":       {strings.Replace(gpioLines, "GPIO3", "GIPO3", 1), "", 1, "there is no GPIO line named \"GIPO3\""},
		"the staff's key is not":  {gpioLines + "keys.staff = \"STAFF\"\n", "", 1, "there is no GPIO line named \"STAFF\""},
		"a lamp that is not":      {"lamps.buzzer = \"BUZZ\"\n", "", 1, "there is no GPIO line named \"BUZZ\""},
		"a broken shared file":    {"enrol.file = \"DIR/f\"\n", "visit.wait", 1, "enrol.file: DIR/f: "},
		"a shared folder":         {"enrol.file = \"DIR\"\n", "", 1, "enrol.file: DIR: DIR 不是普通文件"},
		"a file as reader":        {"cards.port = \"DIR/f\"\n", "", 1, "cards.port: DIR/f 不是设备"},
		"no folder for addresses": {"addresses_file = \"DIR/none/a\"\n", "", 1, "addresses_file: access DIR/none: no such file"},
		"all of it at once": {"screen.fonts = [\"DIR/f\"]\nsound.asking = \"DIR/f\"\nuplink.password_file = \"DIR/none\"\n", "", 1,
			"sound.asking: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			_, port, _ := net.SplitHostPort(taken.Addr().String())
			here := strings.NewReplacer("DIR", dir, "TAKEN", taken.Addr().String(), "PORT", port)
			config := checkedConfig
			for _, line := range []string{"screen.fonts = []\n", "window_api.listen = \"127.0.0.1:0\"\n"} {
				if key, _, _ := strings.Cut(line, " "); !strings.Contains(c.config, key) {
					config += line
				}
			}
			if strings.HasPrefix(c.config, "keys.source") {
				config = strings.Replace(config, simulatedKeys, "", 1)
			}
			if strings.HasPrefix(c.config, "device") {
				config = strings.Replace(config, "device = \"lz-0417\"\n", "", 1)
			}
			writeFile(t, filepath.Join(dir, "f"), c.file)
			if name == "no file to replace" {
				if err := os.Mkdir(filepath.Join(dir, "screen.png"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			writeFile(t, filepath.Join(dir, "ratingd.toml"), here.Replace(config+c.config)+fmt.Sprintf("state = %q\n", dir))
			if status, said := checkIn(dir); status != c.status || !strings.Contains(strings.ReplaceAll(said, "：", ": "), here.Replace(c.want)) {
				t.Errorf("status %d, want %d; want %q in\n%s", status, c.status, here.Replace(c.want), said)
			}
		})
	}
}

// What the kernel shows of itself keeps no files, whoever asks.
func TestWhatKeepsNoFiles(t *testing.T) {
	if err := holdsFile(t.TempDir(), "screen.png"); err != nil {
		t.Errorf("a folder: %v", err)
	}
	for _, folder := range []string{"/proc", "/proc/self/fdinfo", "/sys", "/dev/pts", "/sys/kernel/none"} {
		if err := holdsFile(folder, "screen.png"); err == nil {
			t.Errorf("%s would hold a file", folder)
		}
	}
	for magic, want := range map[uint32]bool{0x9fa0: true, 0x62656572: true, 0x63677270: true, 0x01021994: false, 0xef53: false,
		0x4d44: false} {
		if got := ofKernel(magic); got != want {
			t.Errorf("file system %#x is the kernel's: %t, want %t", magic, got, want)
		}
	}
	if err := ordinary("/proc"); err == nil || !strings.Contains(err.Error(), "内核") {
		t.Errorf("/proc: %v", err)
	}
}

func TestCheckConfigMissesWhatSpeaks(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "ratingd.toml"), checkedConfig+"screen.fonts = []\nwindow_api.listen = \"127.0.0.1:0\"\n"+
		"sound.speak = \"espeak\"\n"+
		fmt.Sprintf("state = %q\n", dir))
	t.Setenv("PATH", dir)
	if status, said := checkIn(dir); status != 1 || !strings.Contains(said, "sound.speak：没有 espeak-ng") {
		t.Errorf("status %d\n%s", status, said)
	}
}

// Root may read everything: what counts is what the account of the unit may.
func TestCheckConfigAsTheServicesUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	account, err := user.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config string
		own    string // what belongs to the account
		closed string // what root alone may read
		unit   string
		status int
		want   string
	}{
		"in order":          {"uplink.password_file = \"DIR/password\"\n", "state", "", "", 0, "is in order"},
		"the configuration": {"", "state", "ratingd.toml", "", 78, "服务以用户 nobody 运行，无权访问；chown root:nobody DIR/ratingd.toml"},
		"the password": {"uplink.password_file = \"DIR/password\"\n", "state", "password", "", 1,
			"the password cannot be read: open DIR/password: permission denied"},
		"the state":             {"", "", "", "", 78, "服务以用户 nobody 运行，无权访问: access DIR/state: 权限不足；chown -R nobody: DIR/state"},
		"a state to write only": {"", "state", "", "", 78, "access DIR/state: permission denied; chown"},
		"another account":       {"uplink.password_file = \"DIR/password\"\n", "", "password", "[Service]\nUser=root\n", 0, "is in order"},
		"a folder of root's":    {"screen.files = \"DIR/others\"\n", "state", "", "", 1, "access DIR/others: permission denied; "},
		"a port of root's":      {"operations.listen = \"127.0.0.1:9\"\n", "state", "", "", 1, "operations.listen: "},
		"a log of root's":       {"", "state", "state/log.db", "", 78, "access DIR/state/log.db: permission denied; chown"},
		"a log to read only":    {"", "state", "", "", 78, "access DIR/state/log.db: permission denied; chown"},
		"a profile in /tmp": {"keys.source = \"serial\"\nkeys.serial.port = \"/dev/ttyS9\"\nkeys.serial.profile = \"DIR/hall.toml\"\n", "state",
			"",
			"[Service]\nUser=nobody\nPrivateTmp=yes\n", 78, "keys.serial.profile: 服务有自己的 /tmp"},
		"a reader's profile in /tmp": {"cards.port = \"/dev/ttyS9\"\ncards.profile = \"DIR/reader.toml\"\n", "state", "",
			"[Service]\nUser=nobody\nPrivateTmp=yes\n", 78, "cards.profile: 服务有自己的 /tmp"},
		"a folder of its own": {"screen.files = \"DIR/state/screens\"\n", "state", "", "", 0, ""},
		"a folder of the sandbox": {"screen.files = \"DIR/state/screens\"\n", "state", "", "[Service]\nUser=nobody\nProtectSystem=strict\n", 78,
			"ReadWritePaths="},
		"a folder that is let": {"screen.files = \"DIR/state/screens\"\n", "state", "",
			"[Service]\nUser=nobody\nProtectSystem=strict\nReadWritePaths=-DIR\n", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			first, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
			if name == "a port of root's" && (err != nil || string(first) == "0\n") {
				t.Skip("on this machine everybody may have every port")
			}
			dir := t.TempDir()
			here := strings.NewReplacer("DIR", dir)
			if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
				t.Fatal(err)
			}
			unit := c.unit
			if unit == "" {
				unit = "[Unit]\nUser=wrong\n[Service]\nUser=daemon\n"
				writeDropIn(t, dir, "# of this hall\n[Service]\nUser=nobody\n")
			}
			writeFile(t, filepath.Join(dir, "ratingd.service"), here.Replace(unit))
			writeFile(t, filepath.Join(dir, "password"), "secret\n")
			layout := "name = \"hall\"\n[[frame]]\nkind = %q\nlayout = \"text*1-20=30-39 eol\"\ncode = \"text\"\n"
			writeFile(t, filepath.Join(dir, "hall.toml"), fmt.Sprintf(layout, "key"))
			writeFile(t, filepath.Join(dir, "reader.toml"), fmt.Sprintf(layout, "card"))
			config := checkedConfig
			if strings.HasPrefix(c.config, "keys.source") {
				config = strings.Replace(config, "keys.source = \"simulated\"\n", "", 1)
			}
			writeFile(t, filepath.Join(dir, "ratingd.toml"), config+"screen.fonts = []\nwindow_api.listen = \"127.0.0.1:0\"\n"+
				here.Replace(c.config+"state = \"DIR/state\"\n"))
			for _, folder := range []string{"state", "others"} {
				if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			files := []string{"ratingd.toml", "password", "hall.toml", "reader.toml"}
			if strings.HasPrefix(name, "a log") {
				writeFile(t, filepath.Join(dir, "state/log.db"), "")
				files = append(files, "state/log.db")
			}
			for _, file := range files {
				mode := os.FileMode(0o644)
				if file == c.closed {
					mode = 0o600
				}
				if err := os.Chmod(filepath.Join(dir, file), mode); err != nil {
					t.Fatal(err)
				}
			}
			if name == "a state to write only" {
				if err := os.Chmod(filepath.Join(dir, "state"), 0o300); err != nil {
					t.Fatal(err)
				}
			}
			if c.own != "" {
				if err := os.Chown(filepath.Join(dir, c.own), uid, -1); err != nil {
					t.Fatal(err)
				}
			}
			if status, said := checkIn(dir); status != c.status || !strings.Contains(strings.ReplaceAll(said, "：", ": "), here.Replace(c.want)) {
				t.Errorf("status %d, want %d; want %q in\n%s", status, c.status, here.Replace(c.want), said)
			}
		})
	}
}

func writeDropIn(t *testing.T, dir, text string) {
	t.Helper()
	folder := filepath.Join(dir, "ratingd.service.d")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(folder, "override.conf"), text)
}

// Who is neither root nor the service's user cannot say what that may use, and does not.
func TestWhoCannotCheckTheConfiguration(t *testing.T) {
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	uid, err := strconv.Atoi(nobody.Uid)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		user string
		uid  int
		want bool
	}{
		"root": {"nobody", 0, false}, "the user itself": {"nobody", uid, false}, "no unit": {"", uid, false},
		"another": {"daemon", uid, true}, "of a user that is not there": {"no-such-user", uid, true},
	} {
		if got := (unit{user: c.user}).stranger(c.uid); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// The unit that is shipped hides what the sandbox hides.
func TestSandboxOfTheShippedUnit(t *testing.T) {
	u := readUnit([]string{t.TempDir(), "../../deploy/ratingd"})
	if diff := cmp.Diff(unit{user: "ratingd", readOnly: true, hideHome: true, privateTmp: true,
		writable: []string{"/var/lib/ratingd", "/run/ratingd", "/sys/devices"}}, u, cmp.AllowUnexported(unit{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for path, want := range map[string][2]bool{
		"/var/lib/ratingd/screens": {true, true}, "/var/lib/ratingd": {true, true}, "/run/ratingd/x": {true, true},
		"/etc/prompt.wav":   {true, false},
		"/var/lib/ratingd2": {true, false}, "/srv/../home/hall/prompt.wav": {false, false}, "/root/font.ttf": {false, false},
		"/tmp/screens": {false, false},
	} {
		if r, w := u.mayRead(path) == nil, u.mayWrite(path) == nil; r != want[0] || w != want[1] {
			t.Errorf("%s: read %v, written %v; want %v", path, r, w, want)
		}
	}
}
