package display

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Requests and modes from linux/kd.h.
const (
	kdSetMode  = 0x4b3a
	kdGetMode  = 0x4b3b
	kdText     = 0
	kdGraphics = 1
)

// Console is a console whose text and cursor are kept off the framebuffer that it shares.
type Console struct {
	file *os.File
	ours bool // this process has silenced it, and lets it speak again
}

// SilenceConsole silences a console, as /dev/tty0. The kernel allows that to the capability CAP_SYS_TTY_CONFIG only. A
// DRM card does not need it: there the console has a picture of its own, which is not shown.
func SilenceConsole(path string) (*Console, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0) // nobody lets the daemon read what is typed there
	if err == nil {
		if err = unix.IoctlSetInt(int(f.Fd()), kdSetMode, kdGraphics); err == nil {
			return &Console{f, true}, nil
		}
		if mode, getErr := unix.IoctlGetInt(int(f.Fd()), kdGetMode); getErr == nil && mode == kdGraphics {
			return &Console{f, false}, nil // whoever has silenced it will let it speak again
		}
		err = errors.Join(err, f.Close())
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("silence the console %s: %w; its text and cursor show through: let root run \"ratingctl console silent\" "+
			"before, as the unit does, or boot with \"vt.global_cursor_default=0 quiet\" and set screen.console = \"\"", path, err)
	}
	return nil, fmt.Errorf("silence the console %s: %w", path, err)
}

// Close gives the console its text back.
func (c *Console) Close() error {
	if !c.ours {
		return c.file.Close()
	}
	return errors.Join(unix.IoctlSetInt(int(c.file.Fd()), kdSetMode, kdText), c.file.Close())
}
