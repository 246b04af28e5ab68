package testkit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
)

// lowestPort is the first of those that FreeAddress gives.
const lowestPort = 10_000

// FreeAddress returns an address of loopback at which nobody listens, and which is given to nobody else as long as this process runs: its
// port is none that the kernel gives by itself to connections and listeners, and whoever asks here holds it by a name in the kernel.
func FreeAddress() (string, error) {
	end := kernelsPorts()
	for range 1000 {
		port := lowestPort + rand.IntN(end-lowestPort)
		taken, err := hold(port)
		if err != nil {
			return "", fmt.Errorf("hold port %d: %w", port, err)
		}
		if taken {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue // another program's
		}
		return l.Addr().String(), l.Close()
	}
	return "", fmt.Errorf("no port from %d to %d is free", lowestPort, end-1)
}

// kernelsPorts returns the first port that the kernel gives by itself.
func kernelsPorts() int {
	const usual = 32_768
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return usual
	}
	var first int
	if _, err := fmt.Sscan(string(text), &first); err != nil || first < 2*lowestPort {
		return usual // of so many, hardly one is met
	}
	return first
}

// hold takes the name of a port in the kernel, in the network namespace of the port, until the process ends. It reports whether another
// holds it.
func hold(port int) (taken bool, err error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	err = syscall.Bind(fd, &syscall.SockaddrUnix{Name: "@haochaping-test-port-" + strconv.Itoa(port)})
	if err == nil {
		return false, nil // and stays open
	}
	_ = syscall.Close(fd) // which has held nothing
	if errors.Is(err, syscall.EADDRINUSE) {
		return true, nil
	}
	return false, err
}

// Address is FreeAddress for a test.
func Address(t testing.TB) string {
	t.Helper()
	address, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}
