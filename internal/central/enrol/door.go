package enrol

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"haochaping/internal/identity"
	"haochaping/internal/rating"
)

const (
	// Again is when a box that waits is to ask again.
	Again = 3 * time.Second
	// Later is when one is to ask again for which there is no room.
	Later = time.Minute
	// CodeHeader says under which code a box waits.
	CodeHeader = "Hcp-Code"
	// UntilHeader says until when, in seconds since 1970-01-01 UTC.
	UntilHeader = "Hcp-Code-Until"
	// DigitsHeader says which check digits its keys have.
	DigitsHeader = "Hcp-Check-Digits"
	// BoardHeader says on which board the box stands.
	BoardHeader = "Hcp-Board"
	// MovedHeader says that it has come there since it was accepted.
	MovedHeader = "Hcp-Moved"
	// TicketHeader has a ticket's file in base64url.
	TicketHeader = "Hcp-Ticket"
	// PassHeader says why neither a ticket nor a password lets the box in.
	PassHeader = "Hcp-Pass"
	// maxBoard bounds a board's name in bytes.
	maxBoard = 64
	// listPause is how long the door gives the same list of revoked certificates. A broker that reads it each fifteen seconds puts a box out
	// within a minute.
	listPause = 15 * time.Second
)

// door answers boxes.
type door struct {
	room   *Room
	logger *slog.Logger

	mu      sync.Mutex
	list    []byte                   // guarded by mu; of revoked certificates, signed; nil before somebody asks
	listed  time.Time                // guarded by mu; when it was signed
	sending map[rating.DeviceID]bool // guarded by mu; the boxes that send a bundle
}

// Handler serves EST (RFC 7030) and the list of revoked certificates, and takes what boxes were asked to send to support. Clients show
// their certificates by TLS, which ends here: no proxy may stand before.
func (r *Room) Handler(log *slog.Logger) http.Handler {
	d := &door{room: r, logger: log, sending: make(map[rating.DeviceID]bool)}
	m := http.NewServeMux()
	m.HandleFunc("GET /.well-known/est/cacerts", d.authorities)
	m.HandleFunc("POST /.well-known/est/simpleenroll", d.enrol)
	m.HandleFunc("POST /.well-known/est/simplereenroll", d.renew)
	m.HandleFunc("POST /.well-known/est/window/simpleenroll", d.window)
	m.HandleFunc("POST /bundle/{command}", d.bundle)
	m.HandleFunc("GET /revoked.crl", d.revoked)
	return m
}

// bag answers with certificates (section 4.1.3).
func (d *door) bag(w http.ResponseWriter, kind string, all ...*x509.Certificate) {
	der, err := identity.Bag(all...)
	if err != nil {
		d.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Transfer-Encoding", "base64")
	_, _ = io.WriteString(w, lines(der)) // a failing write means that the box is gone
}

// lines returns base64 in lines of 76 characters (RFC 2045, section 6.8).
func lines(der []byte) string {
	text := base64.StdEncoding.EncodeToString(der)
	var b bytes.Buffer
	for len(text) > 0 {
		n := min(len(text), 76)
		b.WriteString(text[:n])
		b.WriteString("\r\n")
		text = text[n:]
	}
	return b.String()
}

func (d *door) authorities(w http.ResponseWriter, _ *http.Request) {
	d.bag(w, "application/pkcs7-mime", d.room.authority.Root(), d.room.authority.Issuing())
}

// request reads what a box asks for.
func request(w http.ResponseWriter, r *http.Request) (q identity.Request, ok bool) {
	return requestOf(w, r, identity.ParseRequest)
}

func requestOf[T any](w http.ResponseWriter, r *http.Request, parse func([]byte) (T, error)) (q T, ok bool) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/pkcs10" {
		http.Error(w, "want application/pkcs10", http.StatusUnsupportedMediaType)
		return q, false
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 2*identity.MaxRequest))
	if err != nil {
		http.Error(w, "the request cannot be read", http.StatusBadRequest)
		return q, false
	}
	der, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(text), nil)))
	if err == nil {
		q, err = parse(der)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return q, false
	}
	return q, true
}

// enrol answers a box that has no certificate (section 4.2).
func (d *door) enrol(w http.ResponseWriter, r *http.Request) {
	q, ok := request(w, r)
	if !ok {
		return
	}
	board := r.Header.Get(BoardHeader)
	if len(board) > maxBoard || strings.ContainsFunc(board, func(c rune) bool { return c < '!' || c > '~' }) {
		http.Error(w, "the board's name is not allowed", http.StatusBadRequest)
		return
	}
	from := Origin{Address: addressOf(r), Board: board, Moved: r.Header.Get(MovedHeader) != "", Pass: passOf(r)}
	c, p, err := d.room.Ask(r.Context(), q, from)
	if errors.Is(err, ErrWaiting) {
		h := w.Header()
		h.Set("Retry-After", seconds(Again))
		h.Set(CodeHeader, p.Code)
		h.Set(UntilHeader, strconv.FormatInt(p.Until.Unix(), 10))
		h.Set(DigitsHeader, p.Digits)
		if p.orders != "" {
			h.Set(OrderHeader, p.orders)
		}
		if p.Word != "" {
			h.Set(PassHeader, string(p.Word))
			d.logger.Warn("what a box shows does not let it in; it waits under its code", "device", q.Device, "why", p.Word, "address", from.Address)
		}
		w.WriteHeader(http.StatusAccepted)
		return
	}
	d.answer(w, q.Device, c, err)
}

// renew answers a box that shows its certificate (section 4.2.2).
func (d *door) renew(w http.ResponseWriter, r *http.Request) {
	if len(r.TLS.PeerCertificates) == 0 {
		http.Error(w, "show the certificate that is to be renewed", http.StatusUnauthorized)
		return
	}
	q, ok := request(w, r)
	if !ok {
		return
	}
	c, err := d.room.Renew(r.Context(), q, r.TLS.PeerCertificates[0])
	d.answer(w, q.Device, c, err)
}

// window answers a box that asks for what its window's PC knows it by, under a label of its own (section 3.2.2).
func (d *door) window(w http.ResponseWriter, r *http.Request) {
	if len(r.TLS.PeerCertificates) == 0 {
		http.Error(w, "show the box's certificate", http.StatusUnauthorized)
		return
	}
	q, ok := requestOf(w, r, identity.ParseServerRequest)
	if !ok {
		return
	}
	c, err := d.room.Window(r.Context(), q, r.TLS.PeerCertificates[0])
	d.answer(w, q.Device, c, err)
}

func (d *door) answer(w http.ResponseWriter, device rating.DeviceID, c *x509.Certificate, err error) {
	switch {
	case err == nil:
		d.logger.Info("a box gets a certificate", "device", device, "until", c.NotAfter.UTC().Format(time.DateOnly))
		d.bag(w, "application/pkcs7-mime; smime-type=certs-only", c)
	case errors.Is(err, ErrFull):
		w.Header().Set("Retry-After", seconds(Later))
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	case errors.Is(err, ErrRefused):
		d.logger.Warn("a box is not let in", "device", device, "error", err)
		http.Error(w, err.Error(), http.StatusForbidden)
	default:
		d.fail(w, err)
	}
}

// revoked answers with the list of revoked certificates, for brokers elsewhere, and for PCs that read such lists.
func (d *door) revoked(w http.ResponseWriter, r *http.Request) {
	der, err := d.signed(r.Context())
	if err != nil {
		d.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/pkix-crl")
	_, _ = w.Write(der)
}

// signed returns the list of revoked certificates. Anybody may ask for it, so it is not read and signed for each.
func (d *door) signed(ctx context.Context) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if age := d.room.now().Sub(d.listed); d.list != nil && age >= 0 && age < listPause {
		return d.list, nil
	}
	der, err := d.room.List(ctx)
	if err != nil {
		return nil, err
	}
	d.list, d.listed = der, d.room.now()
	return der, nil
}

// List returns the list of revoked certificates, those for windows' PCs among them, in DER.
func (r *Room) List(ctx context.Context) ([]byte, error) {
	all, err := r.Revoked(ctx)
	if err != nil {
		return nil, err
	}
	windows, err := r.revokedWindows(ctx)
	if err != nil {
		return nil, err
	}
	return r.authority.List(append(all, windows...), r.now().Unix())
}

func (d *door) fail(w http.ResponseWriter, err error) {
	d.logger.Error("a box that asks for a certificate cannot be answered", "error", err)
	w.Header().Set("Retry-After", seconds(Later))
	http.Error(w, "the centre cannot answer now; try again later", http.StatusServiceUnavailable)
}

func seconds(t time.Duration) string { return fmt.Sprint(int(t / time.Second)) }

// addressOf returns from where a request comes: of IPv6 the network, since a machine has as many addresses as it likes of it.
func addressOf(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	addr := at.Addr().Unmap().WithZone("")
	if network, err := addr.Prefix(64); err == nil && addr.Is6() {
		return network.String()
	}
	return addr.String()
}
