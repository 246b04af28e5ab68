package uplink

import "time"

// window is which records are on their way. It is a value without clock or network; the loop tells it what happened and
// when, and every method returns the window after that.
//
// It sends batches one after the other up to a bound, in the order of their seqs. Silence, or a new connection, makes it
// go back to the first record that is not released: a box has a hundred records a day, and sending some of them again
// costs less than knowing which.
//
// A connection begins with two small batches at a time, and gets more and larger ones as far as the line takes them quickly:
// what a thin line has not taken yet stands before everything else, the answer to the broker's ping included. Only a line
// that takes the largest batches quickly gets the most of them, so that the centre always has one to read and one to commit.
type window struct {
	released uint64    // through which the centre has acknowledged
	sent     uint64    // through which records are on their way; at least released
	highest  uint64    // through which records may ever have been sent, by this run or one before it
	flights  []flight  // the batches on their way, by ascending seqs
	limit    int       // bytes of the next batch
	maximum  int       // greatest limit
	beyond   uint64    // through which the centre has answered behind a record that cannot be sent; 0 if there is none
	depth    int       // how many batches may be on their way
	grown    time.Time // when limit or depth has grown; the batches that were sent before say nothing of that
	silences int       // since the last acknowledgement that released something, or since the connection was made
}

// flight is a batch on its way.
type flight struct {
	first uint64 // seq of its first record
	last  uint64 // of its last
	lone  bool   // it has no other
	bytes int
	at    time.Time // when it was sent
}

// Bounds of the window.
const (
	maxFlights  = 8
	wideFlights = 4 // on a line that has taken a full batch quickly
	// thinFlights are sent on a line whose width is not known: one that travels while the other is acknowledged.
	thinFlights = 2
	minLimit    = 1 << 10
	firstLimit  = 4 << 10 // of a connection; 4 s on a line of 1 KB/s
	// A batch that was acknowledged within quick may be followed by larger ones, one of the largest within a quarter of that
	// by more of them, and one that took longer than slow by smaller ones.
	quick = 1500 * time.Millisecond
	slow  = 8 * time.Second
)

// newWindow returns the window of a log that is released and written through the given seqs, and whose batches may have
// maximum bytes. What an earlier run has sent is not known, so it may be everything that the log holds.
func newWindow(released, last uint64, maximum int) window {
	return window{released: released, sent: released, highest: max(last, released), limit: min(firstLimit, maximum), maximum: maximum,
		depth: thinFlights}
}

// room reports whether another batch may be sent. After a silence one is enough to learn whether the centre is back.
func (w window) room() bool {
	if w.silences > 0 {
		return len(w.flights) == 0
	}
	return len(w.flights) < w.depth
}

// sentAs reports whether the batch that is answered next has these seqs.
func (w window) sentAs(first, last uint64) bool {
	return w.waiting() && w.flights[0].first == first && w.flights[0].last == last
}

// waiting reports whether an acknowledgement is due.
func (w window) waiting() bool { return len(w.flights) > 0 }

// done reports whether everything that may have been sent is released.
func (w window) done() bool { return w.released >= w.highest && !w.waiting() }

// onSent notes a batch.
func (w window) onSent(f flight) window {
	w.flights = append(w.flights[:len(w.flights):len(w.flights)], f)
	w.sent = f.last
	w.highest = max(w.highest, f.last)
	return w
}

// accepts reports whether an acknowledgement may be acted on: it releases something, and only what may have been sent.
func (w window) accepts(through uint64) bool { return through > w.released && through <= w.highest }

// onAck notes an accepted acknowledgement that the log has taken.
func (w window) onAck(through uint64, now time.Time) window {
	w.released = through
	w.sent = max(w.sent, through)
	w.silences = 0
	for len(w.flights) > 0 && w.flights[0].last <= through {
		w = w.onLanded(w.flights[0], now)
		w.flights = w.flights[1:]
	}
	return w
}

// skip passes over a record that cannot be sent.
func (w window) skip() window {
	w.sent++
	w.highest = max(w.highest, w.sent)
	return w
}

// onBeyond notes that the centre has answered a batch behind a record that it cannot get. It releases nothing; the batch is
// only not sent again until that record can be.
func (w window) onBeyond(now time.Time) window {
	if !w.waiting() {
		return w
	}
	f := w.flights[0]
	w = w.onLanded(f, now)
	w.flights = w.flights[1:]
	w.beyond = max(w.beyond, f.last)
	w.silences = 0
	return w
}

// again forgets what was answered behind a record that could not be sent, and begins after what is released.
func (w window) again() window {
	w.beyond = 0
	return w.rewind()
}

// suspect returns the record that was sent alone and is not answered, 0 if there is none, and the bytes of its batch.
func (w window) suspect() (seq uint64, bytes int) {
	if !w.waiting() || !w.flights[0].lone {
		return 0, 0
	}
	return w.flights[0].last, w.flights[0].bytes
}

// onLanded learns from a batch that has arrived. A small one says nothing of the line.
func (w window) onLanded(f flight, now time.Time) window {
	first := min(firstLimit, w.maximum)
	switch took := now.Sub(f.at); {
	case took > slow && w.limit > first:
		w.depth = thinFlights
		w.limit = max(w.limit/2, first)
	case took > slow:
		w.depth = thinFlights
		w.limit = min(2*w.limit, first) // silence has made it smaller, yet the line does take batches
	case took > quick || f.bytes < w.limit/2 || f.at.Before(w.grown):
	case w.depth < wideFlights:
		w.depth, w.grown = wideFlights, now
	case w.limit < w.maximum:
		w.limit, w.grown = min(2*w.limit, w.maximum), now
	case took <= quick/4:
		w.depth = maxFlights
	}
	return w
}

// onSilence goes back to the first record that is not released, with smaller batches.
func (w window) onSilence() window {
	w = w.rewind()
	w.limit = max(w.limit/4, min(minLimit, w.maximum))
	w.silences++
	return w
}

// onConnected goes back likewise, since what was on its way may be lost with the connection before. What that one took
// says nothing of this one, which may be another network. If it broke under a batch, this one begins smaller: on a bad
// line a large batch may never arrive whole.
func (w window) onConnected() window {
	if w.waiting() {
		w.limit /= 4
	}
	w = w.rewind()
	w.limit = min(max(w.limit, minLimit), firstLimit, w.maximum)
	w.depth = thinFlights
	w.silences = 0
	return w
}

// rewind forgets what is on its way.
func (w window) rewind() window {
	w.sent, w.flights = max(w.released, w.beyond), nil
	return w
}
