package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/enrol"
	"haochaping/internal/central/web/live"
)

// TestAnEndedAuthorityIsSaid lets the issuing certificate end where the root's key is away.
func TestAnEndedAuthorityIsSaid(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	folder := t.TempDir()
	a, err := enrol.OpenAuthority(folder, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	var cfg config
	cfg.Broker.Certificates = true
	broken := live.Trouble{Since: now, Err: errors.New("no line")}
	if got := authorityTrouble(broken, cfg, a); got.Err.Error() != "no line" {
		t.Errorf("while it holds: %+v", got)
	}
	if err := os.Remove(filepath.Join(folder, enrol.RootKeyFile)); err != nil {
		t.Fatal(err)
	}
	now = now.AddDate(6, 0, 0)
	if got := authorityTrouble(broken, cfg, a); !errors.Is(got.Err, enrol.ErrEnded) || !strings.Contains(got.What, enrol.RootKeyFile) {
		t.Errorf("after its end: %+v", got)
	}
	if got := authorityTrouble(live.Trouble{}, cfg, a); got.Err != nil {
		t.Errorf("while all comes in: %+v", got)
	}
	if got := authorityTrouble(broken, cfg, nil); got.Err.Error() != "no line" {
		t.Errorf("without one: %+v", got)
	}
}
