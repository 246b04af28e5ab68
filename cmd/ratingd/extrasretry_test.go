package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/condition"

	"haochaping/internal/opsapi"
)

// A box whose socket cannot be made rates, and the socket is there once its folder is.
func TestOperationsSocketComesLater(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	b := newSerialBox(t, w, "socket", 1)
	w.enrol(b, 0)
	folder := filepath.Join(filepath.Dir(b.config), "run")
	config, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	late := filepath.Join(folder, "ops.sock")
	writeFile(t, b.config, strings.Replace(string(config), b.socket(), late, 1))
	b.start()
	b.rated()
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if s, err := opsapi.Ask(t.Context(), late); err == nil {
			if !s.Healthy {
				t.Errorf("%+v", s)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatal("the socket does not come")
		}
	}
	b.stop()
}

// A part is tried again at growing intervals, its records are few, and what it says is logged when it is new.
func TestExtraIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var logged bytes.Buffer
		var mu sync.Mutex
		var tries, records []string
		since := func() string { return time.Since(began).String() }
		x := &extras{mono: func() time.Duration { return time.Since(began) }, noticed: func() {},
			log:    slog.New(slog.NewTextHandler(&logged, nil)),
			record: func(part string, why error) { records = append(records, fmt.Sprint(since(), " ", why)) }}
		var works bool
		e := x.add("sound", "sound.failed", func(ctx context.Context, report func(error)) error {
			mu.Lock()
			defer mu.Unlock()
			tries = append(tries, since())
			if !works {
				return io.ErrUnexpectedEOF
			}
			report(nil)
			works = false
			return errors.New("gone again")
		})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- e.supervise(ctx) }()
		time.Sleep(80 * time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"0s", "1s", "3s", "7s", "15s", "31s", "1m1s"}, tries); diff != "" {
			t.Errorf("tries (-want +got):\n%s", diff)
		}
		mu.Lock()
		works = true
		mu.Unlock()
		if err := <-done; err != nil {
			t.Error(err)
		}
		// After it had worked it is tried again soon.
		if diff := cmp.Diff([]string{"1m31s", "1m32s", "1m34s", "1m38s", "1m46s"}, tries[7:]); diff != "" {
			t.Errorf("later tries (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"0s unexpected EOF", "1m31s <nil>"}, records); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
		if n := strings.Count(logged.String(), "unexpected EOF"); n != 2 {
			t.Errorf("logged %d times:\n%s", n, logged.String())
		}
		if got := e.finding().Code; got != "sound.failed" {
			t.Errorf("its trouble is %q", got)
		}
	})
}

// What says that it works and panics then is tried again at growing intervals too, and its trouble is the program's and no file's.
func TestAPanicIsNoFaultOfAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var tries []string
		x := &extras{mono: func() time.Duration { return time.Since(began) }, noticed: func() {}, record: func(string, error) {},
			log: slog.New(slog.DiscardHandler)}
		e := x.add(linkPart, "link.files", func(_ context.Context, report func(error)) error {
			tries = append(tries, time.Since(began).String())
			report(nil)
			panic("no such record")
		})
		e.crashed = "link.crashed"
		ctx, cancel := context.WithTimeout(t.Context(), 80*time.Second)
		defer cancel()
		if err := e.supervise(ctx); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"0s", "1s", "3s", "7s", "15s", "31s", "1m1s"}, tries); diff != "" {
			t.Errorf("tries (-want +got):\n%s", diff)
		}
		if got := e.finding(); got.Code != "link.crashed" || !strings.Contains(got.What.EN, "no such record") {
			t.Errorf("its trouble is %+v", got)
		}
		e.report(errors.New("no password"))
		if got := e.finding().Code; got != "link.files" {
			t.Errorf("a file's trouble is %q", got)
		}
		e.report(errUncertified)
		if got := e.finding(); got.Code != "link.certificate_waits" || got.Level != condition.Note || strings.ContainsAny(got.What.ZH, "：/") {
			t.Errorf("of a box that waits to be accepted it is %+v", got)
		}
	})
}
