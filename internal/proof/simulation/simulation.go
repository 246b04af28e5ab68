// Package simulation says how long tests play histories that they draw: a short form in make test, and the long one, in which what is rare
// comes too, in make simulate.
package simulation

import (
	"flag"
	"os"
	"testing"

	"pgregory.net/rapid"
)

// variable of the environment that asks for the long form.
const variable = "SIMULATE"

// share is how much of the long form the short one is.
const share = 4

// Long reports whether the long form was asked for.
func Long() bool { return os.Getenv(variable) != "" }

// Of returns how many of n histories are to be played.
func Of(n int) int {
	if Long() {
		return n
	}
	return max(1, n/share)
}

// Check is rapid.Check of so many tries as Of says. It changes rapid's flag for its time, so that other tests that draw beside it may have
// fewer tries; none has more.
func Check(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	if Long() {
		rapid.Check(t, property)
		return
	}
	checks := flag.Lookup("rapid.checks")
	if checks == nil || checks.Value.String() != checks.DefValue { // somebody asks for a number of their own
		rapid.Check(t, property)
		return
	}
	if err := checks.Value.Set("25"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := checks.Value.Set(checks.DefValue); err != nil {
			t.Error(err)
		}
	}()
	rapid.Check(t, property)
}
