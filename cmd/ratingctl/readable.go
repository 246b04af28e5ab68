package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strconv"
	"syscall"
)

// unreadable returns an error if the owner of the state folder, as whom the daemon runs, may not read a file. Only root asks,
// who may read everything and would not notice; of another user the own attempt tells. It never wraps fs.ErrPermission, since
// here it is not the doctor who lacks a right. Folders above the file are not looked at.
func unreadable(path, state string) error {
	if path == "" || os.Geteuid() != 0 {
		return nil
	}
	folder, err := os.Stat(state)
	if err != nil {
		return nil // said where the folder is looked at
	}
	file, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // likewise
	}
	if err != nil {
		return err
	}
	daemon, ok := folder.Sys().(*syscall.Stat_t)
	its, known := file.Sys().(*syscall.Stat_t)
	if !ok || !known || daemon.Uid == 0 {
		return nil
	}
	name, groups := strconv.FormatUint(uint64(daemon.Uid), 10), []string{strconv.FormatUint(uint64(daemon.Gid), 10)}
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
		if all, err := u.GroupIds(); err == nil {
			groups = append(groups, all...)
		}
	}
	bit := fs.FileMode(0o004)
	switch {
	case its.Uid == daemon.Uid:
		bit = 0o400
	case slices.Contains(groups, strconv.FormatUint(uint64(its.Gid), 10)):
		bit = 0o040
	}
	if file.Mode()&bit != 0 {
		return nil
	}
	return fmt.Errorf("%s (%s) cannot be read by %s, as whom ratingd runs: chown root:%s %s && chmod 640 %s", path, file.Mode(), name, name,
		path, path)
}
