package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
)

// The kernel's request and modes, from linux/kd.h.
const (
	kdSetMode  = 0x4b3a
	kdText     = 0
	kdGraphics = 1
)

// console keeps the text of the screen's console off the screen, or lets it back. Only root may do that, and the daemon is
// not root: its unit runs this before the daemon and after it.
func console(ctx context.Context, args []string, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("ratingctl console", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cli.Describe(ctx, flags, condition.Text{})
	path := flags.String("config", "/etc/ratingd.toml", cli.Words("评价器的配置`文件`", "the box's configuration `file`"))
	what, rest, err := subcommand(flags, args)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	mode := kdText
	switch {
	case what == "silent" && len(rest) == 0:
		mode = kdGraphics
	case what == "text" && len(rest) == 0:
	default:
		return cli.Hint(cli.Usage("没有说明如何处理控制台", "it is not said what to do with the console"),
			"写 ratingctl console silent 或 ratingctl console text", "write \"ratingctl console silent\" or \"ratingctl console text\"")
	}
	c, err := boxconfig.LoadPartial(*path)
	if err != nil { // which the daemon says; a screen that has been silenced gets its text back all the same
		c = boxconfig.Default()
	}
	if c.Screen.Panel == "none" || c.Screen.Console == "" {
		return nil
	}
	f, err := os.OpenFile(c.Screen.Console, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open the console: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := unix.IoctlSetInt(int(f.Fd()), kdSetMode, mode); err != nil {
		return cli.Hint(cli.Because(err, "无法设置控制台 "+c.Screen.Console, "the console "+c.Screen.Console+" cannot be set"),
			"需要 root，而且控制台须是屏幕，例如 /dev/tty0", "only root may, and only of a console that is a screen, as /dev/tty0")
	}
	return nil
}
