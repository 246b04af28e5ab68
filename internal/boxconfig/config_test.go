package boxconfig

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/recordkey"
)

const mandatory = `device = "lz-0417"
keys.map = [
  { key = "GPIO5",  level = 5 },
  { key = "GPIO6",  level = 4 },
  { key = "GPIO13", level = 3 },
  { key = "GPIO19", level = 2 },
  { key = "GPIO26", level = 1 },
]
uplink.centre_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
`

func TestParseMandatoryOnly(t *testing.T) {
	c, err := Parse([]byte(mandatory))
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Device, want.Keys.Map, want.Uplink.CentreKey = "lz-0417", c.Keys.Map, make(PublicKey, ed25519.PublicKeySize)
	want.Lines = c.Lines
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("all but the mandatory fields must keep their defaults (-want +got):\n%s", diff)
	}
	if got := c.Keys.Map[1]; got != (KeyLevel{"GPIO6", 4}) {
		t.Errorf("second key = %v", got)
	}
}

// The commented-out mandatory fields of default.toml are an example; with them it must be a whole configuration.
func TestDefaultTOMLWithItsExamples(t *testing.T) {
	text := regexp.MustCompile(`(?m)^#(device|map|  \{|\])`).ReplaceAllString(DefaultTOML(), "$1")
	text = strings.Replace(text, `#centre_key = ""`, `centre_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`, 1)
	if _, err := Parse([]byte(text)); err != nil {
		t.Error(err)
	}
}

func TestFontsReplaceTheDefault(t *testing.T) {
	c, err := Parse([]byte(mandatory + "screen.fonts = [\"a.ttf\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a.ttf"}, c.Screen.Fonts); diff != "" {
		t.Errorf("fonts (-want +got):\n%s", diff)
	}
}

func TestOneBrokerOrSeveral(t *testing.T) {
	for text, want := range map[string]Addresses{
		"":                                    {"mqtts://mqtt.example.com:8883"},
		"uplink.broker = \"mqtt://a:1883\"\n": {"mqtt://a:1883"},
		"uplink.broker = [\"mqtt://a:1883\", \"mqtts://b\"]\n":  {"mqtt://a:1883", "mqtts://b"},
		"uplink.broker = [\n  \"mqtts://b\", # the second\n]\n": {"mqtts://b"},
	} {
		c, err := Parse([]byte(mandatory + text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, c.Uplink.Broker); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// Editors of Windows put a mark before a text in UTF-8, and end its lines in their own way.
func TestATextFromWindows(t *testing.T) {
	if _, err := Parse([]byte("\ufeff" + strings.ReplaceAll(mandatory, "\n", "\r\n"))); err != nil {
		t.Errorf("error %v, want none", err)
	}
}

// refusedLines are lines that make a whole configuration a wrong one.
func refusedLines() map[string]struct{ add, want string } {
	return map[string]struct{ add, want string }{
		"Chinese quotes":   {"keys.staff = “0x36”", "line 10: unexpected character"},
		"a wide sign":      {"keys.staff ＝ \"0x36\"", "第 12 个字符 ＝ 是全角的"},
		"a wide space":     {"keys.staff =　\"0x36\"", "第 13 个字符是看不出的 U+3000"},
		"a firm space":     {"keys.staff\u00a0= \"0x36\" # ，", "第 11 个字符是看不出的 U+00A0"},
		"no width":         {"\u200bkeys.staff = \"0x36\"", "第 1 个字符是看不出的 U+200B"},
		"a wide digit":     {"visit.wait = { \"，\\\"，\" = ５ }", "个字符 ５ 是全角的"},
		"bytes 0":          {"keys.staff = \"0x36\"\n\x00\x00\x00", "有空字节，文件已损坏"},
		"no host":          {"uplink.broker = \"mqtt://:1883\"", "不能是 \"mqtt://:1883\""},
		"a high port":      {"uplink.broker = \"mqtt://hall.example:188310\"", "不能是 \"mqtt://hall.example:188310\""},
		"port 0":           {"uplink.broker = \"mqtts://hall.example:0\"", "不能是 \"mqtts://hall.example:0\""},
		"no page":          {"link.base = \"https://:443\"", "不能是 \"https://:443\""},
		"another encoding": {"# \xc6\xc0\xbc\xdb\xc6\xf7", "第 10 行：不是 UTF-8 编码"},
		"unknown field":    {"[visit]\nwiat = \"60s\"", "line 11: visit.wiat: unknown"},
		"unknown table":    {"[colour]\nred = 1", "line 10: colour: unknown"},
		"not a duration":   {"visit.wait = \"long\"", "line 10: visit.wait: \"long\" is no duration"},
		"no unit":          {"visit.wait = 60", "line 10: visit.wait: 60 has no unit; write it as \"60s\""},
		"too short":        {"visit.wait = \"1s\"", "line 10: visit.wait: 1s is not allowed; allowed are 5s to 10m0s"},
		"screen's mode":    {"screen.mode = \"large\"", "line 10: screen.mode"},
		"wrong type":       {"screen.width = \"wide\"", "line 10: screen.width"},
		"source":           {"keys.source = \"ps2\"", "line 10: keys.source: \"ps2\" is not allowed; allowed are gpio, serial, usb, simulated"},
		"no such port":     {"window_api.listen = \"127.0.0.1:83770\"", "line 10: window_api.listen"},
		"public address":   {"window_api.listen = \"0.0.0.0:80\"", "line 10: window_api.listen"},
		"syntax":           {"visit = [", "line 10"},
		"ca file":          {"uplink.ca_file = 3", "line 10: uplink.ca_file"},
		"name twice":       {"device = \"lz\"", "line 10"},
		"link with path":   {"link.base = \"https://rate.example.com/x\"", "line 10: link.base"},
		"four lamps":       {"lamps.keys = [\"a\", \"b\", \"c\", \"d\"]", "line 10: lamps.keys: 4 of five lamps"},
		"reasons' time":    {"reasons.time = \"1s\"", "line 10: reasons.time: 1s is not allowed; allowed are 3s to 30s"},
		"one lamp":         {"lamps.keys = [\"a\"]", "line 10: lamps.keys: 1 of five lamps; write all five"},
		"relative socket":  {"operations.socket = \"ops.sock\"", "line 10: operations.socket"},
		"public metrics":   {"operations.listen = \":9477\"", "line 10: operations.listen"},
		"a key as a lamp":  {"lamps.buzzer = \"GPIO19\"", "line 10: lamps.buzzer: the line \"GPIO19\" is used by keys.map already"},
		"too loud":         {"sound.percent = 101", "line 10: sound.percent: 101 is not allowed"},
		"no such time":     {"[[sound.volume]]\nfrom = \"25:00\"\npercent = 10", "sound.volume: \"25:00\" is no time of the day"},
		"times in reverse": {"sound.volume = [{ from = \"18:00\", percent = 1 }, { from = \"07:00\", percent = 2 }]",
			"line 10: sound.volume: 07:00 does not come after"},
		"tones":       {"sound.tones = \"loud\"", "line 10: sound.tones: \"loud\" is not allowed"},
		"lan address": {"window_api.lan_listen = \"0.0.0.0\"", "line 10: window_api.lan_listen: \"0.0.0.0\" is not allowed"},
		"lan name": {"window_api.lan_listen = \"box.hall.example:8377\"",
			"line 10: window_api.lan_listen: \"box.hall.example:8377\" is not allowed"},
		"lan without cert": {"window_api.lan_listen = \"0.0.0.0:8377\"", "line 10: window_api.lan_listen: there is no certificate"},
		"host with port":   {"window_api.hosts = [\"box:8377\"]", "line 10: window_api.hosts: \"box:8377\""},
		"every host":       {"window_api.hosts = [\"*\"]", "line 10: window_api.hosts: \"*\""},
		"every origin":     {"window_api.origins = [\"*\"]", "line 10: window_api.origins: \"*\""},
		"origin's path":    {"window_api.origins = [\"https://a.example/\"]", "line 10: window_api.origins"},
		"webhook":          {"window_api.webhook_url = \"hall.example/hook\"", "line 10: window_api.webhook_url"},
		"unsigned webhook": {"window_api.webhook_url = \"https://hall.example/hook\"", "window_api.webhook_secret_file: empty"},
		"staff's key":      {"keys.staff = \"GPIO19\"", "line 10: keys.staff: \"GPIO19\" is one of the citizen's five keys"},
		"card profile":     {"cards.port = \"/dev/ttyUSB1\"\ncards.profile = \"byte\"", "line 11: cards.profile: byte reads no cards"},
		"card speed":       {"cards.port = \"/dev/ttyUSB1\"\ncards.baud = 1234", "line 11: cards.baud: 1234 is not allowed"},
		"cert without key": {"uplink.cert_file = \"c.pem\"", "line 10: uplink.cert_file"},
		"two card readers": {"cards.port = \"/dev/ttyUSB1\"\ncards.device = \"name:reader\"",
			"line 11: cards.device: a reader is on a serial line"},
		"typed card profile": {"cards.device = \"name:reader\"\ncards.profile = \"byte\"", "line 11: cards.profile: byte reads no cards"},
		"no broker":          {"uplink.broker = []", "line 10: uplink.broker: 0 addresses"},
		"a wrong broker":     {"uplink.broker = [\"mqtt://a\", \"http://b\"]", "line 10: uplink.broker: \"http://b\""},
		"a broker twice":     {"uplink.broker = [\"mqtt://a\", \"mqtt://a\"]", "line 10: uplink.broker: \"mqtt://a\" stands twice"},
		"a broker's port":    {"uplink.broker = 1883", "line 10: uplink.broker"},
	}
}

func TestRefused(t *testing.T) {
	for name, c := range refusedLines() {

		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(mandatory + c.add + "\n"))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestDeviceIsChecked(t *testing.T) {
	_, err := Parse([]byte(strings.Replace(mandatory, "lz-0417", "LZ/#", 1)))
	if want := "line 1: device: \"LZ/#\" is not allowed"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
}

// refusedMaps are changes of a whole configuration that make its map a wrong one.
func refusedMaps() map[string]struct{ old, new, want string } {
	return map[string]struct{ old, new, want string }{
		"absent":      {mandatory, "", "keys.map: 0 keys"},
		"four":        {"  { key = \"GPIO26\", level = 1 },\n", "", "line 2: keys.map: 4 keys"},
		"level twice": {"level = 4", "level = 5", "line 2: keys.map: level 5 stands twice"},
		"key twice":   {"GPIO6", "GPIO5", "line 2: keys.map: key \"GPIO5\" stands twice"},
		"level 0":     {"level = 4", "level = 0", "key \"GPIO6\" has level 0"},
		"no name":     {"GPIO6", "", "key 2 from the left has no name"},
	}
}

func TestMapIsMandatory(t *testing.T) {
	for name, c := range refusedMaps() {

		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(strings.Replace(mandatory, c.old, c.new, 1)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(path, []byte("device = \"a\"\nkeys.source = \"simulated\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadPartial(path); err != nil {
		t.Errorf("LoadPartial without a map: %v", err)
	}
	if _, err := Load(path); err == nil {
		t.Error("Load accepted a configuration without a map of keys")
	}
}

// TestKeysHaveTheirSourcesForm holds that a map with a key that can never be read is refused with its line.
func TestKeysHaveTheirSourcesForm(t *testing.T) {
	folder := t.TempDir()
	profile := filepath.Join(folder, "keypad.toml")
	if err := os.WriteFile(profile, []byte("name = \"hall\"\n[[frame]]\nlayout = \"aa key*2=30-39\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(folder, "broken.toml")
	if err := os.WriteFile(broken, []byte("name = \"hall\"\n[[frame]]\nlayout = \"aa key kee\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(folder, "ratingd.toml")
	for name, c := range map[string]struct{ source, first, want string }{
		"byte": {"\"serial\"", "0x31", ""},
		"character": {"\"serial\"", "1", "line 3: keys.map[0]: key 1 from the left: the profile byte never reads \"1\": it is not hex; " +
			"write \"0x31\""},
		"slz":             {"\"serial\"\nkeys.serial.profile = \"slz\"", "0x04", "line 4: keys.map[0]"},
		"file":            {"\"serial\"\nkeys.serial.profile = \"" + profile + "\"", "0x3131", ""},
		"file, other key": {"\"serial\"\nkeys.serial.profile = \"" + profile + "\"", "0x31", "a key has 2 to 2"},
		"broken file":     {"\"serial\"\nkeys.serial.profile = \"" + broken + "\"", "0x31", "line 3: frame[0].layout: \"kee\""},
		"no such profile": {"\"serial\"\nkeys.serial.profile = \"morse\"", "0x31",
			"line 3: keys.serial.profile: the profile \"morse\" is unknown; there are byte"},
		"cards":       {"\"serial\"\nkeys.serial.profile = \"card-line\"", "0x31", "card-line reads no keys"},
		"usb":         {"\"usb\"", "KEY_KP1", ""},
		"usb digit":   {"\"usb\"", "1", "line 3: keys.map[0]: key 1 from the left: there are two keys \"1\"; write \"KEY_1\""},
		"usb number":  {"\"usb\"", "KEYCODE_2", "\"KEYCODE_2\" has a name of its own; write \"KEY_1\""},
		"gpio":        {"\"gpio\"", "GPIO5", ""},
		"gpio number": {"\"gpio\"", "17", "line 3: keys.map[0]: key 1 from the left: \"17\" is no line's name"},
		"gpio byte":   {"\"gpio\"", "0x31", "\"0x31\" is no line's name"},
		"gpio offset": {"\"gpio\"", "chip:x", "is no chip and offset"},
		"gpio key":    {"\"gpio\"", "KEY_1", "set keys.source to \"usb\""},
	} {
		t.Run(name, func(t *testing.T) {
			text := fmt.Sprintf("device = \"lz\"\nkeys.source = %s\nkeys.map = [{ key = %q, level = 5 }]\n", c.source, c.first)
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := LoadPartial(config)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(mandatory))
	f.Add([]byte(DefaultTOML()))
	f.Add([]byte("a.b = [{c=1},{d='x'}]\n[[e]]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err == nil && len(c.Keys.Map) != 5 {
			t.Errorf("accepted %d keys", len(c.Keys.Map))
		}
	})
}

func TestIdentityStays(t *testing.T) {
	for _, a := range []recordkey.Algorithm{recordkey.Ed25519, recordkey.SM2} {
		t.Run(string(a), func(t *testing.T) { identityStays(t, a) })
	}
}

func identityStays(t *testing.T, a recordkey.Algorithm) {
	dir := filepath.Join(t.TempDir(), "state")
	c := Config{State: dir, RecordAlgorithm: a}
	first, err := c.Identity()
	if err != nil {
		t.Fatal(err)
	}
	if recordkey.Of(recordkey.Public(first)) != a || c.OtherAlgorithm(first) != "" {
		t.Errorf("the key is not one of %s", a)
	}
	for _, now := range []recordkey.Algorithm{recordkey.Ed25519, recordkey.SM2} { // a key that is there stays
		second, err := Config{State: dir, RecordAlgorithm: now}.Identity()
		if err != nil || !bytes.Equal(recordkey.Public(first), recordkey.Public(second)) {
			t.Errorf("asked for %s: other key or error %v", now, err)
		}
	}
	if _, err := c.Identity(); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(filepath.Join(dir, IdentityFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v, want 0600", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files left in the folder, error %v", len(entries), err)
	}
	if err := os.WriteFile(filepath.Join(dir, IdentityFile), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Identity(); err == nil {
		t.Error("a damaged key was accepted or replaced")
	}
}

// An administrator asks for the identity as root before the daemon has run for the first time.
func TestKeyThatRootDrawsBelongsToTheFoldersOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 4711, 4712); err != nil {
		t.Fatal(err)
	}
	if _, err := (Config{State: dir, RecordAlgorithm: recordkey.Ed25519}).Identity(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, IdentityFile))
	if err != nil {
		t.Fatal(err)
	}
	if s := info.Sys().(*syscall.Stat_t); s.Uid != 4711 || s.Gid != 4712 || info.Mode() != 0o600 {
		t.Errorf("the key belongs to %d:%d with mode %v, want 4711:4712 and 0600", s.Uid, s.Gid, info.Mode())
	}
}
