package replica

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"haochaping/internal/central/journal"
)

// Source is what is served of a journal.
type Source interface {
	NextCheckpoint(ctx context.Context, size int64) (journal.Checkpoint, error)
	WritePage(ctx context.Context, w io.Writer, after, last int64) error
}

// Handler serves /head?after=N, the first signed head over more than N rows, and /rows?after=N&to=M, a page of rows, to those whom allow
// knows by their bearer token. It is safe for concurrent use.
func Handler(s Source, allow func(token string) bool, log *slog.Logger) http.Handler {
	h := handler{s, log, make(chan struct{}, atOnce)}
	m := http.NewServeMux()
	m.HandleFunc("GET /head", h.head)
	m.HandleFunc("GET /rows", h.rows)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || !allow(token) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "whoever copies the journal needs a token, whose SHA-256 stands in the centre's seal.tokens_file", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		m.ServeHTTP(w, r)
	})
}

// atOnce is how many pages are made at once; each may take some megabytes.
const atOnce = 2

type handler struct {
	source Source
	log    *slog.Logger
	turns  chan struct{}
}

// number reads a number of rows.
func number(r *http.Request, name string) (int64, error) {
	n, err := strconv.ParseInt(r.URL.Query().Get(name), 10, 64)
	if err == nil && n < 0 {
		err = errors.New("it is below 0")
	}
	return n, err
}

func (h handler) head(w http.ResponseWriter, r *http.Request) {
	after, err := number(r, "after")
	if err != nil {
		http.Error(w, "after is a number of rows", http.StatusBadRequest)
		return
	}
	c, err := h.source.NextCheckpoint(r.Context(), after)
	if errors.Is(err, journal.ErrNoEntry) {
		http.Error(w, "no such head is signed yet", http.StatusNotFound)
		return
	}
	if err != nil {
		h.away(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(c.Signed) // a failing write means that the reader is gone
}

func (h handler) rows(w http.ResponseWriter, r *http.Request) {
	after, err := number(r, "after")
	to, also := number(r, "to")
	if err != nil || also != nil || to <= after {
		http.Error(w, "after and to are numbers of rows, to the greater one", http.StatusBadRequest)
		return
	}
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	case <-r.Context().Done():
		return
	}
	var page bytes.Buffer
	if err := h.source.WritePage(r.Context(), &page, after, to); err != nil {
		h.away(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/zstd")
	w.Header().Set("Content-Length", strconv.Itoa(page.Len()))
	_, _ = w.Write(page.Bytes())
}

func (h handler) away(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		h.log.Error("a copy of the journal has to wait", "error", err)
	}
	http.Error(w, "the journal cannot be read at present", http.StatusServiceUnavailable)
}
