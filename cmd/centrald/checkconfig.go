package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"haochaping/internal/central/db"
	"haochaping/internal/cli"
	"haochaping/internal/keptfile"
	"haochaping/internal/porthold"
	"haochaping/internal/webhook"
)

// listener is an address at which the centre listens, and the field that names it.
type listener struct {
	field   string
	address address
}

// listeners returns where the centre of a configuration listens.
func (c config) listeners() (all []listener) {
	if c.Broker.URL == "" {
		all = append(all, listener{"broker.listen", c.Broker.Listen})
	}
	for _, d := range []listener{{"enrol.listen", c.Enrol.Listen}, {"rate.listen", c.Rate.Listen}, {"admin.listen", c.Admin.Listen},
		{"seal.listen", c.Seal.Listen}, {"cases.listen", c.Cases.Listen}, {"ops.listen", c.Ops.Listen}} {
		if d.address != "" {
			all = append(all, d)
		}
	}
	return all
}

// checkNamed returns what the centre would stumble over at its start in what the configuration names: files, folders, addresses and the
// database. It looks as the account that owns the state folder, which root becomes for good, and changes nothing.
func (c *command) checkNamed(ctx context.Context, cfg config) error {
	taken := cfg.takenListeners() // root sees who has them
	if err := becomeOwner(cfg.State); err != nil {
		return err
	}
	if err := errors.Join(cfg.checkFiles()...); err != nil {
		return &configurationError{errors.Join(err, taken)}
	}
	if err := taken; err != nil {
		return err
	}
	if at, _ := cfg.places(); strings.HasPrefix(at, "postgres:") {
		ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
		defer cancel()
		d, err := db.Open(ctx, at)
		if err == nil {
			err = errors.Join(d.Check(ctx), d.Close())
		}
		if err != nil {
			return cfg.sets.Fault("books", cli.Because(err, "数据库无法使用；见 docs/postgres.md", "the database cannot be used; see docs/postgres.md"))
		}
	}
	return nil
}

// checkFiles reads each file that the configuration names.
func (c config) checkFiles() (errs []error) {
	note := func(field, path string, err error) {
		if err != nil {
			errs = append(errs, c.sets.Fault(field, toRead(path, err)))
		}
	}
	readable := func(field, path string) {
		if path != "" {
			_, err := os.ReadFile(path)
			note(field, path, err)
		}
	}
	note("state", c.State, writable(c.State))
	if c.Broker.URL == "" && c.Broker.PasswordsFile != "" {
		_, err := passwords{path: c.Broker.PasswordsFile}.read()
		note("broker.passwords_file", c.Broker.PasswordsFile, err)
	}
	if c.Broker.URL != "" {
		readable("broker.password_file", c.Broker.PasswordFile)
	}
	for _, pair := range c.pairs() {
		if pair.cert != "" {
			_, err := (&renewed{certFile: pair.cert, keyFile: pair.key, now: time.Now}).certificate(nil)
			note(pair.field, pair.key, err)
		}
	}
	readable("broker.ca_file", c.Broker.CAFile)
	if _, err := catalogue(c.Rate.Catalogue); err != nil {
		note("rate.catalogue", c.Rate.Catalogue, err)
	}
	for _, f := range []struct{ field, path string }{{"cases.tokens_file", c.Cases.TokensFile}, {"ops.tokens_file", c.Ops.TokensFile},
		{"seal.tokens_file", c.Seal.TokensFile}} {
		if f.path != "" {
			_, err := tokens{path: f.path}.read()
			note(f.field, f.path, err)
		}
	}
	readable("admin.oidc.client_secret_file", c.Admin.OIDC.ClientSecretFile)
	readable("admin.oidc.ca_file", c.Admin.OIDC.CAFile)
	for _, h := range []struct{ field, url, path string }{{"alerts.webhook_secret_file", c.Alerts.URL, c.Alerts.SecretFile},
		{"orders.webhook_secret_file", c.Orders.URL, c.Orders.SecretFile},
		{"subscriptions.webhook_secret_file", c.Subscriptions.URL, c.Subscriptions.SecretFile}} {
		if h.url == "" {
			continue
		}
		text, err := os.ReadFile(h.path)
		if err == nil {
			_, err = webhook.ParseSecret(string(text))
		}
		note(h.field, h.path, err)
	}
	if c.Subscriptions.Mail.Server != "" {
		readable("subscriptions.mail.password_file", c.Subscriptions.Mail.PasswordFile)
		if _, err := outward(c.Subscriptions.Mail.CA); err != nil {
			note("subscriptions.mail.ca_file", c.Subscriptions.Mail.CA, err)
		}
	}
	if _, err := outward(c.Above.CA); err != nil {
		note("above.ca", c.Above.CA, err)
	}
	if field, path, err := c.Upward.checkFiles(c.State); err != nil {
		note(field, path, err)
	}
	for _, f := range []struct{ field, path string }{{"deadline.sms.file", c.Deadline.SMS.File}, {"addresses_file", c.Addresses}} {
		if f.path != "" {
			note(f.field, filepath.Dir(f.path), unix.Access(filepath.Dir(f.path), unix.W_OK|unix.X_OK))
		}
	}
	return errs
}

// toRead adds to an error about a file how the account that runs the centre gets it.
func toRead(path string, err error) error {
	who := strconv.Itoa(os.Geteuid())
	if u, e := user.LookupId(who); e == nil {
		who = u.Username
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		mend := fmt.Sprintf("chown root:%s %s && chmod 640 %[2]s", who, path)
		return cli.Because(err, fmt.Sprintf("用户 %s 不能使用 %s；%s", who, path, mend),
			fmt.Sprintf("the account %s may not use %s; %s", who, path, mend))
	case errors.Is(err, fs.ErrNotExist):
		return cli.Because(err, path+" 不存在；请创建，或从配置中删去", path+" does not exist; make it, or leave it out of the configuration")
	}
	return err
}

// writable returns why a folder cannot hold files, or not be made where it is missing.
func writable(folder string) error {
	folder, err := keptfile.Standing(folder)
	if err != nil {
		return err
	}
	if err := unix.Access(folder, unix.W_OK|unix.X_OK); err != nil {
		return &fs.PathError{Op: "write to", Path: folder, Err: err}
	}
	return nil
}

// becomeOwner gives this process the account of a folder's owner, if root asks and the folder belongs to somebody else.
func becomeOwner(folder string) error {
	info, err := os.Stat(folder)
	if err != nil || os.Geteuid() != 0 {
		return nil // a folder that cannot be seen is looked at later
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok || s.Uid == 0 {
		return nil
	}
	gid, groups := int(s.Gid), []int(nil)
	if u, err := user.LookupId(strconv.Itoa(int(s.Uid))); err == nil {
		ids, _ := u.GroupIds() // its own group is enough
		for _, id := range append(ids, u.Gid) {
			if n, err := strconv.Atoi(id); err == nil {
				groups, gid = append(groups, n), n
			}
		}
	}
	if err := errors.Join(syscall.Setgroups(groups), syscall.Setgid(gid), syscall.Setuid(int(s.Uid))); err != nil {
		return fmt.Errorf("become the owner of %s: %w", folder, err)
	}
	return nil
}

// takenListeners returns which addresses cannot be listened at. A centre that runs has its own.
func (c config) takenListeners() error {
	var errs []error
	all := c.listeners()
	for i, d := range all {
		same := false
		for _, before := range all[:i] {
			if sameDoor(string(before.address), string(d.address)) {
				same = true
				errs = append(errs, c.sets.Errorf(d.field, "与 %s 是同一端口；请改其中一个", "it has the port of %s; change one of them", before.field))
			}
		}
		l, err := bind(string(d.address))
		if err == nil {
			err = l.Close()
		}
		if err == nil || same || errors.Is(err, syscall.EADDRINUSE) &&
			(c.holds(string(d.address)) || d.field == "broker.listen" && speaksMQTT(string(d.address))) {
			continue // what is said of a broker, checkConfig says
		}
		errs = append(errs, c.sets.Fault(d.field, err))
	}
	return errors.Join(errs...)
}

// holds reports whether a centre that runs has an address: by its program's name, or where that is hidden by the owner of the state folder.
func (c config) holds(address string) bool {
	h, _, err := porthold.At("/proc", address)
	if err != nil || h.PID != 0 {
		return err == nil && h.Program == "centrald"
	}
	info, err := os.Stat(c.State)
	if err != nil {
		return false
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && h.UID == int(s.Uid)
}

// sameDoor reports whether two addresses cannot both be listened at.
func sameDoor(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	anyHost := func(host string) bool {
		ip, err := netip.ParseAddr(host)
		return host == "" || err == nil && ip.IsUnspecified()
	}
	return errA == nil && errB == nil && portA == portB && portA != "0" && (hostA == hostB || anyHost(hostA) || anyHost(hostB))
}

// bind listens at an address. Its error says who has it, and what to do.
func bind(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err == nil {
		return l, nil
	}
	return nil, hintBind(address, err)
}

// hintBind adds to an error of listening what it means and what to do.
func hintBind(address string, err error) error {
	host, port, _ := net.SplitHostPort(address) // empty is as good
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		h, _, e := porthold.At("/proc", address)
		if e != nil {
			return err
		}
		return cli.Because(err, fmt.Sprintf("端口 %s 被%s占用；停掉它，或在此写另一个端口", port, h.ZH()),
			fmt.Sprintf("port %s is taken by %s; stop it, or write another port here", port, h.EN()))
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return cli.Because(err, fmt.Sprintf("本机没有地址 %s；写本机的地址，或写 :%s 表示全部地址", host, port),
			fmt.Sprintf("this machine has no address %s; write one that it has, or :%s for all", host, port))
	case errors.Is(err, fs.ErrPermission):
		return cli.Because(err, fmt.Sprintf("本用户不能使用 1024 以下的端口 %s；写另一个端口", port),
			fmt.Sprintf("this account may not have the port %s, which is below 1024; write another one", port))
	}
	return err
}

// hintBroker is hintBind for the built-in broker, beside which another one may run.
func hintBroker(address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) && speaksMQTT(address) {
		return hintTaken(address, err)
	}
	return hintBind(address, err)
}

// speaksMQTT reports whether whoever listens at an address answers as an MQTT broker does, be it by a refusal.
func speaksMQTT(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }() // nothing was sent that matters
	login := []byte("\x10\x16\x00\x04MQTT\x04\x02\x00\x3c\x00\x0ahcp-anyone")
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return false
	}
	if _, err := conn.Write(login); err != nil {
		return false
	}
	answer := make([]byte, 2)
	_, err = io.ReadFull(conn, answer)
	return err == nil && bytes.Equal(answer, []byte{0x20, 2})
}
