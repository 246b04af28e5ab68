package ratepage

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// sameSite reports whether the form was sent from a page of ours. The link itself is the permission, so this only keeps
// other sites from using a link that they got hold of through somebody's browser. Browsers send "Origin: null" with a form
// on a page whose Referrer-Policy is no-referrer, which is ours; then Sec-Fetch-Site tells, where the browser knows it.
func sameSite(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin" || site == "none"
	}
	origin := r.Header.Get("Origin")
	if origin == "" || origin == "null" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	// A phone asks for no loopback address: a proxy has put its own target there, and what the phone asked for is not known.
	if ip := net.ParseIP(strings.Trim(host, "[]")); ip != nil && ip.IsLoopback() || host == "localhost" {
		return true
	}
	return sameHost(u, r.Host) || sameHost(u, r.Header.Get("X-Forwarded-Host"))
}

// sameHost reports whether an origin is at a host, whose port may be left out or not where it is the scheme's own.
func sameHost(origin *url.URL, host string) bool {
	usual := map[string]string{"https": ":443", "http": ":80"}[origin.Scheme]
	return usual != "" && strings.EqualFold(strings.TrimSuffix(origin.Host, usual), strings.TrimSuffix(host, usual))
}
