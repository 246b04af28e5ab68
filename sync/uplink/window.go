package uplink

// window is which records are on their way. It is a value without clock or network; the loop tells it what happened, and
// every method returns the window after that.
//
// It sends batches one after the other up to a bound, in the order of their seqs. Silence, or a new connection, makes it
// go back to the first record that is not released: a box has a hundred records a day, and sending some of them again
// costs less than knowing which.
type window struct {
	released uint64   // through which the centre has acknowledged
	sent     uint64   // through which records are on their way; at least released
	highest  uint64   // through which records may ever have been sent, by this run or one before it
	flights  []uint64 // the last seq of each batch on its way, ascending
	limit    int      // bytes of the next batch
	maximum  int      // greatest limit
	silences int      // since the last acknowledgement that released something, or since the connection was made
}

// Bounds of the window.
const (
	maxFlights = 4
	minLimit   = 4 << 10
)

// newWindow returns the window of a log that is released and written through the given seqs, and whose batches may have
// maximum bytes. What an earlier run has sent is not known, so it may be everything that the log holds.
func newWindow(released, last uint64, maximum int) window {
	return window{released: released, sent: released, highest: max(last, released), limit: maximum, maximum: maximum}
}

// room reports whether another batch may be sent. After a silence one is enough to learn whether the centre is back.
func (w window) room() bool {
	if w.silences > 0 {
		return len(w.flights) == 0
	}
	return len(w.flights) < maxFlights
}

// waiting reports whether an acknowledgement is due.
func (w window) waiting() bool { return len(w.flights) > 0 }

// done reports whether everything that may have been sent is released.
func (w window) done() bool { return w.released >= w.highest && !w.waiting() }

// onSent notes a batch that ends with last.
func (w window) onSent(last uint64) window {
	w.flights = append(w.flights[:len(w.flights):len(w.flights)], last)
	w.sent = last
	w.highest = max(w.highest, last)
	return w
}

// accepts reports whether an acknowledgement may be acted on: it releases something, and only what may have been sent.
func (w window) accepts(through uint64) bool { return through > w.released && through <= w.highest }

// onAck notes an accepted acknowledgement that the log has taken.
func (w window) onAck(through uint64) window {
	w.released = through
	w.sent = max(w.sent, through)
	for len(w.flights) > 0 && w.flights[0] <= through {
		w.flights = w.flights[1:]
	}
	w.silences = 0
	w.limit = min(2*w.limit, w.maximum)
	return w
}

// onSilence goes back to the first record that is not released, with smaller batches.
func (w window) onSilence() window {
	w = w.rewind()
	w.silences++
	return w
}

// onConnected goes back likewise: what was on its way may be lost with the connection before.
func (w window) onConnected() window {
	w = w.rewind()
	w.silences = 0
	return w
}

// rewind forgets what is on its way. If anything was, the next batches are smaller: on a thin line a large one may never
// arrive whole, whether that shows as silence or as a connection that breaks each time.
func (w window) rewind() window {
	if w.waiting() {
		w.limit = max(w.limit/4, min(minLimit, w.maximum))
	}
	w.sent, w.flights = w.released, nil
	return w
}
