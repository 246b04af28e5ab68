package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"haochaping/internal/boxcode"
	"haochaping/internal/boxconfig"
	"haochaping/internal/enrolment"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
)

// readLamps returns the code and the check digits that lamps have told, "" if they have not told both. It goes by their order alone, as a
// person who knows no times: all of them once, sixteen of one, all of them twice, eight of one, and all of them again. Each is what was lit
// at a time, as 1 and 0 from the left.
func readLamps(seen []string) (code, check string) {
	var told strings.Builder
	last := ""
	for _, s := range seen {
		if s == last {
			continue
		}
		switch last = s; strings.Count(s, "1") {
		case 0:
		case 1:
			fmt.Fprint(&told, strings.Index(s, "1")+1)
		case boxcode.Lamps:
			told.WriteByte('*')
		default:
			told.WriteByte('?')
		}
	}
	found := regexp.MustCompile(`(?:^|[1-5])\*([1-5]{16})\*\*([1-5]{8})\*`).FindStringSubmatch(told.String())
	if found == nil {
		return "", ""
	}
	return found[1], found[2]
}

// watchedLamps notes what the lamps show and when. It takes a while for each, as a busy machine does.
type watchedLamps struct {
	busy time.Duration

	mu   sync.Mutex
	seen []string        // guarded by mu, like what follows
	at   []time.Duration // of each
	from time.Time
}

func (w *watchedLamps) Set(on []bool) error {
	time.Sleep(w.busy)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen, w.at = append(w.seen, lampText(on)), append(w.at, time.Since(w.from))
	return nil
}

func (w *watchedLamps) Close() error { return nil }

// take returns what was shown since it was taken last, and when.
func (w *watchedLamps) take() ([]string, []time.Duration) {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	seen, at := w.seen, w.at
	w.seen, w.at = nil, nil
	return seen, at
}

// lampText writes which of some outputs are on as 1 and 0.
func lampText(on []bool) string {
	var b strings.Builder
	for _, x := range on {
		b.WriteByte(map[bool]byte{true: '1', false: '0'}[x])
	}
	return b.String()
}

// telling runs a panel of five lamps before a box that waits.
func telling(t *testing.T, codes bool, busy time.Duration, check func(*watchedLamps, *latest[glimpse])) {
	synctest.Test(t, func(t *testing.T) {
		w := &watchedLamps{busy: busy, from: time.Now()}
		p := lampPanel{cfg: boxconfig.Lamps{Keys: []string{"a", "b", "c", "d", "e"}, BacklightOff: boxconfig.Duration(time.Minute)}, codes: codes,
			order: [5]rating.Level{5, 4, 3, 2, 1}, now: func() time.Duration { return time.Since(w.from) },
			open: func([]string, bool) (outputs, error) { return w, nil }}
		shown := newLatest(glimpse{View: terminal.View{State: terminal.Enrolling}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.run(ctx, shown, func(error) {}) }()
		check(w, shown)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestLampsTellTheCode reads a code from the lamps, again and again, and another one once the box has it; then the box is let in.
func TestLampsTellTheCode(t *testing.T) {
	telling(t, true, 0, func(w *watchedLamps, shown *latest[glimpse]) {
		wait := func(code, check string) {
			shown.update(func(g *glimpse) { g.code = enrolment.Code{Text: code, Digits: check} })
		}
		time.Sleep(time.Minute)
		if seen, _ := w.take(); strings.Contains(strings.Join(seen, ""), "1") {
			t.Errorf("without a code the lamps show %v", seen)
		}
		wait("BBGMTCLX", "0459")
		began := time.Since(w.from)
		for range 7 { // news that change nothing for the lamps
			time.Sleep(5 * time.Second)
			shown.update(func(g *glimpse) { g.Window.Generation++ })
		}
		time.Sleep(5 * time.Second)
		seen, at := w.take()
		if code, check := readLamps(seen); code != "1111152541122444" || check != "11152125" {
			t.Errorf("the lamps told %q and %q: %v", code, check, seen)
		}
		lit := began // when the present ones were lit
		for i := 1; i < len(seen); i++ {
			was, is := strings.Count(seen[i-1], "1"), strings.Count(seen[i], "1")
			if was == 1 && is == 0 && at[i]-lit != flashLit || was == 0 && is == 1 && at[i]-lit < flashDark {
				t.Errorf("from %v to %v the lamps show %s", lit, at[i], seen[i-1])
			}
			if seen[i] != seen[i-1] {
				lit = at[i]
			}
		}
		wait("ZZZZZZZZ", "9999")
		time.Sleep(40 * time.Second)
		seen, _ = w.take()
		if code, check := readLamps(seen); code != strings.Repeat("45", 8) || check != strings.Repeat("25", 4) {
			t.Errorf("of another code the lamps told %q and %q: %v", code, check, seen)
		}
		shown.update(func(g *glimpse) { g.View, g.code = terminal.View{State: terminal.Idle}, enrolment.Code{} })
		time.Sleep(time.Hour)
		if seen, _ := w.take(); len(seen) == 0 || seen[len(seen)-1] != "00000" || len(seen) > 4 {
			t.Errorf("once it is let in the lamps show %v", seen)
		}
	})
}

// TestLampsOfALateMachineTellTheCode: no flash is left out, however late the machine is, and no two become one.
func TestLampsOfALateMachineTellTheCode(t *testing.T) {
	telling(t, true, 2*time.Second, func(w *watchedLamps, shown *latest[glimpse]) {
		shown.update(func(g *glimpse) { g.code = enrolment.Code{Text: "BCDFGHJK", Digits: "0017"} })
		time.Sleep(5 * time.Minute)
		seen, _ := w.take()
		if code, check := readLamps(seen); boxcode.Clean(code) != "BCDFGHJK" || check != "11111223" {
			t.Errorf("the lamps told %q and %q: %v", code, check, seen)
		}
	})
}

// TestLampsBesideAScreenTellNoCode, nor do any tell one that is not of their letters, which a later centre may give out.
func TestLampsBesideAScreenTellNoCode(t *testing.T) {
	for name, c := range map[string]struct {
		codes bool
		code  enrolment.Code
	}{
		"a screen":      {false, enrolment.Code{Text: "BCDFGHJK", Digits: "0017"}},
		"other letters": {true, enrolment.Code{Text: "BCDFGHJA", Digits: "0017"}},
		"other digits":  {true, enrolment.Code{Text: "BCDFGHJK", Digits: "001A"}},
	} {
		t.Run(name, func(t *testing.T) {
			telling(t, c.codes, 0, func(w *watchedLamps, shown *latest[glimpse]) {
				shown.update(func(g *glimpse) { g.code = c.code })
				time.Sleep(time.Minute)
				if seen, _ := w.take(); len(seen) == 0 || strings.Contains(strings.Join(seen, ""), "1") {
					t.Errorf("the lamps show %v", seen)
				}
			})
		})
	}
}
