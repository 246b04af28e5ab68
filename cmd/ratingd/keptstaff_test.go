package main

import (
	"testing"

	"haochaping/internal/rating"
)

// notebook is notes in memory that counts how often they are written.
type notebook struct {
	all    map[string][]byte
	writes int
}

func (n *notebook) Note(key string) []byte { return n.all[key] }

func (n *notebook) SetNote(key string, value []byte) error {
	n.writes++
	n.all[key] = value
	return nil
}

// TestStaffIsKeptOnce holds that a PC which signs in whoever is signed in has nothing written, for which a press would wait.
func TestStaffIsKeptOnce(t *testing.T) {
	n := &notebook{all: make(map[string][]byte)}
	wang := rating.Staff{ID: "0417", Name: "王丽"}
	for _, step := range []struct {
		staff  rating.Staff
		writes int
	}{{rating.Staff{}, 0}, {wang, 1}, {wang, 1}, {rating.Staff{ID: "0417"}, 2}, {rating.Staff{}, 3}, {rating.Staff{}, 3}} {
		if err := keepStaff(n, step.staff); err != nil {
			t.Fatal(err)
		}
		if got, err := keptStaff(n); err != nil || got != step.staff || n.writes != step.writes {
			t.Errorf("kept %+v, %v after %d writes, want %+v after %d", got, err, n.writes, step.staff, step.writes)
		}
	}
}
