package board

import (
	"maps"
	"os/exec"
	"strings"
	"testing"
	"time"

	"haochaping/internal/rating"
)

// TestKeysReachTheCentre presses keys from outside through the GPIO controller, kills the daemon and pulls the plug in the
// middle, and finds each press in the centre's books once.
func TestKeysReachTheCentre(t *testing.T) {
	h := newHall(t, gpioKeys)
	h.start()
	h.startBox()
	want := make(map[rating.VisitID]rating.Level)
	rate := func(key string, level rating.Level) rating.VisitID {
		t.Helper()
		id := h.visit()
		h.press(key)
		h.recorded(len(want) + 1)
		want[id] = level
		return id
	}
	for _, k := range []struct {
		key   string
		level rating.Level
	}{{"KEY_A", 5}, {"KEY_B", 4}, {"KEY_C", 3}, {"KEY_D", 2}, {"KEY_E", 1}} {
		rate(k.key, k.level)
	}
	h.eventually("all five at the centre", time.Minute, func() bool { return maps.Equal(h.counted(), want) })

	// The daemon is killed right after a press, and started again.
	rate("KEY_B", 4)
	h.sh("kill -9 $(cat /tmp/ratingd.pid)")
	h.startBox()
	h.eventually("the one before the kill", time.Minute, func() bool { return maps.Equal(h.counted(), want) })

	// The screen asks, and what it shows can be photographed and read.
	visit := h.visit()
	asking := h.photograph("asking")
	var link string
	h.eventually("a QR code on the screen", time.Minute, func() bool {
		if err := h.board.Photograph(t.Context(), asking); err != nil {
			t.Fatal(err)
		}
		out, _ := exec.Command("zbarimg", "-q", "--raw", "--oneshot", "-Sbinary", asking).Output()
		link = strings.TrimSpace(string(out))
		return link != ""
	})
	if !strings.HasPrefix(link, "HTTPS://RATE.EXAMPLE.COM/R/") {
		t.Errorf("the QR code says %q", link)
	}
	h.press("KEY_A")
	h.recorded(len(want) + 1)
	if err := h.board.Photograph(t.Context(), h.photograph("thanks")); err != nil {
		t.Fatal(err)
	}

	// The plug is pulled as soon as the log has the press, while the thanks are shown.
	h.board.PowerOff()
	if err := h.board.Stop(); err != nil {
		t.Fatal(err)
	}
	want[visit] = 5
	h.start()
	h.startBox()
	h.eventually("the one before the power cut", time.Minute, func() bool { return maps.Equal(h.counted(), want) })
	rate("KEY_D", 2)
	h.eventually("the one after", time.Minute, func() bool { return maps.Equal(h.counted(), want) })
	if out := h.sh("ratingctl log -config /data/ratingd.toml -verify"); !strings.Contains(out, "sound") {
		t.Errorf("the log after the power cut: %s", out)
	}
	if out := h.centrald("verify"); strings.Contains(out, "BROKEN") {
		t.Errorf("the books: %s", out)
	}
}
