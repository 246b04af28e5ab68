package main

import (
	"crypto"
	"encoding/json"
	"fmt"

	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
	"haochaping/sync/wire"
)

// identity is who the box is.
type identity struct {
	device rating.DeviceID
	key    crypto.Signer
}

func (i identity) public() []byte { return recordkey.Public(i.key) }

func (i identity) algorithm() recordkey.Algorithm { return recordkey.Of(i.public()) }

func (i identity) fingerprint() string { return wire.Fingerprint(i.public()) }

// windowNote is the name under which the store keeps the window that the centre last assigned, so that the box knows its
// place when it starts without network.
const windowNote = "window"

// notes is the part of the store that keeps small state.
type notes interface {
	Note(key string) []byte
	SetNote(key string, value []byte) error
}

// keptWindow returns the window of the last configuration, nil if there was none.
func keptWindow(n notes) (*rating.Window, error) {
	b := n.Note(windowNote)
	if b == nil {
		return nil, nil
	}
	var w rating.Window
	if err := json.Unmarshal(b, &w); err != nil {
		return nil, fmt.Errorf("read the kept window: %w", err)
	}
	return &w, w.Check()
}

func keepWindow(n notes, w rating.Window) error {
	b, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("keep the window: %w", err)
	}
	return n.SetNote(windowNote, b)
}
