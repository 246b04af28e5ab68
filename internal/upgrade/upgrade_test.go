package upgrade

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What the daemon asks for is a version and a time, and nothing else.
func TestRequestCheck(t *testing.T) {
	for _, version := range []string{"1.3.0", "0~20261127030411.abcdef123456+dirty", "1:2.0-1"} {
		if err := (Request{Version: version, WithinSec: 60}).Check(); err != nil {
			t.Errorf("%q: %v", version, err)
		}
	}
	for _, version := range []string{"", "-o=x", "../1", "1 2", "1\n2", "a1", "1/2", "1=2", strings.Repeat("1", 101)} {
		if (Request{Version: version, WithinSec: 60}).Check() == nil {
			t.Errorf("%q is taken for a version", version)
		}
	}
	for _, within := range []int{0, -1, 8 * 24 * 3600} {
		if (Request{Version: "1", WithinSec: within}).Check() == nil {
			t.Errorf("an installation may begin for %d s", within)
		}
	}
	for id, ok := range map[string]bool{"": true, "f-abc": true, "a b": false, "a\n": false, strings.Repeat("x", 65): false} {
		if err := (Request{Version: "1", WithinSec: 60, Command: id}).Check(); (err == nil) != ok {
			t.Errorf("the command %q: %v", id, err)
		}
	}
}

// The repository's address, channel and key stand in files of apt, in which they must not say more.
func TestSourceCheck(t *testing.T) {
	const key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n…"
	for _, ok := range []Source{{URL: "https://updates.example.com/apt", Channel: "stable", Key: key},
		{URL: "file:/media/stick/apt", Channel: "trial-2", Key: key}} {
		if err := ok.Check(); err != nil {
			t.Error(err)
		}
	}
	for _, wrong := range []Source{{}, {URL: "http://a/apt", Channel: "stable", Key: key},
		{URL: "https://a/apt b [trusted=yes]", Channel: "stable", Key: key},
		{URL: "https://a/apt\ndeb x", Channel: "stable", Key: key}, {URL: "https://user:word@a/apt", Channel: "stable", Key: key},
		{URL: "https://a/apt", Channel: "../x", Key: key}, {URL: "https://a/apt", Channel: "stable"},
		{URL: "https://a/apt", Channel: "stable", Key: "x"}} {
		if wrong.Check() == nil {
			t.Errorf("%+v is taken", wrong)
		}
	}
}

// A box is well with a version when it has been for long enough without a break, within the time that it has; troubles of before do not
// count.
func TestTry(t *testing.T) {
	for name, c := range map[string]struct {
		at   func(sec int) ([]string, error) // what the box says
		want string                          // in the error, empty: it is well
	}{
		"at once":    {func(int) ([]string, error) { return nil, nil }, ""},
		"known":      {func(int) ([]string, error) { return []string{"link.unreached"}, nil }, ""},
		"after five": {func(sec int) ([]string, error) { return nil, when(sec < 300) }, ""},
		"never":      {func(int) ([]string, error) { return nil, errors.New("no answer") }, "no answer"},
		"new":        {func(int) ([]string, error) { return []string{"keys.lost"}, nil }, "keys.lost"},
		"flapping":   {func(sec int) ([]string, error) { return nil, when(sec%50 == 0) }, "long enough"},
		"too late":   {func(sec int) ([]string, error) { return nil, when(sec < 570) }, "long enough"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				u := New(Config{Patience: 10 * time.Minute, Steady: time.Minute, Logger: slog.New(slog.DiscardHandler),
					Troubles: func(context.Context) ([]string, error) { return c.at(int(time.Since(begun) / time.Second)) }})
				err := u.try(t.Context(), state{Known: []string{"link.unreached"}})
				if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("after %s: %v, want %q", time.Since(begun), err, c.want)
				}
			})
		})
	}
}

func when(yes bool) error {
	if yes {
		return errors.New("not now")
	}
	return nil
}

// FuzzRequest reads what the daemon, or who has taken it over, may write. Whatever it is, it is gone after that.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"version":"1.3.0","within_sec":600}`))
	f.Add([]byte(`{"version":"-o x"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), RequestFile)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := New(Config{Request: path}).request()
		if err == nil && r.Check() != nil {
			t.Errorf("%q asks for %+v", b, r)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Error("the request is still there")
		}
	})
}

// A link in the place of the request leads nowhere.
func TestTheRequestIsNoLink(t *testing.T) {
	folder := t.TempDir()
	secret, path := filepath.Join(folder, "secret"), filepath.Join(folder, RequestFile)
	if err := os.WriteFile(secret, []byte(`{"version":"1.3.0","within_sec":600}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, path); err != nil {
		t.Fatal(err)
	}
	if r, err := New(Config{Request: path}).request(); err == nil || r != (Request{}) {
		t.Errorf("a link asks for %+v, %v", r, err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the link is still there")
	}
}
