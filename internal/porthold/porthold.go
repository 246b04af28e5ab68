// Package porthold finds out which program has a TCP port, by the kernel's list of sockets and the descriptors of processes.
// It tells what it may see: the processes of other users are often hidden, and then their account is all that is known.
package porthold

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// Holder is who has a port.
type Holder struct {
	Program string // its name, empty if it cannot be seen
	PID     int    // 0 if it cannot be seen
	UID     int    // of its account, -1 if nobody has the port
}

// At returns the port of an address, "host:port", and who listens at it.
func At(proc, address string) (Holder, uint16, error) {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return Holder{}, 0, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return Holder{}, 0, err
	}
	return Find(proc, uint16(port)), uint16(port), nil
}

// Find returns who listens at a TCP port. Proc is the folder of the processes, "/proc".
func Find(proc string, port uint16) Holder {
	h := Holder{UID: -1}
	inodes := make(map[string]bool)
	for _, name := range []string{"tcp", "tcp6"} {
		f, err := os.Open(filepath.Join(proc, "net", name))
		if err != nil {
			continue // a kernel without IPv6
		}
		for s := bufio.NewScanner(f); s.Scan(); {
			if inode, uid, ok := listener(s.Text(), port); ok {
				inodes["socket:["+inode+"]"] = true
				h.UID = uid
			}
		}
		_ = f.Close() // it was only read
	}
	if len(inodes) == 0 {
		return h
	}
	links, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	if err != nil {
		return h
	}
	for _, link := range links {
		to, err := os.Readlink(link)
		if err != nil || !inodes[to] {
			continue
		}
		process := filepath.Dir(filepath.Dir(link))
		h.PID, _ = strconv.Atoi(filepath.Base(process)) // a number, as it was found
		if b, err := os.ReadFile(filepath.Join(process, "comm")); err == nil {
			h.Program = strings.TrimSpace(string(b))
		}
		return h
	}
	return h
}

// listener reads a line of /proc/net/tcp (proc(5)): the inode and the account of a socket that listens at the port.
func listener(line string, port uint16) (inode string, uid int, ok bool) {
	const listening = "0A"
	f := strings.Fields(line)
	if len(f) < 10 || f[3] != listening {
		return "", 0, false
	}
	_, local, found := strings.Cut(f[1], ":")
	n, err := strconv.ParseUint(local, 16, 16)
	if !found || err != nil || uint16(n) != port {
		return "", 0, false
	}
	uid, err = strconv.Atoi(f[7])
	return f[9], uid, err == nil && uid >= 0
}

// ZH names the holder in Chinese.
func (h Holder) ZH() string {
	switch {
	case h.PID != 0:
		return fmt.Sprintf(" %s（进程 %d）", h.Program, h.PID)
	case h.UID >= 0:
		return fmt.Sprintf("用户 %s 的程序", h.account())
	}
	return "其他程序"
}

// EN names the holder in English.
func (h Holder) EN() string {
	switch {
	case h.PID != 0:
		return fmt.Sprintf("%s (process %d)", h.Program, h.PID)
	case h.UID >= 0:
		return fmt.Sprintf("a program of the user %s", h.account())
	}
	return "another program"
}

func (h Holder) account() string {
	id := strconv.Itoa(h.UID)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}
