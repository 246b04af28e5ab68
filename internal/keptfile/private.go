package keptfile

import (
	"fmt"
	"os"
)

// ReadPrivate reads a file that nobody else may read or replace, and refuses one that others can. What names it to people, as "the centre's
// key"; a file that is not there is fs.ErrNotExist.
func ReadPrivate(what, path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%s %s has mode %04o, so that others can read or replace it; find out who did, then chmod 600 it", what, path,
			mode)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	return b, nil
}
