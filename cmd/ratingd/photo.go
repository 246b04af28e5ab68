package main

import (
	"bytes"
	"image"
	"log/slog"

	"haochaping/internal/rating"
)

// photos decodes the photo of who serves, once. It belongs to the goroutine that draws the screen, so that a photo never
// holds up a key.
type photos struct {
	staff *roster
	log   *slog.Logger

	raw  []byte
	last image.Image // nil if raw cannot be read
}

// of returns the photo of the member with a staff number, nil if there is none that can be shown.
func (p *photos) of(id string) image.Image {
	raw := p.staff.photo(id)
	if raw == nil {
		return nil
	}
	if bytes.Equal(raw, p.raw) {
		return p.last
	}
	p.raw, p.last = raw, nil
	m, err := rating.DecodePhoto(raw)
	if err != nil {
		p.log.Warn("a photo cannot be shown; the window works without it", "staff", id, "error", err)
		return nil
	}
	p.last = m
	return m
}
