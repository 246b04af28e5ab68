package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// source is what is built.
type source struct {
	version    string    // in Debian's order of versions
	time       time.Time // of the commit
	maintainer string
}

// readSource asks git. epoch is SOURCE_DATE_EPOCH, empty if it is not set.
func readSource(ctx context.Context, epoch string) (source, error) {
	head, err := git(ctx, "log", "-1", "--format=%ct %h", "--abbrev=12")
	if err != nil {
		return source{}, err
	}
	seconds, hash, _ := strings.Cut(head, " ")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return source{}, fmt.Errorf("time of the commit %q: %w", head, err)
	}
	committed := time.Unix(n, 0).UTC()
	changed, err := git(ctx, "status", "--porcelain", "--untracked-files=no")
	if err != nil {
		return source{}, err
	}
	tag, err := git(ctx, "describe", "--tags", "--exact-match", "--match", "v[0-9]*")
	if err != nil {
		tag = "" // the commit is no release
	}
	s := source{version: debianVersion(tag, committed, hash, changed != ""), time: committed,
		maintainer: "Haochaping maintainers <maintainers@example.com>"}
	if epoch != "" {
		n, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return source{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
		}
		s.time = time.Unix(n, 0).UTC()
	}
	return s, nil
}

// debianVersion returns a version that dpkg orders as the commits were made: between releases by time, before the release
// that follows. It has no hyphen, since the package has no other upstream.
func debianVersion(tag string, committed time.Time, hash string, dirty bool) string {
	v := strings.ReplaceAll(strings.TrimPrefix(tag, "v"), "-", "~")
	if v == "" {
		v = "0~" + committed.Format("20060102150405") + "." + hash
	}
	if dirty {
		v += "+dirty"
	}
	return v
}

func git(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}
