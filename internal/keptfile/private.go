package keptfile

import (
	"fmt"
	"os"

	"haochaping/internal/cli"
)

// ReadPrivate reads a file that nobody else may read or replace, and refuses one that others can. What names it to people, as "the centre's
// key"; a file that is not there is fs.ErrNotExist.
func ReadPrivate(what, path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, cli.Errorf("%[2]s 的权限是 %[3]04o，别人能读或替换它；先查明有没有人这样做，再 chmod 600 %[2]s",
			"%[1]s %[2]s has mode %[3]04o, so that others can read or replace it; find out who did, then chmod 600 it", what, path, mode)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	return b, nil
}
