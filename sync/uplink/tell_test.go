package uplink

import (
	"testing"
	"testing/synctest"
	"time"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// How the box is, is said within seconds where something has changed, and each minute from then on.
func TestHealthComesSoonerWhenSomethingHasChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, k := newWireless(outQueue), newKeys(t)
		u := bench(t, newMemory(), k, func() (*connection, error) { return w.connection(), nil })
		stop := background(t, u)
		start := time.Now()
		comes := func(want time.Duration) {
			t.Helper()
			if o := <-w.out; o.channel != wire.HealthChannel || time.Since(start) != want {
				t.Errorf("%s after %s, want the health after %s", o.channel, time.Since(start), want)
			}
		}
		comes(time.Second)
		u.Tell()
		comes(2 * time.Second)
		config := message{wire.ConfigChannel, sealed(t, k.centre, wire.ConfigPurpose,
			&wire.Config{Device: "box-1", Window: rating.Window{ID: "A12", Generation: 9}})}
		w.messages <- config
		comes(5 * time.Second)
		w.messages <- config // the same again changes nothing
		comes(65 * time.Second)
		go func() { (<-w.out).taken <- nil }()
		stop()
		if !<-w.orderly {
			t.Error("did not end in order")
		}
	})
}
