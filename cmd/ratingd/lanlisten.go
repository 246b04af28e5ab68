package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// listenLAN listens at an address of the hall's network, also while no interface has it: the network may come after the box,
// or go, and the window must work all the same. An empty address is none.
func listenLAN(ctx context.Context, address string, log *slog.Logger) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	l, err := (&net.ListenConfig{Control: freeBind}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if at, err := netip.ParseAddrPort(address); err == nil && !hasAddress(at.Addr()) {
		log.Warn("no network interface has the address of window_api.lan_listen yet; the window's PC reaches the box once one does", "address",
			at.Addr())
	}
	return l, nil
}

// freeBind lets a socket have an address that the machine does not have yet.
func freeBind(_, _ string, c syscall.RawConn) error {
	var set error
	err := c.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1) })
	if err = errors.Join(err, set); err != nil {
		return fmt.Errorf("bind before the network is there: %w", err)
	}
	return nil
}

// hasAddress reports whether some interface has an address, or might.
func hasAddress(a netip.Addr) bool {
	if a.IsUnspecified() {
		return true
	}
	all, err := net.InterfaceAddrs()
	return err != nil || slices.ContainsFunc(all, func(n net.Addr) bool {
		p, err := netip.ParsePrefix(n.String())
		return err == nil && p.Addr() == a.WithZone("")
	})
}
