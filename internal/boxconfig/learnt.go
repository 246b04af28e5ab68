package boxconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	} `toml:"keys"`
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

// CheckKeys reports why the box could not read a map of keys.
func (c Config) CheckKeys(keys []KeyLevel) error {
	var all []error
	bad := func(key, format string, args ...any) {
		all = append(all, tomlfile.Lines{}.Errorf(key, format, args...))
	}
	c.Keys.Map = keys
	c.checkMap(bad)
	c.checkCodes(bad, nil, builtIn)
	return errors.Join(all...)
}

// KeepKeys writes what was learnt, by which the box goes from its next start on.
func KeepKeys(state string, keys []KeyLevel) error {
	var b strings.Builder
	b.WriteString("# What the keys were found to be when they were pressed, from left to right. It goes before keys.map of ratingd.toml " +
		"and\n" +
		"# of the file that all boxes share; remove it to go by those.\nkeys.order_confirmed = true\nkeys.map = [\n")
	for _, k := range keys {
		fmt.Fprintf(&b, "  { key = %q, level = %d },\n", k.Key, k.Level)
	}
	b.WriteString("]\n")
	return keptfile.Replace(filepath.Join(state, LearntFile), []byte(b.String()))
}

// learn takes what was learnt of the keys into the configuration. A file that cannot be read is an error: the levels would be others than
// those that somebody has confirmed.
func (c *Config) learn() error {
	path := filepath.Join(c.State, LearntFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var l learntKeys
	if err == nil {
		_, err = tomlfile.Decode(b, &l, "ratingd")
	}
	if err != nil {
		return fmt.Errorf("what was learnt of the keys, %s, cannot be read; remove it and learn the keys again: %w", path, err)
	}
	c.Keys.Map, c.Keys.OrderConfirmed = l.Keys.Map, l.Keys.OrderConfirmed
	return nil
}
