package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"haochaping/internal/rating"
)

// staffNote is the name under which the store keeps who is signed in.
const staffNote = "staff"

// keptStaff returns who was signed in when the box went down, empty if nobody was.
func keptStaff(n notes) (rating.Staff, error) {
	var s rating.Staff
	b := n.Note(staffNote)
	if b == nil {
		return s, nil
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return rating.Staff{}, fmt.Errorf("read who was signed in: %w", err)
	}
	return s, nil
}

func keepStaff(n notes, s rating.Staff) error {
	if s == (rating.Staff{}) {
		if n.Note(staffNote) == nil {
			return nil
		}
		return n.SetNote(staffNote, nil)
	}
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("keep who is signed in: %w", err)
	}
	if bytes.Equal(n.Note(staffNote), b) { // a PC may sign in whoever is signed in at each of its pages
		return nil
	}
	return n.SetNote(staffNote, b)
}
