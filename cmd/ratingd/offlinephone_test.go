package main

import (
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/internal/proof/faultnet"
	"haochaping/internal/proof/inspect"
	"haochaping/internal/rating"
)

// TestAPhoneRatesWhileTheBoxIsOffline: of a visit at a window that asks by itself nothing is recorded before the centre says that a phone
// has rated it. A box whose network was cut hears of it when it is back, of the code that it shows and of one that it has shown before, and
// records each such visit once.
func TestAPhoneRatesWhileTheBoxIsOffline(t *testing.T) {
	t.Parallel()
	for name, broker := range map[string]func(*testing.T) string{"embedded broker": nil, "mosquitto": startMosquitto} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := startCentre(t, broker)
			b := newGPIOBox(t, w, "away", 1)
			w.enrol(b, 0, "-walk-up", "1s")
			b.launch()
			shows := func(what string, but string) (s boxState) {
				b.wait(what, func(now boxState) bool { s = now; return s.State == "asking" && s.Link != "" && s.Visit != but })
				return s
			}
			first := shows("the question", "")
			w.proxy.Set(faultnet.Hangup)
			b.wait("without network", func(s boxState) bool { return s.Offline })
			b.onPhone(first.Link, "staff", 2)
			wantOfflineWords(t, first.Link+"/thanks")
			b.open(`{"subjects":["staff"],"wait_sec":120}`) // which takes the place of what the window asks by itself
			pc := shows("the visit of the PC", first.Visit)
			time.Sleep(reading)
			b.press(5)
			b.wait("the thanks", func(s boxState) bool { return s.State == "correcting" && s.Visit == pc.Visit })
			second := shows("the next question", pc.Visit)
			b.onPhone(second.Link, "staff", 1)
			if n := byPhone(b.records()); len(n) > 0 {
				t.Errorf("recorded by phone without a network: %v", n)
			}

			w.proxy.Later(faultnet.Pass)
			shows("another question, since a phone has answered the one that is shown", second.Visit)
			want := []string{first.Visit, second.Visit}
			slices.Sort(want)
			for end := time.Now().Add(time.Minute); len(byPhone(b.records())) < len(want) && time.Now().Before(end); {
				time.Sleep(50 * time.Millisecond)
			}
			b.settle()
			for range 2 { // said again at each hello, as far as it may be asked still
				before := w.proxy.Accepted()
				w.proxy.Reset()
				b.wait("connected again", func(s boxState) bool { return w.proxy.Accepted() > before && !s.Offline && s.Pending == 0 })
			}
			b.stop()
			w.stopCentre()
			if got := byPhone(b.records()); !slices.Equal(got, want) {
				t.Errorf("visits recorded as rated by phone: %v, want %v", got, want)
			}
			wantWindows(t, filepath.Join(w.dir, "centre"), 3)
		})
	}
}

// byPhone returns the visits that a log says were rated by phone, sorted.
func byPhone(all []rating.Record) (visits []string) {
	for _, r := range all {
		if r.Outcome != nil && r.Outcome.Outcome == rating.RatedByPhone {
			visits = append(visits, r.Outcome.Visit.String())
		}
	}
	slices.Sort(visits)
	return visits
}

// wantOfflineWords waits until the phone is told that a press goes first of which the centre does not know yet.
func wantOfflineWords(t *testing.T, address string) {
	t.Helper()
	var page []byte
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		page, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(page), "没有联网") && strings.Contains(string(page), "以先按的为准") {
			return
		}
	}
	t.Fatalf("the phone is not told that the box is offline:\n%s", page)
}

// wantWindows holds that the books know of each of n evaluations at which visit of the window it was given, and count it.
func wantWindows(t *testing.T, centre string, n int) {
	t.Helper()
	books, err := inspect.Open(t.Context(), centre)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = books.Close() }()
	entries, err := books.Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Status != rating.Counted || e.Opener == "" {
			t.Errorf("visit %s: %s, opened by %q", e.Visit, e.Status, e.Opener)
		}
	}
	if len(entries) != n {
		t.Errorf("%d evaluations, want %d", len(entries), n)
	}
}
