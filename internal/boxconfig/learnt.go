package boxconfig

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"haochaping/device/keypad"
	"haochaping/internal/cli"
	"haochaping/internal/keptfile"
	"haochaping/internal/rating"
	"haochaping/internal/tomlfile"
)

// LearntFile is the name of what was learnt of the keys, in the state folder. It goes before keys.map everywhere else.
const LearntFile = "keys.toml"

// learntKeys is what that file holds.
type learntKeys struct {
	Keys struct {
		Map            []KeyLevel `toml:"map"`
		OrderConfirmed bool       `toml:"order_confirmed"`
		Profile        string     `toml:"profile"`     // the file of the keypad's profile in the same folder, empty for the configured one
		ActiveHigh     *bool      `toml:"active_high"` // of GPIO lines that were found; nil for the configured value
	} `toml:"keys"`
}

// Learnt is what was learnt of five keys, from left to right where that is known.
type Learnt struct {
	Keys       []KeyLevel
	Profile    *keypad.Profile // of a serial keypad that was learnt with them, else nil
	Text       []byte          // the profile's
	ActiveHigh *bool           // of GPIO lines that were found, else nil
}

// Learnt returns the map of keys that were pressed from the best level to the worst. Keys that the configuration has, too, stand from left
// to right as there; others in the order in which they were pressed.
func (k Keys) Learnt(pressed [5]string) []KeyLevel {
	var all []KeyLevel
	for i, level := range rating.Levels() {
		all = append(all, KeyLevel{pressed[i], level})
	}
	place := func(x KeyLevel) int {
		return slices.IndexFunc(k.Map, func(e KeyLevel) bool { return e.Key == x.Key })
	}
	if !slices.ContainsFunc(all, func(x KeyLevel) bool { return place(x) < 0 }) {
		slices.SortFunc(all, func(x, y KeyLevel) int { return place(x) - place(y) })
	}
	return all
}

// Placed reports whether the configuration says where all of some keys stand.
func (k Keys) Placed(keys []KeyLevel) bool {
	return !slices.ContainsFunc(keys, func(x KeyLevel) bool {
		return !slices.ContainsFunc(k.Map, func(e KeyLevel) bool { return e.Key == x.Key })
	})
}

// CheckKeys reports why the box could not read the keys that were learnt.
func (c Config) CheckKeys(l Learnt) error {
	var all []error
	bad := func(key, zh, en string, args ...any) {
		all = append(all, tomlfile.Lines{}.Errorf(key, zh, en, args...))
	}
	c.Keys.Map = l.Keys
	c.checkMap(bad)
	find := builtIn
	if l.Profile != nil {
		find = func(string) (*keypad.Profile, error) { return l.Profile, nil }
	}
	c.checkCodes(bad, nil, find)
	c.checkOutputs(bad)
	return errors.Join(all...)
}

// The files of profiles that were learnt, in the state folder. Each has its own name, so that a power cut leaves keys with their profile.
const (
	profilePrefix = "keypad-"
	profileSuffix = ".toml"
)

func isLearntProfile(name string) bool {
	return filepath.Base(name) == name && strings.HasPrefix(name, profilePrefix) && strings.HasSuffix(name, profileSuffix)
}

// KeepKeys writes what was learnt, by which the box goes from its next start on. Of the keypad or the lines it keeps what was learnt
// before, where the lesson was of the keys' order alone.
func (c Config) KeepKeys(l Learnt) error {
	name, high := c.Keys.LearntProfile, c.Keys.LearntHigh
	if l.Profile != nil {
		sum := sha256.Sum256(l.Text)
		name = profilePrefix + hex.EncodeToString(sum[:4]) + profileSuffix
		if err := keptfile.Replace(filepath.Join(c.State, name), l.Text); err != nil {
			return err
		}
	}
	if l.ActiveHigh != nil {
		high = l.ActiveHigh
	}
	if err := keptfile.Replace(filepath.Join(c.State, LearntFile), learntText(l.Keys, name, high)); err != nil {
		return err
	}
	c.dropProfiles(name)
	return nil
}

// dropProfiles removes learnt profiles that are of no use any more. One that stays does no harm.
func (c Config) dropProfiles(but string) {
	all, err := os.ReadDir(c.State)
	if err != nil {
		return
	}
	for _, e := range all {
		if isLearntProfile(e.Name()) && e.Name() != but {
			_ = os.Remove(filepath.Join(c.State, e.Name()))
		}
	}
}

func learntText(keys []KeyLevel, profile string, high *bool) []byte {
	var b strings.Builder
	b.WriteString("# What the keys were found to be when they were pressed, from left to right. It goes before keys.map of ratingd.toml " +
		"and\n" +
		"# of the file that all boxes share; remove it to go by those.\nkeys.order_confirmed = true\nkeys.map = [\n")
	for _, k := range keys {
		fmt.Fprintf(&b, "  { key = %q, level = %d },\n", k.Key, k.Level)
	}
	b.WriteString("]\n")
	if profile != "" {
		fmt.Fprintf(&b, "# The keypad was learnt, too: what it sends is described in this file beside. It goes before keys.serial.profile and\n"+
			"# keys.serial.baud.\nkeys.profile = %q\n", profile)
	}
	if high != nil {
		fmt.Fprintf(&b, "# The lines were found, too, and what a pressed key does to them. It goes before keys.gpio.active_high.\n"+
			"keys.active_high = %t\n", *high)
	}
	return []byte(b.String())
}

// learn takes what was learnt of the keys into the configuration. A file that cannot be read is an error: the levels would be others than
// those that somebody has confirmed.
func (c *Config) learn() error {
	if info, err := os.Stat(c.State); err == nil && !info.IsDir() {
		return tomlfile.Lines{}.Errorf("state", "%s 不是目录；请写一个文件夹", "%s is no folder; name one", c.State)
	}
	path := filepath.Join(c.State, LearntFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var l learntKeys
	if err == nil {
		_, err = tomlfile.Decode(b, &l, "ratingd -print-config")
	}
	if err != nil {
		return cli.Because(err, "按键的学习结果 "+path+" 读不了；请删除并重新学习",
			"what was learnt of the keys, "+path+", cannot be read; remove it and learn the keys again")
	}
	c.Keys.Map, c.Keys.OrderConfirmed = l.Keys.Map, l.Keys.OrderConfirmed
	if high := l.Keys.ActiveHigh; high != nil && c.Keys.Source == GPIO {
		c.Keys.LearntHigh, c.Keys.GPIO.ActiveHigh = high, *high
	}
	if name := l.Keys.Profile; name != "" && c.Keys.Source == Serial {
		if !isLearntProfile(name) {
			return cli.Errorf("按键的学习结果 %s 指向 %q，不是学习所得的描述；请删除并重新学习",
				"what was learnt of the keys, %s, names %q, which is no profile that was learnt; remove it and learn the keys again", path, name)
		}
		c.Keys.LearntProfile, c.Keys.Serial.Profile, c.Keys.Serial.Baud = name, filepath.Join(c.State, name), 0
	}
	return nil
}
