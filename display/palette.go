package display

import (
	"image/color"

	"haochaping/internal/rating"
)

// The palette. Text has a contrast of at least 7:1 against what it stands on, and the tiles' colours are told apart by
// people with any common kind of colour blindness (after Okabe and Ito, 2008); nothing is said by colour alone.
var (
	paper   = color.RGBA{0xf4, 0xf6, 0xf8, 0xff}
	card    = color.RGBA{0xff, 0xff, 0xff, 0xff}
	inkDark = color.RGBA{0x16, 0x20, 0x2b, 0xff}
	inkSoft = color.RGBA{0x3d, 0x4a, 0x57, 0xff}
	band    = color.RGBA{0x0b, 0x35, 0x5c, 0xff}
	edge    = color.RGBA{0xc9, 0xd2, 0xda, 0xff}
	warning = color.RGBA{0xff, 0xd9, 0x66, 0xff}
)

// skin returns the colour of a level's face.
func skin(l rating.Level) color.RGBA {
	switch l {
	case rating.VerySatisfied:
		return color.RGBA{0x00, 0xb0, 0x80, 0xff}
	case rating.Satisfied:
		return color.RGBA{0x56, 0xb4, 0xe9, 0xff}
	case rating.FairlySatisfied:
		return color.RGBA{0xf0, 0xe4, 0x42, 0xff}
	case rating.Dissatisfied:
		return color.RGBA{0xe6, 0x9f, 0x00, 0xff}
	}
	return color.RGBA{0xe0, 0x6c, 0x1e, 0xff}
}
