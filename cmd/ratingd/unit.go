package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"haochaping/internal/cli"
)

// unitFolders are where systemd looks for units, the first one first (systemd.unit(5)).
func unitFolders() []string {
	return []string{"/etc/systemd/system", "/run/systemd/system",
		"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
}

// unit is what a service's unit says of what the daemon may touch. The zero value is a daemon that somebody starts by hand.
type unit struct {
	user       string   // as whom it runs, empty for whoever starts it
	readOnly   bool     // all but writable (ProtectSystem=strict)
	writable   []string // folders
	hideHome   bool     // /home, /root and /run/user (ProtectHome)
	privateTmp bool     // it has a /tmp of its own
}

// readUnit reads the unit ratingd.service and its drop-ins. What is not there says nothing.
func readUnit(folders []string) unit {
	const name = "ratingd.service"
	var u unit
	for _, folder := range folders {
		if b, err := os.ReadFile(filepath.Join(folder, name)); err == nil {
			u.apply(string(b))
			break
		}
	}
	dropIns := make(map[string]string) // by name: the first folder's wins
	for _, folder := range slices.Backward(folders) {
		all, _ := filepath.Glob(filepath.Join(folder, name+".d", "*.conf")) // the pattern is right
		for _, path := range all {
			dropIns[filepath.Base(path)] = path
		}
	}
	names := make([]string, 0, len(dropIns))
	for name := range dropIns {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if b, err := os.ReadFile(dropIns[name]); err == nil {
			u.apply(string(b))
		}
	}
	return u
}

// apply takes the settings of one file, of which later ones win.
func (u *unit) apply(text string) {
	yes := func(value string) bool { return slices.Contains([]string{"yes", "true", "on", "1"}, value) }
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
		}
		key, value, found := strings.Cut(line, "=")
		if !found || section != "[Service]" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		switch value = strings.TrimSpace(value); strings.TrimSpace(key) {
		case "User":
			u.user = value
		case "ProtectSystem":
			u.readOnly = value == "strict"
		case "ProtectHome":
			u.hideHome = yes(value) || value == "tmpfs"
		case "PrivateTmp":
			u.privateTmp = yes(value) || value == "disconnected"
		case "ReadWritePaths":
			u.allow("", value)
		case "StateDirectory":
			u.allow("/var/lib/", value)
		case "RuntimeDirectory":
			u.allow("/run/", value)
		}
	}
}

func (u *unit) allow(under, value string) {
	for _, path := range strings.Fields(value) {
		u.writable = append(u.writable, filepath.Clean(under+strings.TrimLeft(path, "-+")))
	}
}

func inside(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return path == f || strings.HasPrefix(path, strings.TrimSuffix(f, "/")+"/") })
}

// errSandbox says that the unit keeps something from the daemon that its account could use.
var errSandbox = cli.Error("单元 ratingd.service 不允许", "the unit ratingd.service forbids it")

// mayRead returns why the daemon does not see a file whose permissions would let it, nil if it does.
func (u unit) mayRead(path string) error {
	switch path = filepath.Clean(path); {
	case u.hideHome && inside(path, "/home", "/root", "/run/user"):
		return cli.Because(errSandbox, "服务看不到 /home 和 /root 下的文件；请移到 /etc 或 /var/lib/ratingd："+path,
			"the service does not see what is in /home and /root; move "+path+" to /etc or /var/lib/ratingd")
	case u.privateTmp && inside(path, "/tmp", "/var/tmp"):
		return cli.Because(errSandbox, "服务有自己的 /tmp；请移到 /etc 或 /var/lib/ratingd："+path,
			"the service does not see this /tmp, it has its own; move "+path+" to /etc or /var/lib/ratingd")
	}
	return nil
}

// mayWrite is mayRead for writing.
func (u unit) mayWrite(path string) error {
	if err := u.mayRead(path); err != nil {
		return err
	}
	if path = filepath.Clean(path); u.readOnly && !inside(path, u.writable...) && !inside(path, "/dev", "/proc", "/sys") {
		return cli.Because(errSandbox, "服务不能写 "+path+"；用 /var/lib/ratingd 或 /run/ratingd 下的文件夹，或在 systemctl edit ratingd 中写 ReadWritePaths="+path,
			"the service does not write to "+path+"; take a folder under /var/lib/ratingd or /run/ratingd, or add ReadWritePaths= by systemctl "+
				"edit ratingd")
	}
	return nil
}

// stranger reports whether an account is neither root nor the one that the daemon runs as.
func (u unit) stranger(uid int) bool {
	if uid == 0 || u.user == "" {
		return false
	}
	account, err := user.Lookup(u.user)
	return err != nil || account.Uid != strconv.Itoa(uid)
}

// becomeUser gives this process the account and the groups of a user for good. Only root may.
func becomeUser(name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return fmt.Errorf("become the service's user: %w", err)
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	all, err := u.GroupIds()
	var groups []int
	for _, id := range all {
		n, e := strconv.Atoi(id)
		groups, err = append(groups, n), errors.Join(err, e)
	}
	if err := errors.Join(uidErr, gidErr, err); err != nil {
		return fmt.Errorf("become the user %s: %w", name, err)
	}
	if err := errors.Join(syscall.Setgroups(groups), syscall.Setgid(gid), syscall.Setuid(uid)); err != nil {
		return fmt.Errorf("become the user %s: %w", name, err)
	}
	return nil
}
