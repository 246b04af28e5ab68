package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
)

// loadReasons returns how the box asks for reasons. A catalogue that cannot be used is reported, and no reasons are asked for:
// the keys count without them.
func loadReasons(c boxconfig.Reasons, order [5]rating.Level, log *slog.Logger) terminal.Reasons {
	if !c.Ask {
		return terminal.Reasons{}
	}
	catalogue, err := boxconfig.Catalogue(c.Catalogue)
	if err != nil {
		log.Error("the catalogue of reasons cannot be used; no reasons are asked for until it is mended and the box restarted", "field", "reasons.catalogue", "error", err)
		return terminal.Reasons{}
	}
	return terminal.Reasons{Catalogue: catalogue, Order: order, Time: time.Duration(c.Time)}
}

// kindsNote is the name under which the store keeps which kinds of records the centre has said that it knows.
const kindsNote = "kinds"

// kinds is what the centre has last said of the kinds of records that it knows.
type kinds struct {
	notes notes
	loop  *terminal.Loop
	clock clock
	log   *slog.Logger
	known []rating.Kind
}

// keptKinds returns what the centre had said, nothing if it never has.
func keptKinds(n notes) (all []rating.Kind, err error) {
	b := n.Note(kindsNote)
	if b == nil {
		return nil, nil
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("read which records the centre knows: %w", err)
	}
	return all, nil
}

// said takes what the centre says with an acknowledgement, mostly the same. The uplink calls it from one goroutine at a time. A
// centre that says nothing is older than the question.
func (k *kinds) said(all []rating.Kind) {
	if slices.Equal(all, k.known) {
		return
	}
	k.known = all
	b, err := json.Marshal(all)
	if err == nil {
		err = k.notes.SetNote(kindsNote, b)
	}
	if err != nil {
		k.log.Error("which records the centre knows cannot be kept; after a restart it says so anew", "error", err)
	}
	k.loop.Post(terminal.KindsKnown{At: k.clock.now(), Kinds: all})
}
