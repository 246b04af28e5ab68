package uplink

import (
	"testing"
	"testing/synctest"
	"time"

	"haochaping/sync/wire"
)

// TestTheConnectionStaysWhileTheBrokerTakesTheBatches has a centre that is away for an hour. That is no reason for a
// province of boxes to connect again and again, and the centre must be found within 30 s of its return.
func TestTheConnectionStaysWhileTheBrokerTakesTheBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, k := newMemory(), newKeys(t)
		log.append(1000)
		lines := make(chan *wireless, 100)
		u := bench(t, log, k, func() (*connection, error) {
			w := newWireless(1000)
			lines <- w
			return w.connection(), nil
		})
		stop := background(t, u)
		start, dials := time.Now(), 1
		var last time.Time
		for w := <-lines; time.Since(start) < time.Hour; {
			synctest.Wait()
			select {
			case w = <-lines:
				dials++
			case o := <-w.out:
				if o.channel != wire.RecordsChannel {
					continue
				}
				w.taken <- o.last
				if gap := time.Since(last); !last.IsZero() && gap > 25*time.Second {
					t.Errorf("the centre is not asked for %s", gap)
				}
				last = time.Now()
			default:
				time.Sleep(500 * time.Millisecond)
			}
		}
		if dials < 2 || dials > 14 {
			t.Errorf("%d connections in an hour, want one in five minutes", dials)
		}
		stop()
	})
}
