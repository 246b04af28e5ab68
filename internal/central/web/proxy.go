package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// client is who sent a request, seen through the proxies that are trusted.
type client struct {
	ip    netip.Addr // the zero one if it is not known
	https bool
	local bool // it is this machine, and nothing says that somebody else asks through it
}

// client reads X-Forwarded-For and X-Forwarded-Proto where a trusted proxy wrote them. The nearest address that is no such proxy is the
// client's: what stands before it anybody may have written.
func (s *Site) client(r *http.Request) client { return clientOf(r, s.cfg.Proxies) }

// Address returns the address from which a request comes, seen through the proxies that are trusted; the zero one if it is not known.
func Address(r *http.Request, proxies []netip.Prefix) netip.Addr { return clientOf(r, proxies).ip }

func clientOf(r *http.Request, proxies []netip.Prefix) client {
	c := client{https: r.TLS != nil}
	trusted := func(ip netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(ip) })
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return c
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return c
	}
	c.ip = ip.Unmap()
	if !trusted(c.ip) {
		c.local = c.ip.IsLoopback() && !forwarded(r.Header)
		return c
	}
	c.https = c.https || lastWord(r.Header.Values("X-Forwarded-Proto")) == "https"
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		ip, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break // nothing before it can be believed
		}
		c.ip = ip.Unmap()
		if !trusted(c.ip) {
			break
		}
	}
	return c
}

// forwarded reports whether somebody says that they pass a request on, also one whom the configuration does not know.
func forwarded(h http.Header) bool {
	for name := range h {
		if name == "Forwarded" || strings.HasPrefix(name, "X-Forwarded-") {
			return true
		}
	}
	return false
}

// lastWord returns what the nearest proxy wrote.
func lastWord(values []string) string {
	all := strings.Split(strings.Join(values, ","), ",")
	return strings.ToLower(strings.TrimSpace(all[len(all)-1]))
}

// secure reports whether nobody on the way can read along.
func (c client) secure() bool { return c.https || c.local }

// address is what failures are counted by: an IPv4 address, or the network of 64 bits that one IPv6 customer has.
func (c client) address() string {
	if c.ip.Is6() {
		if p, err := c.ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	if !c.ip.IsValid() {
		return ""
	}
	return c.ip.String()
}
