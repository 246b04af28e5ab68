package board

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// deviceRun is the test program of haochaping/device on a board: it says what it wants to be done to the lines, which are
// pressed when they are high there.
type deviceRun struct {
	t     *testing.T
	board *Board
	heard int // words of it that were obeyed
}

// TestDeviceOnAKernel runs the tests of package device that need a kernel with GPIO lines, and moves these.
func TestDeviceOnAKernel(t *testing.T) {
	needTools(t)
	cache, err := filepath.Abs("../../../build/board")
	if err != nil {
		t.Fatal(err)
	}
	parts, err := Fetch(t.Context(), cache, "arm64")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := exec.CommandContext(t.Context(), "go", "test", "-c", "-trimpath", "-ldflags=-s -w",
		"-o", filepath.Join(dir, "disk", "bin", "device.test"), "haochaping/device")
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=arm64")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build the tests: %v\n%s", err, out)
	}
	if err := Disk(t.Context(), filepath.Join(dir, "disk.img"), filepath.Join(dir, "disk"), 100); err != nil {
		t.Fatal(err)
	}
	b, err := Start(t.Context(), Options{Parts: parts, Disk: filepath.Join(dir, "disk.img"), Log: filepath.Join(dir, "console.log")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Stop() })
	r := &deviceRun{t: t, board: b}
	r.set(0, false)
	r.set(1, false)
	r.run("Board(Wiring|FreeLines|Keys|Output|Taps)")
	r.run("BoardPeriph") // by itself: periph keeps every chip that it finds
	r.sh("rmmod gpio_keys")
	r.run("BoardChipGone")
}

func (r *deviceRun) sh(script string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	out, err := r.board.Sh(ctx, script)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// run runs some of the tests, and does what they ask for.
func (r *deviceRun) run(tests string) {
	r.t.Helper()
	r.heard = 0
	r.sh("cd /tmp; export BOARD_GPIO_KEYS=RATE5,RATE4 BOARD_GPIO_OUTPUT=LAMP BOARD_GPIO_BUSY=POWER; " +
		"export BOARD_GPIO_DRIVER='amba/drivers/pl061_gpio 9030000.pl061'; " +
		"{ device.test -test.v -test.run '" + tests + "' & echo $! > device.pid; wait $!; echo BOARD ended $?; } > device.log 2>&1 &")
	for end := time.Now().Add(15 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		log := r.sh("cat /tmp/device.log")
		var words []string
		for line := range strings.Lines(log) {
			if what, ok := strings.CutPrefix(strings.TrimSpace(line), "BOARD "); ok {
				words = append(words, what)
			}
		}
		for ; r.heard < len(words); r.heard++ {
			if status, ok := strings.CutPrefix(words[r.heard], "ended "); ok {
				if r.t.Log(log); status != "0" {
					r.t.Errorf("the tests %s fail", tests)
				}
				return
			}
			r.obey(words[r.heard])
		}
	}
	r.t.Fatalf("the tests %s did not end:\n%s", tests, r.sh("cat /tmp/device.log"))
}

// obey does what the tests ask for.
func (r *deviceRun) obey(what string) {
	r.t.Helper()
	var verb, how string
	var key, closed, times int
	if n, _ := fmt.Sscan(what, &verb, &key, &closed, &times, &how); n < 2 && verb != "watch" && verb != "watched" {
		r.t.Fatalf("the tests ask for %q", what)
	}
	switch verb {
	case "press":
		r.tap(key, 100*time.Millisecond)
	case "bounce":
		for range 5 {
			r.tap(key, 2*time.Millisecond)
		}
		r.tap(key, 150*time.Millisecond)
		for range 3 {
			r.tap(key, 2*time.Millisecond)
		}
	case "hold":
		r.set(key, true)
	case "release":
		r.set(key, false)
	case "taps":
		r.taps(key, time.Duration(closed)*time.Millisecond, times, how == "late")
	case "watched":
		seen := r.board.Output("LAMP")
		if want := []bool{true, false, true, false, true}; !slices.Equal(seen[max(0, len(seen)-5):], want) {
			r.t.Errorf("the output was %v, want %v at the end", seen, want)
		}
	}
}

// taps taps a key, and ends with a press of the other one. Meanwhile the tests are stopped for a tenth of a second at a time if
// they shall be late.
func (r *deviceRun) taps(key int, closed time.Duration, times int, late bool) {
	r.t.Helper()
	if late {
		r.sh("rm -f /tmp/enough; { while [ ! -e /tmp/enough ]; do kill -STOP $(cat /tmp/device.pid); sleep 0.1; kill -CONT $(cat " +
			"/tmp/device.pid); " +
			"sleep 0.02; done; touch /tmp/done; } > /dev/null 2>&1 &")
	}
	r.sh("sleep 3") // a key that goes up and down for ten seconds without a pause is stuck
	var shortest, longest time.Duration
	for range times {
		took := r.tap(key, closed)
		if longest = max(longest, took); shortest == 0 || took < shortest {
			shortest = took
		}
		time.Sleep(150 * time.Millisecond)
	}
	r.t.Logf("%d taps of %v, late %t: they took %v to %v", times, closed, late, shortest, longest)
	if late {
		r.sh("touch /tmp/enough; while [ ! -e /tmp/done ]; do sleep 0.1; done; rm /tmp/done")
	}
	r.tap(1-key, 200*time.Millisecond)
}

// tap presses a key for some time, and returns how long that took.
func (r *deviceRun) tap(key int, closed time.Duration) time.Duration {
	r.t.Helper()
	r.set(key, true)
	began := time.Now()
	time.Sleep(closed)
	r.set(key, false)
	took := time.Since(began)
	time.Sleep(2 * time.Millisecond)
	return took
}

func (r *deviceRun) set(key int, high bool) {
	r.t.Helper()
	if err := r.board.set(key, high); err != nil {
		r.t.Fatal(err)
	}
}
