package opsapi

import (
	"sync"
	"time"

	"haochaping/internal/rating"
)

// Log is where the box records.
type Log interface {
	Append(bodies ...rating.Body) (first uint64, err error)
}

// maxCorrections bounds how many corrections are remembered while the centre is not reached; older ones count as records.
const maxCorrections = 100_000

// Recorder is a Log that counts what goes through it. It is safe for concurrent use if its Log is.
type Recorder struct {
	log     Log
	mono    func() time.Duration
	metrics *Metrics

	mu          sync.Mutex
	last        uint64   // guarded by mu; seq of the newest record
	corrections []uint64 // guarded by mu; seqs of evaluations that replace another, oldest first
}

// NewRecorder returns a Recorder before a log. Mono is the time since the machine started, as the records' own.
func NewRecorder(l Log, mono func() time.Duration, m *Metrics) *Recorder {
	return &Recorder{log: l, mono: mono, metrics: m}
}

// Append appends to the log.
func (r *Recorder) Append(bodies ...rating.Body) (first uint64, err error) {
	first, err = r.log.Append(bodies...)
	r.metrics.recorded(bodies, r.mono(), err)
	if err != nil {
		return first, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if first <= r.last { // the file was replaced and counts anew
		r.corrections = nil
	}
	for i, b := range bodies {
		r.last = first + uint64(i)
		if b.Kind == rating.KindEvaluation && b.Evaluation.Replaces != 0 {
			r.corrections = append(r.corrections, r.last)
		}
	}
	if over := len(r.corrections) - maxCorrections; over > 0 {
		r.corrections = r.corrections[over:]
	}
	return first, nil
}

// Waiting returns how many of the pending records that come after released are no corrections. Corrections from before
// the daemon's start count; they do not move any more.
func (r *Recorder) Waiting(pending, released uint64) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.corrections) > 0 && r.corrections[0] <= released {
		r.corrections = r.corrections[1:]
	}
	return pending - min(pending, uint64(len(r.corrections)))
}
