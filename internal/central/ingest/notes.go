package ingest

import (
	"context"
	"sync"
	"time"

	"haochaping/internal/central/fleet"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// maxNotes bounds the devices of which something waits to be written: on a broker without logins anybody can invent names.
const maxNotes = 4096

// notes are what boxes have said of themselves since it was written last. Only the latest of each kind counts. Its methods are safe for
// concurrent use.
type notes struct {
	mu      sync.Mutex
	waiting map[rating.DeviceID]*fleet.Note // guarded by mu
	replies map[rating.DeviceID]bool        // guarded by mu; whose failed commands were logged; bounded as waiting is
	acked   map[rating.DeviceID]time.Time   // guarded by mu; enrolled boxes alone
}

func newNotes() *notes {
	return &notes{waiting: make(map[rating.DeviceID]*fleet.Note), replies: make(map[rating.DeviceID]bool),
		acked: make(map[rating.DeviceID]time.Time)}
}

// failed reports whether it is the first failed command of the device since the last flush.
func (n *notes) failed(d rating.DeviceID) (first bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.replies[d] || len(n.replies) >= maxNotes {
		return false
	}
	n.replies[d] = true
	return true
}

// of returns the note about a device, nil if there is no room for another. The caller holds mu.
func (n *notes) of(d rating.DeviceID) *fleet.Note {
	if n.waiting[d] == nil && len(n.waiting) < maxNotes {
		n.waiting[d] = &fleet.Note{Device: d}
	}
	return n.waiting[d]
}

func (n *notes) presence(d rating.DeviceID, p wire.Presence, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if note := n.of(d); note != nil {
		note.Presence, note.PresenceAt = &p, at
	}
}

func (n *notes) health(d rating.DeviceID, h wire.Health, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if note := n.of(d); note != nil {
		note.Health, note.HealthAt, note.AckedAt = &h, at, n.acked[d]
	}
}

// maxReplies bounds the answers of a box that wait to be written.
const maxReplies = 8

// replied notes a box's answer to a command of the pages.
func (n *notes) replied(d rating.DeviceID, r wire.Reply, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if note := n.of(d); note != nil && len(note.Replies) < maxReplies {
		note.Replies, note.RepliedAt = append(note.Replies, r), at
	}
}

// acknowledged notes that a batch was, which is written with the box's next health: a busy box must not keep the tables busy.
func (n *notes) acknowledged(d rating.DeviceID, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.acked[d] = at
}

// refuse reports whether it is the first refusal of the device since the last flush.
func (n *notes) refuse(d rating.DeviceID, why string, at time.Time) (first bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	note := n.of(d)
	if note == nil {
		return false
	}
	note.Refused++
	note.RefusedAt, note.RefusedWhy = at, why
	return note.Refused == 1
}

// flush writes the notes. What cannot be written is kept.
func (n *notes) flush(ctx context.Context, boxes Fleet) error {
	n.mu.Lock()
	clear(n.replies)
	waiting := n.waiting
	n.waiting = make(map[rating.DeviceID]*fleet.Note)
	n.mu.Unlock()
	if len(waiting) == 0 {
		return nil
	}
	var all []fleet.Note
	for _, note := range waiting {
		all = append(all, *note)
	}
	err := boxes.Note(ctx, all)
	if err != nil {
		n.restore(waiting)
	}
	return err
}

// restore puts back what could not be written, under what was said since.
func (n *notes) restore(old map[rating.DeviceID]*fleet.Note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for d, was := range old {
		is := n.of(d)
		if is == nil {
			continue
		}
		if is.Presence == nil {
			is.Presence, is.PresenceAt = was.Presence, was.PresenceAt
		}
		if is.Health == nil {
			is.Health, is.HealthAt, is.AckedAt = was.Health, was.HealthAt, was.AckedAt
		}
		if is.Refused == 0 {
			is.RefusedAt, is.RefusedWhy = was.RefusedAt, was.RefusedWhy
		}
		is.Refused += was.Refused
		if len(was.Replies) > 0 {
			is.Replies = append(was.Replies, is.Replies...)
			is.Replies, is.RepliedAt = is.Replies[:min(len(is.Replies), maxReplies)], was.RepliedAt
		}
	}
}
