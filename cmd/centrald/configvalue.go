package main

import (
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"haochaping/internal/cli"
	"haochaping/internal/rating"
)

// address is host:port, where the host may be empty for all interfaces and the port 0 for any.
type address string

// UnmarshalText checks an address.
func (a *address) UnmarshalText(b []byte) error {
	if _, _, err := splitAddress(string(b)); err != nil {
		return err
	}
	*a = address(b)
	return nil
}

func splitAddress(s string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(s)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return "", "", cli.Errorf("%q 不是地址；请写 主机:端口，如 \"127.0.0.1:8080\" 或 \":8080\"",
			"%q is no address; write host:port, as \"127.0.0.1:8080\" or \":8080\"", s)
	}
	return host, port, nil
}

// exposed reports whether other machines reach an address. What is no address is said elsewhere.
func (a address) exposed() bool {
	_, _, err := splitAddress(string(a))
	return err == nil && new(loopback).UnmarshalText([]byte(a)) != nil
}

// loopback is an address that only this machine reaches.
type loopback string

// UnmarshalText checks a loopback address.
func (l *loopback) UnmarshalText(b []byte) error {
	host, _, err := splitAddress(string(b))
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return cli.Errorf("不能是 %q；请写本机地址，如 \"127.0.0.1:8081\"", "%q is not allowed; write a loopback address, as \"127.0.0.1:8081\"", b)
	}
	*l = loopback(b)
	return nil
}

// network is an IP address, or a network as 10.0.0.0/8.
type network string

func (n network) prefix() (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(string(n)); err == nil {
		return p.Masked(), nil
	}
	ip, err := netip.ParseAddr(string(n))
	if err != nil {
		return netip.Prefix{}, cli.Errorf("不能是 %q；请写地址或网络，如 \"10.1.2.3\" 或 \"10.1.0.0/16\"",
			"%q is not allowed; write an address or a network, as \"10.1.2.3\" or \"10.1.0.0/16\"", string(n))
	}
	return ip.Unmap().Prefix(ip.Unmap().BitLen())
}

// UnmarshalText checks a network.
func (n *network) UnmarshalText(b []byte) error {
	if _, err := network(b).prefix(); err != nil {
		return err
	}
	*n = network(b)
	return nil
}

// booksURL is where journal and books are.
type booksURL string

// UnmarshalText checks the address of a database.
func (u *booksURL) UnmarshalText(b []byte) error {
	s := string(b)
	if folder, ok := strings.CutPrefix(s, "sqlite:"); ok && (folder == "" || strings.HasPrefix(folder, "/")) ||
		strings.HasPrefix(s, "postgres://") {
		*u = booksURL(b)
		return nil
	}
	return cli.Error("没有这样的位置；请写 \"sqlite:\"（状态文件夹中的文件）、\"sqlite:/文件夹\" 或 \"postgres://用户@主机1,主机2/数据库\"",
		"no such place; write \"sqlite:\" for files in the state folder, \"sqlite:/folder\", or \"postgres://user@host1,host2/database\"")
}

// brokerURL is where an MQTT broker is, empty for the built-in one.
type brokerURL string

// UnmarshalText checks a broker's URL.
func (u *brokerURL) UnmarshalText(b []byte) error {
	v, err := url.Parse(string(b))
	if len(b) > 0 && (err != nil || v.Host == "" || v.Scheme != "mqtt" && v.Scheme != "mqtts" || v.User != nil ||
		strings.Trim(v.Path, "/") != "") {
		return cli.Errorf("不能是 %q；请写 mqtts://主机:8883 或 mqtt://主机:1883", "%q is not allowed; write mqtts://host:8883 or mqtt://host:1883", b)
	}
	*u = brokerURL(b)
	return nil
}

// origin is scheme://host[:port], as a browser compares it.
type origin string

// UnmarshalText checks an origin.
func (o *origin) UnmarshalText(b []byte) error {
	v, err := url.Parse(string(b))
	if err != nil || v.Host == "" || v.Scheme != "http" && v.Scheme != "https" || string(b) != v.Scheme+"://"+v.Host ||
		strings.ContainsAny(v.Host, "*;, '\"") {
		return cli.Errorf("不能是 %q；请写不带路径的来源，如 \"https://admin.example.com\"",
			"%q is not allowed; write an origin without a path, as \"https://admin.example.com\"", b)
	}
	*o = origin(b)
	return nil
}

// hostName is a host's name in small letters.
type hostName string

// UnmarshalText checks a host's name.
func (h *hostName) UnmarshalText(b []byte) error {
	s := strings.ToLower(string(b))
	if s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return cli.Errorf("不能是 %q；请写不带端口的主机名，如 \"admin.example.com\"",
			"%q is not allowed; write a host's name without port, as \"admin.example.com\"", b)
	}
	*h = hostName(s)
	return nil
}

// reasonSet names a set of reasons.
type reasonSet rating.ReasonSet

// UnmarshalText checks a set's name.
func (r *reasonSet) UnmarshalText(b []byte) error {
	allowed := []string{string(rating.CoreReasons), string(rating.ExtendedReasons)}
	if !slices.Contains(allowed, string(b)) {
		return cli.Errorf("不能是 %q；可写 %s", "%q is not allowed; allowed are %s", b, strings.Join(allowed, ", "))
	}
	*r = reasonSet(b)
	return nil
}

// logLevel is how much is logged.
type logLevel slog.Level

// UnmarshalText checks a level's name.
func (l *logLevel) UnmarshalText(b []byte) error {
	allowed := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	v, ok := allowed[string(b)]
	if !ok {
		return cli.Errorf("不能是 %q；可写 debug、info、warn、error", "%q is not allowed; allowed are debug, info, warn, error", b)
	}
	*l = logLevel(v)
	return nil
}
