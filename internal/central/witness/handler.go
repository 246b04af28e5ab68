package witness

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"haochaping/internal/central/journal"
)

// height is that of the tiles.
const height = 8

// Seal is what the handler needs of the journal.
type Seal interface {
	LastCheckpoint(context.Context) (journal.Checkpoint, error)
	Tile(ctx context.Context, level int, n int64, w int) ([]byte, error)
	Restores(context.Context) ([]journal.Proof, error)
}

// Handler serves /checkpoint, /tile/8/L/N, and /restores, the proofs of the rows by which the journal goes on under another name. It is
// safe for concurrent use.
func Handler(s Seal) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /checkpoint", func(w http.ResponseWriter, r *http.Request) {
		c, err := s.LastCheckpoint(r.Context())
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		answer(w, c.Signed, err)
	})
	m.HandleFunc("GET /restores", func(w http.ResponseWriter, r *http.Request) {
		all, err := s.Restores(r.Context())
		var b []byte
		if err == nil {
			b, err = json.Marshal(all)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		answer(w, b, err)
	})
	m.HandleFunc("GET /tile/", func(w http.ResponseWriter, r *http.Request) {
		t, err := tlog.ParseTilePath(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil || t.H != height || t.L < 0 {
			http.Error(w, "there is no such tile", http.StatusNotFound)
			return
		}
		b, err := s.Tile(r.Context(), t.L, t.N, t.W)
		w.Header().Set("Content-Type", "application/octet-stream")
		answer(w, b, err)
	})
	return m
}

func answer(w http.ResponseWriter, b []byte, err error) {
	switch {
	case errors.Is(err, journal.ErrNoEntry):
		http.Error(w, "not there yet", http.StatusNotFound)
	case err != nil:
		http.Error(w, "the journal cannot be read at present", http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		_, _ = w.Write(b) // a failing write means that the reader is gone
	}
}
