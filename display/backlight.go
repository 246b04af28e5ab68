package display

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Backlight is a screen's light, a folder as /sys/class/backlight/10-0045. It is not safe for concurrent use.
type Backlight struct {
	path string // of the file brightness
	full int    // what the driver calls full
	now  int    // percent; -1 if not known
}

// FindBacklight returns the first backlight below a folder, as /sys/class/backlight, nil if there is none: monitors at an
// HDMI cable have none.
func FindBacklight(folder string) (*Backlight, error) {
	found, err := filepath.Glob(filepath.Join(folder, "*", "max_brightness"))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		return nil, fmt.Errorf("ask the backlight how bright it can be: %w", err)
	}
	full, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || full < 1 {
		return nil, fmt.Errorf("ask the backlight how bright it can be: %s says %q", found[0], text)
	}
	return &Backlight{filepath.Join(filepath.Dir(found[0]), "brightness"), full, -1}, nil
}

// Set sets the brightness, 0 to 100 percent of what the driver calls full. Above 0 the light is never switched off by
// rounding.
func (b *Backlight) Set(percent int) error {
	if percent < 0 || percent > 100 {
		return fmt.Errorf("a brightness of %d percent does not exist", percent)
	}
	if percent == b.now {
		return nil
	}
	value := (b.full*percent + 50) / 100
	if percent > 0 {
		value = max(value, 1)
	}
	err := os.WriteFile(b.path, []byte(strconv.Itoa(value)), 0)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("set the backlight: %w; let the group video write that file, by a udev rule on SUBSYSTEM==\"backlight\"", err)
	}
	if err != nil {
		return fmt.Errorf("set the backlight: %w", err)
	}
	b.now = percent
	return nil
}
