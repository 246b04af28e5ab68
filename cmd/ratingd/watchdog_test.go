package main

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/internal/terminal"
)

// heard is a service manager that writes down what it hears, and when.
type heard struct {
	begun time.Time

	mu    sync.Mutex
	words []string
	fed   []time.Duration
}

func (h *heard) say(word string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.words = append(h.words, word)
	return nil
}

func (h *heard) Ready() error            { return h.say("ready") }
func (h *heard) Stopping() error         { return h.say("stopping") }
func (h *heard) Status(string) error     { return h.say("status") }
func (h *heard) Watchdog() time.Duration { return 20 * time.Second }
func (h *heard) Alive() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fed = append(h.fed, time.Since(h.begun))
	return nil
}

func (h *heard) feedings() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.fed)
}

// supervised runs a supervisor over parts for some time, of a box that is ready after ready.
func supervised(t *testing.T, ready, length time.Duration, log *strings.Builder, parts ...opsapi.Watched) *heard {
	h := &heard{begun: time.Now()}
	opened := make(chan struct{})
	time.AfterFunc(ready, func() { close(opened) })
	m := opsapi.NewMonitor(opsapi.Clocks{Mono: func() time.Duration { return time.Since(h.begun) }, Wall: time.Now}, parts...)
	var names []string
	for _, p := range parts {
		names = append(names, p.Name)
	}
	s := supervisor{manager: h, ready: opened, watched: m, parts: names, status: func() string { return "" },
		logger: slog.New(slog.NewTextHandler(log, nil))}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	go func() { _ = m.Run(ctx) }() // it returns nil
	if err := s.run(ctx); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Second) // looks that go on end
	return h
}

func TestWatchdogIsFedWhileAllPartsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := opsapi.Watched{Name: "store", Look: func(context.Context) condition.Finding { return condition.Of("store.full", "") }}
		slow := opsapi.Watched{Name: "screen", Look: func(context.Context) condition.Finding {
			time.Sleep(7 * time.Second)
			return condition.Well("", "")
		}}
		var log strings.Builder
		h := supervised(t, 3*time.Second, time.Minute, &log, full, slow)
		if got := h.words[:2]; !slices.Equal(got, []string{"status", "ready"}) || h.words[len(h.words)-1] != "stopping" {
			t.Errorf("the manager heard %v; want the status, ready, and stopping at last", h.words)
		}
		last := 3 * time.Second
		for _, at := range append(h.fed, time.Minute) {
			if at-last >= h.Watchdog() {
				t.Errorf("nothing is fed between %v and %v: a box that is only slow, on a disk that is only full, is killed", last, at)
			}
			last = at
		}
	})
}

// A part that hangs starves the watchdog whichever it is, and one that goes on feeds it again.
func TestPartThatHangsStarvesTheWatchdog(t *testing.T) {
	for hanging := range 4 {
		synctest.Test(t, func(t *testing.T) {
			begun, free := time.Now(), make(chan struct{})
			var parts []opsapi.Watched
			for i, name := range []string{"keys", "terminal", "store", "screen"} {
				parts = append(parts, opsapi.Watched{Name: name, Look: func(context.Context) condition.Finding {
					if i == hanging && time.Since(begun) > 30*time.Second {
						<-free // without regard to the context, as a system call
					}
					return condition.Well("", "")
				}})
			}
			time.AfterFunc(100*time.Second, func() { close(free) })
			var log strings.Builder
			h := supervised(t, 0, 3*time.Minute, &log, parts...)
			longest, last := time.Duration(0), time.Duration(0)
			for _, at := range h.fed {
				longest, last = max(longest, at-last), at
			}
			if longest < 65*time.Second || last < 170*time.Second {
				t.Errorf("%s hung for 70 s; the longest hunger was %v, the last feeding at %v", parts[hanging].Name, longest, last)
			}
			if n := strings.Count(log.String(), "part="+parts[hanging].Name); n != 1 {
				t.Errorf("the log names the part %d times, want once:\n%s", n, log.String())
			}
		})
	}
}

func TestBoxThatNeverComesUpIsNeverReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := supervised(t, time.Hour, time.Minute, new(strings.Builder))
		if !slices.Equal(h.words, []string{"stopping"}) || h.feedings() != 0 {
			t.Errorf("the manager heard %v and was fed %d times; want only that the box stops", h.words, h.feedings())
		}
	})
}

// The parts' own probes: each answers while its part waits for work, and not while it hangs in it.
func TestProbesHangWithTheirParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		answered := func(probe func(context.Context) error) bool {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- probe(ctx) }()
			select {
			case err := <-done:
				return err == nil
			case <-time.After(2 * time.Minute):
				return false
			}
		}

		shown := newLatest(0)
		free := make(chan struct{})
		go shown.each(ctx, func(n int) {
			if n == 1 {
				<-free
			}
		})
		<-shown.first
		if !answered(shown.probe) {
			t.Error("a screen that waits for work does not answer")
		}
		shown.update(func(n *int) { *n = 1 })
		synctest.Wait()
		if answered(shown.probe) {
			t.Error("a screen that hangs in a frame answers")
		}

		keys := newHanding()
		if !answered(keys.probe) {
			t.Error("keys that nobody presses do not answer")
		}
		go keys.do(func() { <-free })
		synctest.Wait()
		if answered(keys.probe) {
			t.Error("keys whose event nobody takes answer")
		}
		close(free)
		if !answered(shown.probe) || !answered(keys.probe) {
			t.Error("parts that go on do not answer")
		}
	})
}

func TestStatusText(t *testing.T) {
	who := identity{"lz-0417", ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	for _, c := range []struct {
		view    terminal.View
		reached bool
		pending uint64
		want    string
	}{
		{terminal.View{}, false, 0, "启动中，中心未连接，待上传 0 条 / starting; centre not reached; 0 records wait"},
		{terminal.View{State: terminal.Asking}, true, 12, "正在评价，中心已连接，待上传 12 条 / asking; centre connected; 12 records wait"},
		{terminal.View{State: terminal.Correcting, Chosen: 1}, true, 12, "正在评价，中心已连接，待上传 12 条 / asking; centre connected; 12 records wait"},
		{terminal.View{State: terminal.Idle}, false, 1, "等待办件，中心未连接，待上传 1 条 / idle; centre not reached; 1 record waits"},
		{terminal.View{State: terminal.Asking, Problem: terminal.StoreProblem}, true, 0,
			"按键停用：无法保存，中心已连接，待上传 0 条 / keys out of service: the disk cannot be written; centre connected; 0 records wait"},
		{terminal.View{State: terminal.Paused, Problem: terminal.KeypadProblem}, true, 0,
			"已暂停：读不到键盘，中心已连接，待上传 0 条 / paused: the keypad cannot be read; centre connected; 0 records wait"},
		{terminal.View{State: terminal.Enrolling}, true, 0, "未登记，请在中心登记 lz-0417（指纹 " + who.fingerprint() +
			"），中心已连接，待上传 0 条 / not enrolled: add lz-0417 at the centre, fingerprint " + who.fingerprint() + "; centre connected; 0 records wait"},
	} {
		if got := statusText(c.view.Public(), who, opsapi.Health{Parts: []opsapi.Part{{Name: linkPart, OK: c.reached}}},
			c.pending); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
