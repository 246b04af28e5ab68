package fleet_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/fleet"
	"haochaping/internal/webhook"
)

// TestRefusedAlertsHideNone has a server refuse as many alerts as are posted at once, or not answer one of them: what comes later is told.
func TestRefusedAlertsHideNone(t *testing.T) {
	h := newHall(t)
	enter := func(id string, at time.Time) []any { return []any{id, at.UnixMilli()} }
	rows := [][]any{enter("later", h.now.Add(-time.Minute))}
	for i := range 500 {
		rows = append(rows, enter(fmt.Sprintf("refused-%03d", i), h.now.Add(-time.Hour)))
	}
	err := h.journal.DB().Write(t.Context(), func(tx *db.Tx) error {
		return tx.Each(t.Context(), `INSERT INTO fleet_alert (id, kind, device, hall, area, name, detail, since, opened)
			VALUES ($1, 'key', $1, 'SL-H2', '629901000000', '', '', $2, $2)`, rows)
	})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	heard := make(map[string]int) // guarded by mu
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		id := r.Header.Get("webhook-id")
		mu.Lock()
		heard[id]++
		mu.Unlock()
		switch {
		case id == "refused-000-opened": // its connection is cut without an answer
			panic(http.ErrAbortHandler)
		case strings.HasPrefix(id, "refused"):
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	secret, err := webhook.ParseSecret("whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	hook := fleet.Hook{Fleet: h.Fleet, Leases: free{}, URL: server.URL, Secret: secret, Now: func() time.Time { return h.now },
		Logger: slog.New(slog.DiscardHandler)}
	for range 3 {
		if err := hook.Tell(t.Context()); err == nil {
			t.Error("what the server refuses is no error")
		}
		h.now = h.now.Add(10 * time.Second)
	}
	mu.Lock()
	defer mu.Unlock()
	if heard["later-opened"] != 1 {
		t.Errorf("the later alert came %d times, want once; %d others came", heard["later-opened"], len(heard))
	}
	if n := heard["refused-499-opened"]; n == 0 {
		t.Error("what was refused is not posted again")
	}
}
