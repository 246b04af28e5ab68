package keptfile

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"haochaping/internal/cli"
)

// maxSmall is the most bytes of a file that ReadSmall takes.
const maxSmall = 1 << 20

// ReadSmall reads a file that somebody has named in a configuration. What is none, or is larger than a megabyte, is an error: a pipe is
// not waited for, and a film that was named by mistake fills no memory.
func ReadSmall(path string) (_ []byte, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, cli.Errorf("%s 不是普通文件；请写一个文件", "%s is no ordinary file; name one", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err == nil && len(b) > maxSmall {
		return nil, cli.Errorf("%s 超过 1 MB；请写这里所要的文件", "%s is larger than 1 MB; name the file that belongs here", path)
	}
	return b, err
}
