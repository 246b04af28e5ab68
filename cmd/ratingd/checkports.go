package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"syscall"

	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/porthold"
)

// portField is an address that a box listens at, and what names it.
type portField struct{ field, address string }

// listens returns the addresses that a box with a configuration listens at.
func listens(cfg boxconfig.Config) (all []portField) {
	for _, p := range []portField{
		{"screen.browser", cfg.Screen.Browser}, {"window_api.listen", cfg.WindowAPI.Listen},
		{"window_api.lan_listen", cfg.WindowAPI.LANListen}, {"operations.listen", cfg.Operations.Listen},
	} {
		if p.address != "" {
			all = append(all, p)
		}
	}
	return all
}

// tryPort returns why an address cannot be listened at.
func tryPort(address string) error {
	l, err := (&net.ListenConfig{Control: freeBind}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// takenPorts returns which addresses another program has, or another part of this box. A box that runs has its own.
func takenPorts(cfg boxconfig.Config) []error {
	var errs []error
	all := listens(cfg)
	for i, p := range all {
		for _, before := range all[:i] {
			if sameDoor(before.address, p.address) {
				errs = append(errs, cfg.Lines.Errorf(p.field, "与 %s 端口相同，只有一个能用；请改其中一个",
					"it has the port of %s, and one of them alone works; change one", before.field))
			}
		}
		err := tryPort(p.address)
		switch {
		case err == nil, errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EADDRINUSE) && ownPort(p.address, cfg.State):
		default:
			errs = append(errs, cfg.Lines.Errorf(p.field, "%v；停掉它，或在此写另一个端口", "%v; stop it, or write another port here",
				portTaken(p.address, err)))
		}
	}
	return errs
}

// sameDoor reports whether two addresses cannot both be listened at.
func sameDoor(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	return hostA == hostB || anyHost(hostA) || anyHost(hostB)
}

func anyHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// ports looks for those that the service's user may not have.
func (c *checker) ports() {
	for _, p := range listens(c.cfg) {
		if err := tryPort(p.address); errors.Is(err, fs.ErrPermission) {
			c.note(p.field, "", cli.Because(err, "服务的用户 "+c.unit.user+" 不能用 1024 以下的端口；请换一个",
				"the service's user "+c.unit.user+" may not have a port below 1024; take another"))
		}
	}
}

// ownPort reports whether a running ratingd has a port: by its name, or where that is hidden by the account that owns the
// state folder.
func ownPort(address, state string) bool {
	h, _, err := porthold.At("/proc", address)
	if err != nil {
		return false
	}
	if h.PID != 0 {
		return h.Program == "ratingd"
	}
	info, err := os.Stat(state)
	if err != nil {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && h.UID == int(owner.Uid)
}
