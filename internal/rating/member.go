package rating

import (
	"bytes"
	"fmt"
	"strings"
)

// Bounds of what a window knows of its staff. They keep a configuration small enough for a line of 1 KB/s.
const (
	MaxMembers = 64
	MaxPhoto   = 24 << 10 // bytes of a photo
	MaxPhotos  = 96 << 10 // bytes of all photos of a window
)

// Member is one of the people who may serve at a window.
type Member struct {
	Staff
	Card  string `json:"card,omitempty"`  // what a card reader reads from their card
	Photo []byte `json:"photo,omitempty"` // a JPEG
}

// CardDigits returns what two ways to write one card's number have in common: its digits and letters, the latter large, without zeros
// before them. A list that went through a spreadsheet has lost zeros, and readers write 04:a3:22:b1 as 04A322B1.
func CardDigits(number string) string {
	return strings.TrimLeft(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z':
			return r
		}
		return -1
	}, number), "0")
}

// CheckRoster reports the first reason why a list of members could not be used: nobody could tell who signed in, or the
// screen not show it. Whether a photo can be drawn is what DecodePhoto says.
func CheckRoster(all []Member) error {
	if len(all) > MaxMembers {
		return fmt.Errorf("%d members of staff, at most %d are allowed", len(all), MaxMembers)
	}
	ids, cards, photos := make(map[string]bool), make(map[string]bool), 0
	for _, m := range all {
		switch {
		case m.ID == "":
			return fmt.Errorf("member %q: the staff number is missing", m.Name)
		case ids[m.ID]:
			return fmt.Errorf("member %s: the staff number stands twice", m.ID)
		case m.Card != "" && cards[m.Card]:
			return fmt.Errorf("member %s: another one has the same card", m.ID)
		case len(m.Photo) > MaxPhoto:
			return fmt.Errorf("member %s: the photo has %d bytes, at most %d are allowed; save it smaller, 240 x 300 pixels do", m.ID, len(m.Photo),
				MaxPhoto)
		case len(m.Photo) > 0 && !bytes.HasPrefix(m.Photo, []byte("\xff\xd8\xff")):
			return fmt.Errorf("member %s: the photo is no JPEG", m.ID)
		}
		ids[m.ID], cards[m.Card] = true, true
		if photos += len(m.Photo); photos > MaxPhotos {
			return fmt.Errorf("the photos have more than %d bytes in all; save them smaller", MaxPhotos)
		}
		if err := firstError(m.check("member "+m.ID), checkCode("card", m.Card)); err != nil {
			return err
		}
	}
	return nil
}
