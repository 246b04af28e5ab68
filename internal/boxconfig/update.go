package boxconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"

	"haochaping/internal/keptfile"
	"haochaping/internal/provision"
	"haochaping/internal/tomlfile"
)

// Update says from where the box's programs are updated.
type Update struct {
	URL     string `toml:"url"`     // of an apt repository; empty: nowhere
	Channel string `toml:"channel"` // there
	Key     string `toml:"key"`     // OpenPGP public key by which it is signed, armoured
}

// ForUpdates reads a configuration for whoever updates the box as root. Of what all boxes share, it believes the copy in a folder of
// root's alone, and what its key has signed since: the daemon, which owns the state folder, cannot say by whom programs are signed. The
// first file is believed.
func ForUpdates(path, folder string) (Config, error) {
	c := Default()
	own, err := os.ReadFile(path)
	if err == nil {
		own, err = tomlfile.Text(own)
	}
	if err == nil {
		err = toml.Unmarshal(own, &c)
	}
	if err != nil {
		return c, fmt.Errorf("read the configuration %s: %w", path, err)
	}
	shared, err := pinned(c.Enrol.File, filepath.Join(folder, SharedFile))
	if err != nil {
		return c, err
	}
	c = Default()
	if err := toml.Unmarshal(shared, &c); err != nil {
		return c, fmt.Errorf("the file that all boxes share: %w", err)
	}
	if err := toml.Unmarshal(own, &c); err != nil {
		return c, fmt.Errorf("read the configuration %s: %w", path, err)
	}
	return c, nil
}

// pinned returns what all boxes share by a copy of root's, which is renewed if the file has a newer one that its key has signed. It is nil
// where there is neither.
func pinned(file, copied string) ([]byte, error) {
	kept, err := os.ReadFile(copied)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the pinned file of all boxes: %w", err)
	}
	var others [][]byte
	if kept != nil {
		if err := provision.Verify(kept, headOf(kept).key()); err != nil {
			return nil, fmt.Errorf("%s: %w", copied, err)
		}
		others = append(others, kept)
	}
	fresh, err := os.ReadFile(file)
	if file == "" || errors.Is(err, fs.ErrNotExist) {
		return kept, nil
	}
	if err == nil {
		err = takes(fresh, others, "")
	}
	if err != nil {
		if kept != nil {
			return kept, nil // a file that is broken or put back changes nothing
		}
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if string(fresh) == string(kept) {
		return kept, nil
	}
	return fresh, keptfile.Replace(copied, fresh)
}
