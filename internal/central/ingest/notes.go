package ingest

import (
	"context"
	"time"

	"haochaping/internal/central/ledger"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// maxNotes bounds the devices of which something waits to be written: on a broker without logins anybody can invent names.
const maxNotes = 4096

// notes are what boxes have said of themselves since it was written last. Only the latest of each kind counts.
type notes struct {
	waiting map[rating.DeviceID]*ledger.Note
	replies map[rating.DeviceID]bool // whose failed commands were logged; bounded as waiting is
}

func newNotes() notes {
	return notes{make(map[rating.DeviceID]*ledger.Note), make(map[rating.DeviceID]bool)}
}

// failed reports whether it is the first failed command of the device since the last flush.
func (n *notes) failed(d rating.DeviceID) (first bool) {
	if n.replies[d] || len(n.replies) >= maxNotes {
		return false
	}
	n.replies[d] = true
	return true
}

// of returns the note about a device, nil if there is no room for another.
func (n *notes) of(d rating.DeviceID) *ledger.Note {
	if n.waiting[d] == nil && len(n.waiting) < maxNotes {
		n.waiting[d] = &ledger.Note{Device: d}
	}
	return n.waiting[d]
}

func (n *notes) presence(d rating.DeviceID, p wire.Presence, at time.Time) {
	if note := n.of(d); note != nil {
		note.Presence, note.PresenceAt = &p, at
	}
}

func (n *notes) health(d rating.DeviceID, h wire.Health, at time.Time) {
	if note := n.of(d); note != nil {
		note.Health, note.HealthAt = &h, at
	}
}

// refuse reports whether it is the first refusal of the device since the last flush.
func (n *notes) refuse(d rating.DeviceID, why string, at time.Time) (first bool) {
	note := n.of(d)
	if note == nil {
		return false
	}
	note.Refused++
	note.RefusedAt, note.RefusedWhy = at, why
	return note.Refused == 1
}

// flush writes the notes. What cannot be written is kept.
func (n *notes) flush(ctx context.Context, books Books) error {
	clear(n.replies)
	if len(n.waiting) == 0 {
		return nil
	}
	var all []ledger.Note
	for _, note := range n.waiting {
		all = append(all, *note)
	}
	if err := books.Note(ctx, all); err != nil {
		return err
	}
	clear(n.waiting)
	return nil
}
