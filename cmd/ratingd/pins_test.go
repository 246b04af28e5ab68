package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"haochaping/device"
	"haochaping/internal/proof/testkit"
)

// pinsEnv tells this test program to be ratingd on a machine whose GPIO lines are driven from standard input, one
// "LINE down" or "LINE up" a line.
const pinsEnv = "RATINGD_TEST_PINS"

// clockEnv tells it that the machine's clock shows this time, in RFC 3339, and that nothing has set it; or, if it is
// clockSet, that the clock is right and set, whatever the kernel says.
const (
	clockEnv = "RATINGD_TEST_CLOCK"
	clockSet = "set"
)

// unitsEnv names the folders in which it looks for its unit.
const unitsEnv = "RATINGD_TEST_UNITS"

// programs are centrald and ratingctl.
var programs testkit.Programs

func TestMain(m *testing.M) {
	if os.Getenv(pinsEnv) == "" {
		os.Exit(programs.Main(m))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	env := machine(os.Stdout, os.Stderr)
	env.openGPIO = func(refs []string) ([]device.GPIOLine, io.Closer, error) { return openPins(refs, os.Stdin) }
	env.lackingGPIO = func(refs []string) error {
		if i := slices.IndexFunc(refs, func(ref string) bool { return !strings.HasPrefix(ref, "GPIO") }); i >= 0 {
			return fmt.Errorf("there is no GPIO line named %q", refs[i])
		}
		return nil
	}
	env.unitFolders = filepath.SplitList(os.Getenv(unitsEnv))
	if dir := os.Getenv(equipmentEnv); dir != "" {
		equip(&env, dir)
	}
	if os.Getenv(clockEnv) == clockSet {
		env.synced = func() bool { return true }
	} else if at, err := time.Parse(time.RFC3339, os.Getenv(clockEnv)); err == nil {
		started := time.Now()
		env.wall = func() time.Time { return at.Add(time.Since(started)) }
		env.synced = func() bool { return false }
	}
	if err := run(ctx, os.Args[1:], env); err != nil {
		fmt.Fprintln(os.Stderr, "ratingd:", err)
		os.Exit(exitStatus(err))
	}
	os.Exit(0)
}

// openPins returns pins that rest high, as lines with a pull-up do, and follow what is read from in.
func openPins(refs []string, in io.Reader) ([]device.GPIOLine, io.Closer, error) {
	pins := make(map[string]*gpiotest.Pin)
	var lines []device.GPIOLine
	for i, ref := range refs {
		p := &gpiotest.Pin{N: ref, Num: i, L: gpio.High, EdgesChan: make(chan gpio.Level, 64)}
		pins[ref] = p
		lines = append(lines, device.GPIOLine{Code: device.Code(ref), Pin: p})
	}
	go func() {
		for s := bufio.NewScanner(in); s.Scan(); {
			ref, action, _ := strings.Cut(s.Text(), " ")
			p, ok := pins[ref]
			if !ok {
				continue
			}
			level := gpio.Level(action != "down")
			p.Lock()
			p.L = level
			p.Unlock()
			p.EdgesChan <- level
		}
	}()
	return lines, io.NopCloser(nil), nil
}
