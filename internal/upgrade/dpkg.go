package upgrade

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tool runs Debian's programs.
type tool struct{}

// toolTime bounds one of them. dpkg waits for maintainer scripts, which wait for the daemon.
const toolTime = 15 * time.Minute

// run runs a program and returns what it says. A signal ends it only when nothing is being installed: dpkg is left to finish.
func (tool) run(ctx context.Context, dir, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), toolTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(said.String())
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, text[max(0, len(text)-500):])
	}
	return out.String(), nil
}

// newer reports whether a version is greater than another one.
func (t tool) newer(ctx context.Context, version, than string) (bool, error) {
	_, err := t.run(ctx, "/", "dpkg", "--compare-versions", version, "gt", than)
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return false, nil
	}
	return err == nil, err
}

// installed is what dpkg knows of the package.
type installed struct {
	version string
	whole   bool
}

func (u *Updater) installed(ctx context.Context) (installed, error) {
	out, err := u.dpkg.run(ctx, "/", "dpkg-query", "--show", "--showformat=${db:Status-Abbrev}|${Version}", u.cfg.Package)
	if err != nil {
		return installed{}, err
	}
	status, version, _ := strings.Cut(out, "|")
	return installed{version, strings.TrimSpace(status) == "ii"}, nil
}

// check reports why the saved package of a version cannot be installed.
func (u *Updater) check(ctx context.Context, version string) error {
	out, err := u.dpkg.run(ctx, "/", "dpkg-deb", "--show", "--showformat=${Package} ${Version}", u.deb(version))
	if err == nil && out != u.cfg.Package+" "+version {
		err = fmt.Errorf("it is %s", out)
	}
	if err != nil {
		return fmt.Errorf("the package of %s: %w", version, err)
	}
	return nil
}

// install installs the saved package of a version, whatever an interrupted installation has left.
func (u *Updater) install(ctx context.Context, version string) error {
	now, err := u.installed(ctx)
	if err == nil && now.whole && now.version == version {
		return nil
	}
	if err := u.check(ctx, version); err != nil {
		return err
	}
	back, err := writableRoot()
	if err != nil {
		return err
	}
	defer back()
	if _, err := u.dpkg.run(ctx, "/", "dpkg", "--configure", "--pending"); err != nil {
		u.cfg.Logger.Warn("what was interrupted cannot be configured; the package is installed anew", "error", err)
	}
	_, err = u.dpkg.run(ctx, "/", "dpkg", "--install", "--force-confold", "--force-downgrade", u.deb(version))
	if err != nil {
		return err
	}
	if now, err = u.installed(ctx); err == nil && (!now.whole || now.version != version) {
		err = fmt.Errorf("dpkg has installed %s and not %s", now.version, version)
	}
	return err
}

// writableRoot makes a root that is mounted read-only writable until the function that it returns is called.
func writableRoot() (back func(), err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs("/", &fs); err != nil || fs.Flags&unix.ST_RDONLY == 0 {
		return func() {}, err
	}
	if err := unix.Mount("", "/", "", unix.MS_REMOUNT, ""); err != nil {
		return nil, fmt.Errorf("make the root writable: %w", err)
	}
	return func() {
		unix.Sync()
		_ = unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_RDONLY, "") // busy: it is read-only again after the next start
	}, nil
}
