package web

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
)

// A token has its burst, then ten requests a second and four at once, and takes nothing from another.
func TestLimits(t *testing.T) {
	var l limits
	now := time.Unix(1_790_000_000, 0)
	enter := func(token string) (func(), time.Duration) {
		t.Helper()
		leave, err := l.enter(token, now)
		var soon *account.TooSoon
		switch {
		case errors.As(err, &soon):
			return nil, soon.Wait
		case err != nil:
			t.Fatal(err)
		}
		return leave, 0
	}
	for n := range tokenBurst {
		leave, wait := enter("a")
		if wait != 0 {
			t.Fatalf("request %d of the burst has to wait for %s", n, wait)
		}
		leave()
	}
	if _, wait := enter("a"); wait != tokenEach {
		t.Errorf("after the burst a token waits for %s", wait)
	}
	if leave, wait := enter("b"); wait != 0 {
		t.Errorf("another token waits for %s", wait)
	} else {
		leave()
	}
	now = now.Add(3 * tokenEach)
	for range 3 {
		leave, wait := enter("a")
		if wait != 0 {
			t.Fatalf("after a pause a token waits for %s", wait)
		}
		leave()
	}
	if _, wait := enter("a"); wait != tokenEach {
		t.Errorf("a pause gives more than its time: the wait is %s", wait)
	}
	now = now.Add(time.Hour)
	var under []func()
	for range tokenAtOnce {
		leave, wait := enter("a")
		if wait != 0 {
			t.Fatal(wait)
		}
		under = append(under, leave)
	}
	if _, wait := enter("a"); wait == 0 {
		t.Error("more requests at once than are allowed")
	}
	under[0]()
	if leave, wait := enter("a"); wait != 0 {
		t.Errorf("when one has ended, the next waits for %s", wait)
	} else {
		leave()
	}
	for n := range swept { // these have asked once, an hour ago; the one under way is not forgotten
		leave, _ := enter(fmt.Sprint(n))
		leave()
		now = now.Add(tokenEach)
	}
	if len(l.of) > swept {
		t.Errorf("%d tokens are remembered", len(l.of))
	}
	for range tokenAtOnce - len(under[1:]) {
		if _, wait := enter("a"); wait != 0 {
			t.Errorf("a token that has requests under way was forgotten, or waits: %s", wait)
		}
	}
	if _, wait := enter("a"); wait == 0 {
		t.Error("a token was forgotten with its requests under way")
	}
}
