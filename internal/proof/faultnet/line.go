//go:build linux

package faultnet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ErrUnable says that this machine or this user cannot make network namespaces or tunnels.
var ErrUnable = errors.New("faultnet: this kernel or user cannot make a network namespace with a tunnel")

// Conditions are how a Line carries packets, in each direction.
type Conditions struct {
	Delay time.Duration
	Loss  float64 // of packets, 0 to 1
	Rate  int     // bytes in a second; 0: no bound
}

// maxQueue is how long a packet may wait for a line that is busy, as in the modem of a telephone network.
const maxQueue = 5 * time.Second

// Line is a network of two machines, this one and a network namespace, and the wire between them. The wire is two tunnels
// and a loop in this process that passes IP packets from one to the other, so that the kernels' TCP is real, and nothing
// is needed that a kernel may lack, as netem often is.
type Line struct {
	Near, Far string // IP addresses of this machine and of the other
	space     string
	ends      [2]*os.File
	stopped   context.Context
	stop      context.CancelFunc
	moving    sync.WaitGroup

	mu         sync.Mutex
	conditions Conditions // guarded by mu
}

// NewLine makes a network 10.213.n.0/30. It needs the program ip (Debian package iproute2) and root.
func NewLine(n byte) (_ *Line, err error) {
	if _, err := exec.LookPath("ip"); err != nil {
		return nil, fmt.Errorf("faultnet: the Debian package iproute2 is not installed: %w", err)
	}
	l := &Line{Near: fmt.Sprintf("10.213.%d.1", n), Far: fmt.Sprintf("10.213.%d.2", n), space: fmt.Sprintf("fnet-%d-%d", os.Getpid(), n)}
	l.stopped, l.stop = context.WithCancel(context.Background())
	if err := ip("netns", "add", l.space); err != nil {
		return nil, errors.Join(ErrUnable, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	names := [2]string{fmt.Sprintf("fn%d-near", n), fmt.Sprintf("fn%d-far", n)}
	for i, name := range names {
		if l.ends[i], err = tunnel(name); err != nil {
			return nil, errors.Join(ErrUnable, err)
		}
	}
	far := []string{"-n", l.space}
	for _, words := range [][]string{
		{"addr", "add", l.Near + "/30", "dev", names[0]}, {"link", "set", names[0], "up"},
		{"link", "set", names[1], "netns", l.space}, append(far, "addr", "add", l.Far+"/30", "dev", names[1]),
		append(far, "link", "set", names[1], "up"), append(far, "link", "set", "lo", "up"),
	} {
		if err := ip(words...); err != nil {
			return nil, errors.Join(ErrUnable, err)
		}
	}
	l.moving.Go(func() { l.carry(l.ends[1], l.ends[0]) })
	l.moving.Go(func() { l.carry(l.ends[0], l.ends[1]) })
	return l, nil
}

// Set changes the conditions for the packets to come.
func (l *Line) Set(c Conditions) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conditions = c
}

// Command returns a command that runs on the far machine.
func (l *Line) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", l.space, name}, args...)...)
}

// Close takes the network away.
func (l *Line) Close() error {
	l.stop()
	var errs []error
	for _, f := range l.ends {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	l.moving.Wait()
	return errors.Join(append(errs, ip("netns", "delete", l.space))...)
}

// flight is a packet on its way.
type flight struct {
	arrival time.Time
	packet  []byte
}

// carry moves packets in one direction until the line is closed.
func (l *Line) carry(to, from *os.File) {
	way := make(chan flight, 1024)
	l.moving.Go(func() {
		for f := range way {
			select {
			case <-time.After(time.Until(f.arrival)):
				_, _ = to.Write(f.packet) // a machine whose interface is down loses it
			case <-l.stopped.Done():
			}
		}
	})
	defer close(way)
	free := time.Now() // when the wire has sent all before
	for b := make([]byte, 65536); ; {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		l.mu.Lock()
		c := l.conditions
		l.mu.Unlock()
		now := time.Now()
		if rand.Float64() < c.Loss || free.Sub(now) > maxQueue {
			continue
		}
		if free.Before(now) {
			free = now
		}
		if c.Rate > 0 {
			free = free.Add(time.Duration(n) * time.Second / time.Duration(c.Rate))
		}
		select {
		case way <- flight{free.Add(c.Delay), append([]byte(nil), b[:n]...)}:
		default:
		}
	}
}

// tunnel makes an interface whose packets are read from and written to the file.
func tunnel(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the tunnel %s: %w", name, err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), name), nil
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %v: %w: %s", args, err, out)
	}
	return nil
}
