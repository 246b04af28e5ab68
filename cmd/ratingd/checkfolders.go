package main

import (
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"haochaping/internal/cli"
	"haochaping/internal/keptfile"
)

// holdsFile returns why a folder cannot hold a file of that name, or not be made where it is missing.
func holdsFile(folder, name string) error {
	if info, err := os.Stat(filepath.Join(folder, name)); err == nil && !info.Mode().IsRegular() {
		return cli.Errorf("%s 不是可以替换的文件；请移走", "%s is no file that could be replaced; move it away", filepath.Join(folder, name))
	}
	folder, err := keptfile.Standing(folder)
	if err != nil {
		return err
	}
	if err := access(folder, unix.W_OK|unix.X_OK); err != nil {
		return err
	}
	if err := ordinary(folder); err != nil {
		return err
	}
	return room(folder)
}

// room returns why the next write in a folder may fail: the disk is full.
func room(folder string) error {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err == nil && s.Bavail*uint64(s.Bsize) < leastRoom {
		return &fs.PathError{Op: "write", Path: folder, Err: unix.ENOSPC}
	}
	return nil
}

// stateFolder returns why the daemon could not keep anything in its folder, or not make it where it is missing.
func (c *checker) stateFolder() error {
	folder := c.cfg.State
	if link, err := os.Readlink(folder); err == nil && !exists(folder) {
		return cli.Errorf("%[1]s 指向不存在的目录 %[2]s；请建立该目录或移走这个链接",
			"%[1]s leads to %[2]s, which is not there; make that folder, or move the link away", folder, link)
	}
	if err := c.unit.mayWrite(folder); err != nil {
		return err
	}
	made, err := keptfile.Standing(folder)
	if err != nil {
		return err
	}
	if made == filepath.Clean(folder) { // else the unit makes it, or the daemon in what is there
		if err := access(folder, unix.R_OK|unix.W_OK|unix.X_OK); err != nil {
			return err
		}
	}
	return ordinary(made)
}

// full says of a full disk that nothing can be recorded on it.
func (c *checker) full() {
	if folder, err := keptfile.Standing(c.cfg.State); err == nil {
		if err := room(folder); err != nil {
			c.note("state", "", cli.Because(err, "磁盘已满，按键评价无法记录；请腾出空间", "the disk is full, no key's answer can be recorded; free some room"))
		}
	}
}

// ordinary returns why what a folder lies on keeps no files, whoever writes them.
func ordinary(folder string) error {
	var s unix.Statfs_t
	switch err := unix.Statfs(folder, &s); {
	case err != nil:
		return &fs.PathError{Op: "statfs", Path: folder, Err: err}
	case ofKernel(uint32(s.Type)):
		return cli.Errorf("%s 由内核提供，不能存放文件；请用 /var/lib/ratingd 或 /run/ratingd 下的目录",
			"%s is the kernel's and keeps no files: take a folder under /var/lib/ratingd or /run/ratingd", folder)
	}
	return nil
}

// ofKernel reports whether a file system, by its magic number, is one in which the kernel shows itself (statfs(2)).
func ofKernel(magic uint32) bool {
	const configfs, mqueue = 0x62656570, 0x19800202
	switch magic {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC, unix.DEVPTS_SUPER_MAGIC,
		unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC, unix.SELINUX_MAGIC, unix.BPF_FS_MAGIC, unix.PSTOREFS_MAGIC,
		unix.EFIVARFS_MAGIC, unix.BINFMTFS_MAGIC, unix.HUGETLBFS_MAGIC, unix.NSFS_MAGIC, configfs, mqueue:
		return true
	}
	return false
}
