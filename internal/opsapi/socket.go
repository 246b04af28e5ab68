package opsapi

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"
)

// MaxSocketPath is the greatest length of a unix socket's path in bytes: sockaddr_un has 108, of which one is a zero.
const MaxSocketPath = 107

// ListenUnix listens on a unix socket that the process's user and group may use. A socket that a daemon has left behind is
// replaced; one at which somebody answers, and anything else of that name, is not.
func ListenUnix(path string) (net.Listener, error) {
	if len(path) > MaxSocketPath {
		return nil, fmt.Errorf("listen on %s: the path has %d bytes, at most %d are possible", path, len(path), MaxSocketPath)
	}
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	case info.Mode()&fs.ModeSocket == 0:
		return nil, fmt.Errorf("listen on %s: there is something that is no socket; move it away, or name another path", path)
	default:
		conn, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			_ = conn.Close() // it was only asked whether somebody answers
			return nil, fmt.Errorf("listen on %s: another program answers there; stop it, or name another path", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("replace the socket that was left behind: %w", err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	// Until here the umask holds, under which nobody else may write to it, and so nobody else connect.
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", path, err), l.Close())
	}
	return l, nil
}
