package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"

	"haochaping/internal/boxconfig"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
)

// catalogueFile is where the catalogue of reasons is read. Without one no reasons are asked for, and the keys count.
type catalogueFile struct {
	path string // empty for the built-in catalogue
	read func(rating.Catalogue)
}

// run reads the catalogue once, and fails until that succeeds.
func (f catalogueFile) run(ctx context.Context, report func(error)) error {
	c, err := boxconfig.Catalogue(f.path)
	if err != nil {
		return err
	}
	f.read(c)
	report(nil)
	return idle(ctx)
}

// kindsNote is the name under which the store keeps which kinds of records the centre has said that it knows.
const kindsNote = "kinds"

// knownKinds is what a centre has last said of the kinds of records that it knows.
type knownKinds struct {
	Centre []byte        `json:"centre"` // its key
	Kinds  []rating.Kind `json:"kinds"`
}

// keptKinds returns what the centre with a key had said, nothing if it never has.
func keptKinds(n notes, centre boxconfig.PublicKey) ([]rating.Kind, error) {
	b := n.Note(kindsNote)
	if b == nil {
		return nil, nil
	}
	var known knownKinds
	if err := json.Unmarshal(b, &known); err != nil {
		return nil, fmt.Errorf("read which records the centre knows: %w", err)
	}
	if !bytes.Equal(known.Centre, centre) { // the box has moved to another centre since
		return nil, nil
	}
	return known.Kinds, nil
}

// kinds takes what the centre says of the kinds of records that it knows.
type kinds struct {
	notes  notes
	centre boxconfig.PublicKey
	loop   *terminal.Loop
	clock  clock
	log    *slog.Logger
	known  []rating.Kind
}

// said takes what the centre says with an acknowledgement, mostly the same. The uplink calls it from one goroutine at a time. A
// centre that says nothing is older than the question.
func (k *kinds) said(all []rating.Kind) {
	if slices.Equal(all, k.known) {
		return
	}
	k.known = all
	b, err := json.Marshal(knownKinds{k.centre, all})
	if err == nil {
		err = k.notes.SetNote(kindsNote, b)
	}
	if err != nil {
		k.log.Error("which records the centre knows cannot be kept; after a restart it says so anew", "error", err)
	}
	k.log.Info("the centre has said which records it knows", "kinds", all, "reasons", slices.Contains(all, rating.KindReason))
	k.loop.Post(terminal.KindsKnown{At: k.clock.now(), Kinds: all})
}
