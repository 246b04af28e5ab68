package keypad

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"haochaping/internal/cli/clitest"
)

// Whoever writes a profile is told in one language what is wrong and what to do, whatever it is.
func TestFaultsSpeakOneLanguage(t *testing.T) {
	const head = "name = \"x\"\n[[frame]]\nlayout = \"key\"\n[[frame]]\n"
	const keyed = "name = \"x\"\n[[frame]]\nlayout='key'\nkeys=['0x31']\n[[frame]]\n"
	var all []error
	for _, text := range []string{
		"", "name = \"x\"\n", "name = \"x\"\nspeed = 3\n", "name = \"x\"\ngap = \"1h\"", head + "layout = \"\"", head + "layout = \"key zz\"",
		head + "layout = \"kee key\"", head + "layout = \"68\"", head + "layout = \"key key\"", head + "layout = \"01 text\"",
		head + "layout = \"text 0d\"", "name = \"x\"\n[[frame]]\nlayout = \"text len\"", "name = \"x\"\n[[frame]]\nlayout = \"text 0d xor8\"",
		head + "layout = \"xor8 key\"", head + "layout = \"key xor8(0:3)\"", head + "layout = \"key xor8(2)\"", head + "layout = \"len key\"",
		head + "layout = \"len text len text\"", head + "layout = \"len text xor8(0:1)\"", head + "layout = \"grade grade key\"",
		head + "layout = \"01 text*1-999 0d\"", head + "layout = \"key*x\"", head + "layout = \"key=9\"", head + "layout = \"len+0 text\"",
		head + "layout = \"'\x01a'\"", head + "layout = \"'\u00e9' key\"", head + "layout = \"key" + strings.Repeat(" 01", 70) + "\"",
		head + "layout = \"key*100 key*100 key*100\"", head + "layout = \"key\"\nkind = \"door\"", head + "layout = \"key\"\ncode = \"text\"",
		head + "layout = \"key\"\ncode = \"morse\"", head + "layout = \"key\"\ncode = \"decimal-hex\"",
		head + "layout = \"key*9\"\ncode = \"decimal\"",
		head + "layout = \"key\"\nanswer = \"address\"", head + "layout = \"key\"\nanswer = \"30-39\"",
		head + "layout = \"key\"\nanswer = \"xor8\"",
		head + "layout = \"key\"\nanswer = \"key\"", head + "layout = \"key\"\nkeys = [\"1\"]", head + "layout = \"key\"\nkeys = [\"0x1\"]",
		head + "layout = \"key\"\n[line]\nbaud = 9\ndata_bits = 9\nparity = \"x\"\nstop_bits = 9",
		head + "layout = \"key\"\n[prompt]\nidle = \"k\"",
		keyed + "kind='release'\nlayout='key'\nkeys=['0x41']\n", keyed + "kind='release'\nlayout='key'\nkeys=['0x41']\nof=['0x31', '0x31']\n",
		keyed + "kind='ignore'\nlayout='01'\nevery='5s'\n", keyed + "layout='01 key'\ndigits=4\n",
	} {
		_, err := Parse([]byte(text))
		if err == nil {
			t.Errorf("%s\nis taken", text)
		}
		all = append(all, err)
	}
	for _, c := range []struct{ profile, key string }{{"byte", "1"}, {"byte", "0x3A"}, {"byte", "0x3132"}, {"line", "满意"}, {"slz", "0x04"},
		{"card-line", "0x31"}} {
		all = append(all, shipped(t, c.profile).CheckKey(c.key))
	}
	broken := filepath.Join(t.TempDir(), "broken.toml")
	if err := os.WriteFile(broken, []byte("name = 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"morse", "/no/such.toml", t.TempDir() + "/", broken} {
		_, err := Find(name)
		all = append(all, fmt.Errorf("keys.serial.profile: %w", err))
	}
	clitest.Faults(t, all, "check.go", "layout.go", "profile.go", "shipped.go")
}
