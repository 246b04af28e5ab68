package boxconfig

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"haochaping/device/keypad"
	"haochaping/internal/rating"
)

const profileText = "name = \"learnt\"\n[line]\nbaud = 4800\n[[frame]]\nlayout = \"aa key=10-14 55\"\n"

func learntKeysOf(names ...string) (all []KeyLevel) {
	for i, level := range rating.Levels() {
		all = append(all, KeyLevel{names[i], level})
	}
	return all
}

// TestAKeypadThatWasLearnt goes before the configured one, until another is learnt, and with another source not at all.
func TestAKeypadThatWasLearnt(t *testing.T) {
	c := Default()
	c.State = t.TempDir()
	c.Keys.Source, c.Keys.Serial.Baud = Serial, 9600
	keys := learntKeysOf("0x10", "0x11", "0x12", "0x13", "0x14")
	profile, err := keypad.Parse([]byte(profileText))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckKeys(Learnt{Keys: keys, Profile: profile}); err != nil {
		t.Errorf("keys of the profile: %v", err)
	}
	if err := c.CheckKeys(Learnt{Keys: learntKeysOf("0x20", "0x11", "0x12", "0x13", "0x14"), Profile: profile}); err == nil {
		t.Error("a key that the profile never reads is taken")
	}
	if err := c.KeepKeys(Learnt{Keys: keys, Profile: profile, Text: []byte(profileText)}); err != nil {
		t.Fatal(err)
	}
	read := func() Config {
		t.Helper()
		now := c
		if err := now.learn(); err != nil {
			t.Fatal(err)
		}
		return now
	}
	first := read()
	p, err := keypad.Find(first.Keys.Serial.Profile)
	if err != nil || p.Line.Baud != 4800 || first.Keys.Serial.Baud != 0 || first.Keys.Map[0].Key != "0x10" {
		t.Fatalf("the box goes by %+v, %v", first.Keys, err)
	}

	// The keys are learnt anew with the keypad that is known, and then another keypad.
	if err := first.KeepKeys(Learnt{Keys: learntKeysOf("0x14", "0x13", "0x12", "0x11", "0x10")}); err != nil {
		t.Fatal(err)
	}
	if again := read(); again.Keys.Serial.Profile != first.Keys.Serial.Profile || again.Keys.Map[0].Key != "0x14" {
		t.Errorf("after the keys were learnt anew the box goes by %+v", again.Keys)
	}
	if err := first.KeepKeys(Learnt{Keys: keys, Profile: profile, Text: []byte(strings.Replace(profileText, "4800", "9600", 1))}); err != nil {
		t.Fatal(err)
	}
	if other := read(); other.Keys.Serial.Profile == first.Keys.Serial.Profile {
		t.Error("another keypad's profile has the same file: a power cut would leave the keys of one with the profile of the other")
	}
	if _, err := os.Stat(first.Keys.Serial.Profile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the profile of before stays: %v", err)
	}

	// Another source has no profile, and what is no learnt file is not read.
	c.Keys.Source = GPIO
	if gpio := read(); gpio.Keys.Serial.Profile != c.Keys.Serial.Profile {
		t.Error("a keypad on GPIO lines has a profile")
	}
	c.Keys.Source = Serial
	for _, name := range []string{"../keypad-1.toml", "other.toml", "keypad-1.txt"} {
		if err := os.WriteFile(filepath.Join(c.State, LearntFile), learntText(keys, name, nil), 0o600); err != nil {
			t.Fatal(err)
		}
		now := c
		if err := now.learn(); err == nil {
			t.Errorf("the profile %q is read", name)
		}
	}
}

// TestLinesThatWereFound go before the configured ones, also after the keys' order alone was learnt anew, and with another source
// not at all.
func TestLinesThatWereFound(t *testing.T) {
	c := Default()
	c.State, c.Keys.Source, c.Keys.GPIO.ActiveHigh = t.TempDir(), GPIO, false
	c.Keys.Map = learntKeysOf("GPIO5", "GPIO6", "GPIO13", "GPIO19", "GPIO26")
	read := func(want string, high bool) Config {
		t.Helper()
		now := c
		if err := now.learn(); err != nil {
			t.Fatal(err)
		}
		if now.Keys.Map[0].Key != want || now.Keys.GPIO.ActiveHigh != high {
			t.Errorf("the box goes by %+v, active high %t; want %s first, %t", now.Keys.Map, now.Keys.GPIO.ActiveHigh, want, high)
		}
		return now
	}
	keep := func(by Config, l Learnt) {
		t.Helper()
		if err := by.CheckKeys(l); err != nil {
			t.Errorf("what was learnt is refused: %v", err)
		}
		if err := by.KeepKeys(l); err != nil {
			t.Fatal(err)
		}
	}
	yes, no := true, false
	keep(c, Learnt{Keys: learntKeysOf("GPIO17", "GPIO27", "pl061:3", "GPIO22", "GPIO23"), ActiveHigh: &yes})
	first := read("GPIO17", true)
	keep(first, Learnt{Keys: learntKeysOf("GPIO23", "GPIO22", "pl061:3", "GPIO27", "GPIO17")})
	again := read("GPIO23", true)
	keep(again, Learnt{Keys: learntKeysOf("GPIO5", "GPIO6", "GPIO13", "GPIO19", "GPIO26"), ActiveHigh: &no})
	read("GPIO5", false)
	keep(again, Learnt{Keys: learntKeysOf("GPIO17", "GPIO27", "pl061:3", "GPIO22", "GPIO23"), ActiveHigh: &yes})
	c.Keys.Source = USB
	read("GPIO17", false)

	c.Keys.Source, c.Lamps.Buzzer = GPIO, "GPIO27"
	if err := c.CheckKeys(Learnt{Keys: learntKeysOf("GPIO17", "GPIO27", "pl061:3", "GPIO22", "GPIO23")}); err == nil {
		t.Error("the buzzer's line is taken for a key")
	}
}

// TestAMapMayBeLearnt is for boxes that are set up over the page alone, whose keys hang on GPIO lines.
func TestAMapMayBeLearnt(t *testing.T) {
	c := Default()
	for name, x := range map[string]struct {
		source KeySource
		enrols bool
		want   bool
	}{"lines of a box that enrols": {GPIO, true, true}, "a serial keypad": {Serial, true, false}, "a box by hand": {GPIO, false, false}} {
		c.Keys.Source, c.Enrol.URL = x.source, ""
		if x.enrols {
			c.Enrol.URL = "https://enrol.example.com:8443"
		}
		if got := c.unwired(); got != x.want {
			t.Errorf("%s: no map is allowed %t, want %t", name, got, x.want)
		}
	}
}
