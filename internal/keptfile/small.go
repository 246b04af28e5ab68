package keptfile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
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
		return nil, fmt.Errorf("%s 不是普通文件 / is no ordinary file", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err == nil && len(b) > maxSmall {
		return nil, fmt.Errorf("%s 超过 1 MB，不是这里要的文件 / is larger than 1 MB, and not what belongs here", path)
	}
	return b, err
}
