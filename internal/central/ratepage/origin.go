package ratepage

import (
	"cmp"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// posted reads a form that was sent from a page of ours. If it returns false it has answered.
func (p *Page) posted(w http.ResponseWriter, r *http.Request) bool {
	if !sameSite(r, p.cfg.Base) {
		p.foreign.Do(func() { p.cfg.Logger.Warn(foreignForm, "origin", r.Header.Get("Origin"), "host", r.Host) })
		p.say(w, elsewhere)
		return false
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && kind == "application/x-www-form-urlencoded" {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		err = r.ParseForm()
	} else {
		err = errForm
	}
	if err != nil {
		p.say(w, notOurForm)
	}
	return err == nil
}

const foreignForm = "a form that another site has sent is refused; a proxy before this page must pass the host on (docs/proxy.md), or " +
	"rate.base name it"

// sameSite reports whether the form was sent from a page of ours. The link itself is the permission, so this only keeps
// other sites from using a link that they got hold of through somebody's browser. Browsers send "Origin: null" with a form
// on a page whose Referrer-Policy is no-referrer, which is ours; then Sec-Fetch-Site tells, where the browser knows it.
//
// Base is the origin at which phones find the page, empty where that is not known.
func sameSite(r *http.Request, base string) bool {
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
	host, _ := hostPort(r.Host)
	// A phone asks for no loopback address: a proxy has put its own target there, and what the phone asked for is not known.
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() || strings.EqualFold(host, "localhost") {
		return true
	}
	return strings.EqualFold(origin, base) || sameHost(u, r.Host) ||
		slices.ContainsFunc(strings.Split(strings.Join(r.Header.Values("X-Forwarded-Host"), ","), ","), func(h string) bool {
			return sameHost(u, strings.TrimSpace(h)) // each proxy on the way adds one
		})
}

// sameHost reports whether an origin is at a host. A host without a port may be at any: nginx' $host leaves it out.
func sameHost(origin *url.URL, host string) bool {
	usual := map[string]string{"https": "443", "http": "80"}[origin.Scheme]
	name, port := hostPort(host)
	return usual != "" && strings.EqualFold(origin.Hostname(), name) && (port == "" || port == cmp.Or(origin.Port(), usual))
}

// hostPort splits what stands in a Host header. The port is empty if none does.
func hostPort(s string) (host, port string) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return strings.Trim(s, "[]"), ""
	}
	return host, port
}
