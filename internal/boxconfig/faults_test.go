package boxconfig

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"haochaping/internal/cli/clitest"
)

// Whoever writes a configuration is told in one language what is wrong and what to do, whatever it is.
func TestFaultsSpeakOneLanguage(t *testing.T) {
	var all []error
	refused := func(text string) {
		t.Helper()
		_, err := Parse([]byte(text))
		if err == nil {
			t.Errorf("%s\nis taken", text)
		}
		all = append(all, err)
	}
	for _, c := range refusedLines() {
		refused(mandatory + c.add + "\n")
	}
	for _, c := range refusedMaps() {
		refused(strings.Replace(mandatory, c.old, c.new, 1))
	}
	for _, line := range []string{"state = \"\"", "record_algorithm = \"rsa\"", "sound.speak = \"festival\"", "screen.rotation = 45",
		"screen.width = 330\nscreen.height = 320",
		"screen.dim_after = \"1s\"", "retention.days = 0", "enrol.url = \"http://x\"", "enrol.url = \"https://x\"",
		"keys.source = \"usb\"\nkeys.usb.device = \"\"",
		"keys.source = \"serial\"\nkeys.serial.port = \"\"", "keys.source = \"serial\"\nkeys.serial.baud = 7",
		"keys.source = \"serial\"\nkeys.serial.profile = \"card-line\"",
		"keys.source = \"usb\"\nkeys.staff = \"KEY_LEFTSHIFT\"", "keys.staff = \"17\"", "keys.staff = \"chip:x\"", "keys.staff = \"KEY_1\"",
		"keys.source = \"usb\"\nkeys.staff = \"KEYCODE_0\"", "keys.source = \"usb\"\nkeys.staff = \"KEYCODE_2\"",
		"keys.source = \"usb\"\nkeys.staff = \"1\"", "keys.source = \"usb\"\nkeys.staff = \"one\"",
		"keys.source = \"serial\"\nkeys.serial.port = \"/dev/a\"\ncards.port = \"/dev/a\"",
		"keys.source = \"usb\"\nkeys.usb.device = \"/dev/a\"\ncards.device = \"/dev/a\"",
		"lamps.keys = [\"\", \"b\", \"c\", \"d\", \"e\"]", "cards.port = \"/dev/a\"\ncards.profile = \"morse\"",
		"uplink.broker = [\"mqtt://a\", 3]",
		"keys.map = 3", "visit = \"x", "\"visit = 3", "= 3", "visit.wait =", "visit.wait = tru", "visit.wait = \"\\q\"",
		"retention.days = 99999999999999999999", "retention.days = 007",
		"[visit", "link = { base = \"x\"", "link = {}\nlink.base = \"x\"", "visit.wait = \"60s\"\nvisit.wait = \"60s\"",
		"uplink.centre_key = \"x\"", "# \x01"} {
		refused(mandatory + line + "\n")
	}
	refused(strings.Replace(mandatory, "uplink.centre_key", "#", 1))
	refused(strings.Replace(mandatory, "uplink.centre_key = \"", "uplink.centre_key = \"?", 1))
	refused(strings.Replace(mandatory, "lz-0417", "LZ/#", 1))
	shared := sharedText(t, 1, rootText(t), "")
	all = append(all, CheckShared(nil, []byte(mandatory)), ErrOlder, CheckShared(shared, []byte("uplink.password_file = \"/etc/p\"\n")),
		CheckShared([]byte("="), nil), foreignFile(t, shared))
	all = append(all, besideFaults(t)...)
	clitest.Faults(t, all, "check.go", "codes.go", "enrol.go", "learnt.go", "load.go", "outputs.go", "pass.go", "staff.go", "windowapi.go",
		"../../device/evdev/codes.go")
}

// foreignFile is what a box of another centre says of a shared file.
func foreignFile(t *testing.T, shared []byte) error {
	t.Helper()
	certificate := filepath.Join(t.TempDir(), CertificateFile)
	if err := os.WriteFile(certificate, []byte(rootText(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	return takes(shared, nil, certificate)
}

// besideFaults are those of files that a configuration names, or that lie in its folder.
func besideFaults(t *testing.T) (all []error) {
	folder := t.TempDir()
	config := filepath.Join(folder, "ratingd.toml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	load := func(text string) {
		t.Helper()
		write("ratingd.toml", mandatory+fmt.Sprintf("state = %q\nenrol.file = \"\"\n", folder)+text)
		_, err := Load(config)
		if err == nil {
			t.Error("it is taken")
		}
		all = append(all, err)
	}
	for _, learnt := range []string{"keys.map = 3", "keys.profile = \"x\""} {
		write(LearntFile, learnt)
		load("keys.source = \"serial\"\n")
	}
	if err := os.Remove(filepath.Join(folder, LearntFile)); err != nil {
		t.Fatal(err)
	}
	write("plain", "")
	write("ratingd.toml", mandatory+fmt.Sprintf("state = %q\nenrol.file = \"\"\n", filepath.Join(folder, "plain")))
	_, err := Load(config)
	all = append(all, err)
	_, err = Load(filepath.Join(folder, "none.toml"))
	all = append(all, err)
	_, err = bornAs(string(make([]byte, 1)))
	all = append(all, err)
	write(NameFile, "Ä")
	write("ratingd.toml", fmt.Sprintf("state = %q\n", folder))
	_, err = bornAs(folder)
	all = append(all, err)
	write(SerialFile, "serial = \"\"")
	_, err = Config{Enrol: Enrol{File: filepath.Join(folder, SharedFile)}}.Pass()
	return append(all, err)
}
