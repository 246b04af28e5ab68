package main

import (
	"testing"

	"haochaping/internal/rating"
)

// TestACardIsFoundHoweverItIsWritten looks for cards that lists and readers write differently. Two that are then the same are nobody's.
func TestACardIsFoundHoweverItIsWritten(t *testing.T) {
	r, err := newRoster(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	member := func(id, card string) rating.Member {
		return rating.Member{Staff: rating.Staff{ID: id, Name: id}, Card: card}
	}
	if err := r.replace([]rating.Member{member("1", "12345678"), member("2", "04:a3:22:b1"), member("3", "0009"), member("4", "9"),
		member("5", ""),
		member("6", "0")}); err != nil {
		t.Fatal(err)
	}
	for card, want := range map[string]string{
		"0012345678": "1", "12345678": "1", "04A322B1": "2", "04 A3 22 B1": "2", "4a322b1": "2", "0009": "3", "9": "4", "009": "", "": "",
		"00": "",
		"0":  "6", ":": "", "112345678": "",
	} {
		if got, ok := r.byCard(card); got.ID != want || ok != (want != "") {
			t.Errorf("%q is the card of %q, want %q", card, got.ID, want)
		}
	}
}
