package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"haochaping/internal/boxconfig"
)

func TestWhoMayBeErased(t *testing.T) {
	for name, x := range map[string]struct {
		pending uint64
		giveUp  string
		manager bool
		erased  bool
	}{
		"nothing waits":                {0, "", true, true},
		"records wait":                 {3, "", true, false},
		"given up by another's name":   {3, "bcdf23456780", true, false},
		"given up":                     {3, "bcdf23456789", true, true},
		"without a service manager":    {0, "", false, false},
		"given up though nothing does": {0, "bcdf23456789", true, true},
	} {
		state, restarts := t.TempDir(), 0
		e := eraser{cfg: boxconfig.Config{State: state, Device: "bcdf23456789"}, pending: func() uint64 { return x.pending }}
		if x.manager {
			e.restart = func() { restarts++ }
		}
		err := e.erase(x.giveUp)
		if (err == nil) != x.erased || (restarts == 1) != x.erased || !x.manager && !errors.Is(err, errNoManager) {
			t.Errorf("%s: %v, %d restarts", name, err, restarts)
		}
		writeFile(t, filepath.Join(state, boxconfig.IdentityFile), "key")
		done, err := boxconfig.Erase(state)
		if _, there := os.Stat(filepath.Join(state, boxconfig.IdentityFile)); err != nil || done != x.erased || (there != nil) != x.erased {
			t.Errorf("%s: erased %v, %v, %v", name, done, err, there)
		}
	}
}
