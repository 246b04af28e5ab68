package enrol

import (
	"encoding/base64"
	"errors"
	"net/http"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// TestAnOrderHoldsAsLongAsItsCode tells a box that waits to forget all until its code ends, and no longer; one that was let in meanwhile is
// told nothing.
func TestAnOrderHoldsAsLongAsItsCode(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { ordered(t, newWorld(t)) })
	t.Run("postgres", func(t *testing.T) {
		ordered(t, worldAt(t, postgres.Database(t), time.Date(2026, 3, 2, 9, 0, 0, 0, rating.Shanghai())))
	})
}

func ordered(t *testing.T, w *world) {
	b := newBox(t, "bcdf23456789")
	asks := func() (status int, h http.Header) {
		status, h, _ = w.post(w.client(nil, nil), "simpleenroll", b.request(t))
		return status, h
	}
	resets := func(p Pending) error {
		order, err := w.room.Reset(p, "x", "")
		if err != nil {
			return err
		}
		return w.room.db.Write(t.Context(), func(tx *db.Tx) error { return KeepReset(t.Context(), tx, p, order) })
	}
	find := func(h http.Header) Pending {
		p, err := w.room.Find(t.Context(), h.Get(CodeHeader))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	_, h := asks()
	p := find(h)
	if err := resets(p); err != nil || h.Get(OrderHeader) != "" {
		t.Fatalf("told %q before anybody said so: %v", h.Get(OrderHeader), err)
	}
	w.pass(CodeLife - time.Minute)
	_, h = asks()
	sealed, err := base64.RawURLEncoding.DecodeString(h.Get(OrderHeader))
	if err != nil {
		t.Fatal(err)
	}
	told, err := wire.OpenCommand(w.public, sealed)
	if err != nil || told.Name != wire.CommandErase || told.Device != b.device || told.Expires != p.Until.UnixMilli() {
		t.Errorf("it is told %+v, which is to hold until %v: %v", told, p.Until, err)
	}
	w.pass(50 * time.Second)
	if err := resets(p); !errors.Is(err, ErrNoCode) {
		t.Errorf("ten seconds before its code ends: %v", err)
	}
	w.pass(70 * time.Second)
	_, h = asks()
	if h.Get(CodeHeader) == p.Code || h.Get(OrderHeader) != "" {
		t.Errorf("under another code it is told %q", h.Get(OrderHeader))
	}
	if err := resets(p); !errors.Is(err, ErrNoCode) {
		t.Errorf("under its old code: %v", err)
	}
	p = find(h)
	if err := resets(p); err != nil {
		t.Fatal(err)
	}
	w.accept(p.Code)
	if status, h := asks(); status != http.StatusOK || h.Get(OrderHeader) != "" {
		t.Errorf("let in, it gets %d and is told %q", status, h.Get(OrderHeader))
	}
	if err := resets(p); !errors.Is(err, ErrNoCode) {
		t.Errorf("once it was let in: %v", err)
	}
}
