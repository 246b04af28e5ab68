package uplink

import (
	"runtime"
	"testing"

	"haochaping/internal/proof/faultnet"
	"haochaping/internal/proof/testkit"
)

// TestHostileBrokersCostNothing connects to things that are no brokers, many times, and checks that no goroutine stays
// behind, that a record survives, and that it arrives as soon as there is a broker.
func TestHostileBrokersCostNothing(t *testing.T) {
	b := &embedded{at: testkit.Address(t)}
	b.start(t)
	defer b.stop()
	k := newKeys(t)
	startCentre(t, b.address(), k.centre, public(k.box))
	proxy, err := faultnet.Listen(b.address())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = proxy.Close() }()
	proxy.Set(faultnet.Hangup)
	log := newMemory()
	log.append(10)
	startLink(t, proxy.Addr(), k, log, AckCentre)
	attempts := func(n int) {
		t.Helper()
		for n += proxy.Accepted(); proxy.Accepted() < n; {
			until(t, "connections", func() bool { return proxy.Accepted() >= n })
		}
	}
	attempts(3)
	before := runtime.NumGoroutine()
	for _, f := range []faultnet.Behaviour{faultnet.Hangup, faultnet.Portal, faultnet.NoLogin, faultnet.Mute, faultnet.Indifferent,
		faultnet.BlackHole} {
		proxy.Set(f)
		for range 10 { // the mute ones are ended from this side, as a network does
			attempts(1)
			proxy.Reset()
		}
	}
	proxy.Set(faultnet.Hangup)
	attempts(2)
	until(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= before+3 })
	if log.Released() != 0 {
		t.Fatalf("released through %d by nobody", log.Released())
	}
	proxy.Set(faultnet.Pass)
	until(t, "the records", func() bool { return log.Released() == 10 })
}
