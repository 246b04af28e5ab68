package opsapi

import (
	"slices"
	"sync"
	"time"

	"haochaping/internal/rating"
)

// Log is where the box records.
type Log interface {
	Append(bodies ...rating.Body) (first uint64, err error)
}

// maxHidden bounds how many records are remembered that are not to show, while the centre is not reached; older ones show.
const maxHidden = 100_000

// Recorder is a Log that counts what goes through it. It is safe for concurrent use if its Log is.
//
// When a key was pressed shows once the visit has ended, together with that end: the time from the press to the end is that of
// the thanks, and longer where the citizen has corrected the answer. Corrections and reasons never show.
type Recorder struct {
	log     Log
	mono    func() time.Duration
	metrics *Metrics

	mu     sync.Mutex
	last   uint64   // guarded by mu; seq of the newest record
	hidden []hidden // guarded by mu; oldest first
}

// hidden is a record that does not show, or not yet.
type hidden struct {
	seq     uint64
	visit   rating.VisitID // at whose end it shows, 0: never
	kind    rating.Kind
	latency time.Duration // of a press
}

// NewRecorder returns a Recorder before a log. Mono is the time since the machine started, as the records' own.
func NewRecorder(l Log, mono func() time.Duration, m *Metrics) *Recorder {
	return &Recorder{log: l, mono: mono, metrics: m}
}

// Append appends to the log.
func (r *Recorder) Append(bodies ...rating.Body) (first uint64, err error) {
	first, err = r.log.Append(bodies...)
	if err != nil {
		r.metrics.failed(bodies)
		return first, err
	}
	now := r.mono()
	r.mu.Lock()
	defer r.mu.Unlock()
	if first <= r.last { // the file was replaced and counts anew
		r.hidden = nil
	}
	for i, b := range bodies {
		r.last = first + uint64(i)
		r.appended(b, now)
	}
	if over := len(r.hidden) - maxHidden; over > 0 {
		r.hidden = r.hidden[over:]
	}
	return first, nil
}

// appended needs mu.
func (r *Recorder) appended(b rating.Body, now time.Duration) {
	h := hidden{seq: r.last, kind: b.Kind}
	switch {
	case b.Kind == rating.KindEvaluation && b.Evaluation.Replaces != 0, b.Kind == rating.KindReason:
	case b.Kind == rating.KindEvaluation:
		h.visit, h.latency = b.Evaluation.Visit, max(0, now-time.Duration(b.At.Mono)*time.Millisecond)
	case b.Kind == rating.KindVisit && b.Visit.Opener == rating.OpenedByWalkUp: // recorded with its press
		h.visit = b.Visit.ID
	case b.Kind == rating.KindVisit:
		r.metrics.opened.Inc()
		return
	case b.Kind == rating.KindOutcome:
		r.show(b.Outcome.Visit)
		r.metrics.ended.WithLabelValues(string(b.Outcome.Outcome)).Inc()
		return
	default:
		return
	}
	r.hidden = append(r.hidden, h)
}

// show counts what a visit has had recorded. It needs mu.
func (r *Recorder) show(id rating.VisitID) {
	r.hidden = slices.DeleteFunc(r.hidden, func(h hidden) bool {
		switch {
		case h.visit == 0 || h.visit != id:
			return false
		case h.kind == rating.KindVisit:
			r.metrics.opened.Inc()
		default:
			r.metrics.pressed(h.latency)
		}
		return true
	})
}

// Waiting returns how many of the pending records that come after released show. Corrections from before the daemon's start
// do; they do not move any more.
func (r *Recorder) Waiting(pending, released uint64) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	// What the centre has is not pending. Of an open visit it is still to be shown.
	r.hidden = slices.DeleteFunc(r.hidden, func(h hidden) bool { return h.visit == 0 && h.seq <= released })
	waits := uint64(0)
	for _, h := range r.hidden {
		if h.seq > released {
			waits++
		}
	}
	return pending - min(pending, waits)
}
