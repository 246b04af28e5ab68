// Package keptfile writes small files that must survive a power cut: keys, tokens, who serves at the window. When a function
// returns, what it wrote is on the disk; before that there is the old file or none, never a part. A file has mode 0600 and
// belongs to the owner of its folder, also when root has written it, since the daemon is to read what an administrator made.
//
// Several processes may call the functions at once.
package keptfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"haochaping/internal/cli"
)

// Create writes a file that does not exist yet. Otherwise the error is fs.ErrExist.
func Create(path string, content []byte) error {
	return write(path, content, os.Link) // which, unlike a rename, never replaces
}

// Replace writes a file, in place of one that may exist.
func Replace(path string, content []byte) error { return write(path, content, os.Rename) }

func write(path string, content []byte, put func(from, to string) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if rest := os.Remove(f.Name()); !errors.Is(rest, fs.ErrNotExist) {
			err = errors.Join(err, rest)
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = Give(f)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = put(f.Name(), path)
	}
	if err == nil {
		err = syncFolder(dir)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// Give gives a file that root has made to the owner of its folder. Others own what they make.
func Give(f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(f.Name()))
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		return f.Chown(int(owner.Uid), int(owner.Gid))
	}
	return nil
}

// Standing returns a folder if there is one of that name, else the nearest above it in which it would be made. Its error says that
// something else has the name, or that nobody may look.
func Standing(folder string) (string, error) {
	for {
		info, err := os.Stat(folder)
		switch {
		case errors.Is(err, fs.ErrNotExist) && filepath.Dir(folder) != folder:
			folder = filepath.Dir(folder)
		case err != nil:
			return "", err
		case !info.IsDir():
			return "", cli.Errorf("%s 不是目录", "%s is no folder", folder)
		default:
			return folder, nil
		}
	}
}

// syncFolder makes the file's name as durable as the file.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
