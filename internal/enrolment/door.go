package enrolment

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/identity"
)

// The door's paths (RFC 7030, section 3.2.2) and the headers by which the centre says under which code a box waits.
const (
	authorityPath = "/.well-known/est/cacerts"
	firstPath     = "/.well-known/est/simpleenroll"
	nextPath      = "/.well-known/est/simplereenroll"
	codeHeader    = "Hcp-Code"
	digitsHeader  = "Hcp-Check-Digits"
	// boardHeader says on which board the box stands, movedHeader that it has come there and asks to be accepted again.
	boardHeader = "Hcp-Board"
	movedHeader = "Hcp-Moved"
	// ticketHeader has a ticket's file in base64url, passHeader why neither it nor a password lets the box in.
	ticketHeader = "Hcp-Ticket"
	passHeader   = "Hcp-Pass"
	// orderHeader has what the box is to do, signed as a command is, in base64url.
	orderHeader = "Hcp-Order"
)

const (
	patience  = time.Minute // for one answer, also over a thin line
	leastWait = time.Second
	mostWait  = 10 * time.Minute
	maxWords  = 300 // bytes of what the door says in words
)

// errRefused says that the centre does not let the box in.
var errRefused = errors.New("the centre refuses")

// door is the centre's, as the box reaches it.
type door struct {
	cfg  Config
	name string // of the host
	base string
}

func newDoor(c Config) (door, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return door{}, fmt.Errorf("%q is not allowed; write https://host:port", c.URL)
	}
	return door{c, u.Hostname(), "https://" + u.Host}, nil
}

// answer is what the door says: a certificate, or under which code and for how long to wait.
type answer struct {
	leaf *x509.Certificate
	wait time.Duration
	code Code
	word string // why what was shown does not let the box in
	told []byte // what the box is to do, as it came
}

// question is what the door is asked.
type question struct {
	path  string
	body  []byte           // nil: there is none
	kind  string           // of the body; empty: a request for a certificate
	own   *tls.Certificate // that is shown, nil: none
	moved bool             // the box has come to another board
	pass  Pass             // by which it may be let in
}

// do asks a question and reads an answer of 200 or 202.
func (d door) do(ctx context.Context, q question) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	method := http.MethodGet
	if q.body != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, d.base+q.path, bytes.NewReader(q.body))
	if err != nil {
		return nil, nil, err
	}
	switch {
	case q.kind != "":
		r.Header.Set("Content-Type", q.kind)
	case q.body != nil:
		r.Header.Set("Content-Type", "application/pkcs10")
		r.Header.Set("Content-Transfer-Encoding", "base64")
	}
	if d.cfg.Board != "" {
		r.Header.Set(boardHeader, d.cfg.Board)
	}
	if q.moved {
		r.Header.Set(movedHeader, "1")
	}
	if q.pass.Serial != "" {
		r.SetBasicAuth(q.pass.Serial, q.pass.Password)
	}
	if q.pass.Ticket != "" {
		r.Header.Set(ticketHeader, base64.RawURLEncoding.EncodeToString([]byte(q.pass.Ticket)))
	}
	var show func(*tls.CertificateRequestInfo) (*tls.Certificate, error)
	if q.own != nil {
		show = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return q.own, nil }
	}
	transport := &http.Transport{TLSClientConfig: d.cfg.Trust.Config(d.name, show), DisableKeepAlives: true, Proxy: nil}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return nil, nil, fmt.Errorf("reach the centre's door %s: %w", d.base, err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read, or is given up
	text, err := io.ReadAll(io.LimitReader(resp.Body, 2*identity.MaxBag))
	if err != nil {
		return nil, nil, fmt.Errorf("read the centre's answer: %w", err)
	}
	words := strings.TrimSpace(strings.ToValidUTF8(string(text[:min(len(text), maxWords)]), "?"))
	switch resp.StatusCode {
	case http.StatusOK, http.StatusAccepted:
		return resp, text, nil
	case http.StatusForbidden, http.StatusUnauthorized:
		return nil, nil, fmt.Errorf("%w: %q", errRefused, words)
	}
	return nil, nil, fmt.Errorf("the centre's door answers %s: %q", resp.Status, words)
}

// ask asks for a certificate. The request is made here.
func (d door) ask(ctx context.Context, q question) (a answer, err error) {
	der, err := identity.NewRequest(d.cfg.Device, d.cfg.Key, d.cfg.Record)
	if err != nil {
		return a, err
	}
	q.body = []byte(base64.StdEncoding.EncodeToString(der))
	resp, text, err := d.do(ctx, q)
	if err != nil {
		return a, err
	}
	if resp.StatusCode == http.StatusAccepted {
		a.word = resp.Header.Get(passHeader)
		a.code = Code{letters(resp.Header.Get(codeHeader)), numbers(resp.Header.Get(digitsHeader))}
		seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		if err != nil || a.code.Text == "" {
			return a, errors.New("the centre's door says neither yes nor under which code to wait")
		}
		if a.told, err = base64.RawURLEncoding.DecodeString(resp.Header.Get(orderHeader)); err != nil {
			a.told = nil // what is no order is none; the code is shown all the same
		}
		a.wait = min(max(time.Duration(seconds)*time.Second, leastWait), mostWait)
		return a, nil
	}
	all, err := parseBag(text)
	if err != nil {
		return a, err
	}
	for _, c := range all {
		if identity.Is(c, d.cfg.Key) {
			a.leaf = c
			return a, nil
		}
	}
	return a, errors.New("the centre's answer has no certificate of this box's key")
}

// between returns the authorities below the root.
func (d door) between(ctx context.Context) (out []*x509.Certificate, err error) {
	_, text, err := d.do(ctx, question{path: authorityPath})
	if err != nil {
		return nil, err
	}
	all, err := parseBag(text)
	for _, c := range all {
		if !bytes.Equal(c.RawIssuer, c.RawSubject) {
			out = append(out, c)
		}
	}
	return out, err
}

// parseBag reads certificates as EST sends them.
func parseBag(text []byte) ([]*x509.Certificate, error) {
	der, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(text), nil)))
	if err != nil {
		return nil, fmt.Errorf("the centre's answer: %w", err)
	}
	return identity.ParseBag(der)
}

// letters returns a code that may be shown, else nothing.
func letters(s string) string {
	const most = 12
	if len(s) > most || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		return ""
	}
	return s
}

func numbers(s string) string {
	const want = 4
	if len(s) != want || strings.Trim(s, "0123456789") != "" {
		return ""
	}
	return s
}
