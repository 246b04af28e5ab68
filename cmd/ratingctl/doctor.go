package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"haochaping/internal/boxconfig"
	"haochaping/internal/rating"
	"haochaping/store"
)

// leastFree is how much room a state folder must have to be called well, in bytes: some 100,000 records.
const leastFree = 64 << 20

// errSick is returned when something needs a hand.
var errSick = errors.New("something needs a hand; see the lines with ✗")

// asRoot is the advice where the doctor may not look.
const asRoot = "run this as root (sudo ratingctl doctor) or as the user that runs ratingd"

// check is one thing that the doctor looks at. It returns what was found, and what to do if that is not well.
type check struct {
	name string
	look func(ctx context.Context, c boxconfig.Config) (found, advice string)
}

// doctor looks at one part of the box after the other and says what to do. It may run while ratingd does.
func doctor(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := boxConfig("ratingctl doctor", args, stderr)
	if err != nil || c == nil {
		return err
	}
	sick := false
	for _, k := range []check{{"log", checkLog}, {"damage", checkAside}, {"disk", checkDisk}, {"key", checkKey}, {"clock", checkClock}, {"broker", checkBroker}} {
		found, advice := k.look(ctx, *c)
		mark := "✓"
		if advice != "" {
			mark, sick = "✗", true
		}
		if _, err := fmt.Fprintf(stdout, "%s %-7s %s\n", mark, k.name, found); err != nil {
			return err
		}
		if advice != "" {
			if _, err := fmt.Fprintf(stdout, "          → %s\n", advice); err != nil {
				return err
			}
		}
	}
	if sick {
		return errSick
	}
	return nil
}

func logPath(c boxconfig.Config) string { return filepath.Join(c.State, "log.db") }

// checkLog reads the whole log, as the daemon does once a day.
func checkLog(_ context.Context, c boxconfig.Config) (found, advice string) {
	n, err := store.Inspect(logPath(c))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is none yet", "start ratingd once"
	case errors.Is(err, fs.ErrPermission):
		return "it cannot be read", asRoot
	case err != nil:
		return err.Error(), "restart ratingd: it sets the damaged log aside, goes on with a new one and salvages what can be read"
	case n.Device != c.Device:
		return fmt.Sprintf("it is the log of the box %s", n.Device), "put the storage card back into that box; ratingd sets a foreign log aside and starts one of its own"
	}
	var oldest rating.Stamp
	count := 0
	if err := n.Records(0, func(r rating.Record, _ []byte) error {
		if count++; r.Seq == n.Released+1 {
			oldest = r.At
		}
		return nil
	}); err != nil {
		return err.Error(), "restart ratingd: it sets the damaged log aside, goes on with a new one and salvages what can be read"
	}
	found = fmt.Sprintf("%d records, all sound; at most %d wait for the centre", count, n.Last-min(n.Last, n.Released))
	if n.Last > n.Released && oldest.Synced {
		found += ", the oldest since " + oldest.Time().Format("2006-01-02 15:04")
	}
	return found, ""
}

func checkAside(_ context.Context, c boxconfig.Config) (found, advice string) {
	files, err := store.Aside(logPath(c))
	if err == nil && len(files) == 0 {
		_, err = os.ReadDir(c.State) // else nothing was found because nothing may be seen
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return c.State + " cannot be read", asRoot
	case errors.Is(err, fs.ErrNotExist):
		return "no log was ever set aside", ""
	case err != nil:
		return err.Error(), "look at the state folder " + c.State
	case len(files) == 0:
		return "no log was ever set aside", ""
	}
	found = "set aside because they were damaged:"
	for _, f := range files {
		found += "\n            " + f
		if info, err := os.Stat(f); err == nil {
			found += fmt.Sprintf("  %s, %d bytes", info.ModTime().Format("2006-01-02 15:04"), info.Size())
		}
	}
	return found, "the storage card may be dying: replace it. ratingctl log tells under \"damage\" and \"salvage\" what was read of these files; keep them until the centre misses nothing, then remove them"
}

func checkDisk(_ context.Context, c boxconfig.Config) (found, advice string) {
	var s unix.Statfs_t
	if err := unix.Statfs(c.State, &s); err != nil {
		return fmt.Sprintf("%s: %v", c.State, err), "make the state folder, or name another one in the configuration"
	}
	free := s.Bavail * uint64(s.Bsize)
	found = fmt.Sprintf("%d MB are free in %s", free>>20, c.State)
	switch {
	case s.Flags&unix.ST_RDONLY != 0:
		return found + ", which is read-only", "the keys are out of service. The system makes a failing disk read-only: look at dmesg, restart the box, replace the card"
	case free < leastFree:
		return found, "remove what does not belong there; without room the keys go out of service"
	}
	probe, err := os.CreateTemp(c.State, ".doctor-*")
	if errors.Is(err, fs.ErrPermission) {
		return found, ""
	}
	if err == nil {
		err = errors.Join(probe.Sync(), probe.Close(), os.Remove(probe.Name()))
	}
	if err != nil {
		return fmt.Sprintf("a file cannot be written to %s: %v", c.State, err), "replace the storage card"
	}
	return found, ""
}

func checkKey(_ context.Context, c boxconfig.Config) (found, advice string) {
	if _, err := os.Stat(filepath.Join(c.State, boxconfig.IdentityFile)); errors.Is(err, fs.ErrNotExist) {
		return "the box has no key yet", "start ratingd once, or run ratingctl identity, and enrol the box at the centre"
	}
	key, err := boxconfig.Identity(c.State)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "it cannot be read", asRoot
	case err != nil:
		return err.Error(), "restore the file from a copy, or remove it and enrol the box anew"
	}
	return "public key " + keyText(key), ""
}

func checkClock(_ context.Context, _ boxconfig.Config) (found, advice string) {
	now := time.Now().Format("2006-01-02 15:04:05 MST")
	var tx unix.Timex
	if state, err := unix.Adjtimex(&tx); err != nil || state == unix.TIME_ERROR || tx.Status&unix.STA_UNSYNC != 0 {
		return now + ", not synchronised", "evaluations are safe and their times are corrected later; to set the clock, give chrony or systemd-timesyncd a time server in the hall's network"
	}
	return now + ", synchronised", ""
}

func checkBroker(ctx context.Context, c boxconfig.Config) (found, advice string) {
	u, err := url.Parse(c.Uplink.Broker)
	if err != nil || u.Hostname() == "" {
		return fmt.Sprintf("uplink.broker is %q", c.Uplink.Broker), "write mqtts://host:port into the configuration"
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), map[string]string{"mqtt": "1883", "mqtts": "8883"}[u.Scheme])
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	began := time.Now()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		advice = "evaluations are kept until it is reached; look at the network cable, then ask the centre whether " + address + " is right"
		if dns := new(net.DNSError); errors.As(err, &dns) {
			advice = "the name is not known to the hall's DNS; look at the network, then at the spelling of uplink.broker"
		}
		return err.Error(), advice
	}
	_ = conn.Close() // it was only asked whether it opens
	return fmt.Sprintf("%s answers within %s", address, time.Since(began).Round(time.Millisecond)), ""
}
