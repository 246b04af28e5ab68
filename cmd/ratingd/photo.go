package main

import (
	"bytes"
	"fmt"
	"image"

	"haochaping/internal/crash"
	"haochaping/internal/rating"
)

// photos decodes the photo of who serves, once. It belongs to the goroutine that draws the screen, so that a photo never
// holds up a key.
type photos struct {
	staff  *roster
	report func(error)

	raw  []byte
	last image.Image // nil if raw cannot be read
}

// of returns the photo of the member with a staff number, nil if there is none that can be shown.
func (p *photos) of(id string) image.Image {
	raw := p.staff.photo(id)
	if raw == nil {
		if p.raw != nil {
			p.raw, p.last = nil, nil
			p.report(nil)
		}
		return nil
	}
	if bytes.Equal(raw, p.raw) {
		return p.last
	}
	p.raw, p.last = raw, nil
	var m image.Image
	err := crash.Contain(func() (err error) { m, err = rating.DecodePhoto(raw); return err })
	if err != nil {
		p.report(fmt.Errorf("the photo of the staff number %s: %w", id, err))
		return nil
	}
	p.report(nil)
	p.last = m
	return m
}
