package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"haochaping/internal/keptfile"
)

// standing is how a box that enrols stands with the centre when it starts.
type standing struct {
	board  string // on which it stands, empty where that has no number
	moved  bool   // it was accepted on another one
	barred bool   // the centre did not let it in when it was last asked
}

// out reports whether citizens are not to be asked: what they answer might never count.
func (s standing) out() bool { return s.moved || s.barred }

// Names under which the store keeps where a box was accepted, and that it is not.
const (
	boardNote  = "board"
	barredNote = "barred"
)

// stands reads how the box stands. One that has not said yet where it was accepted was accepted here.
func stands(n notes, board string) (standing, error) {
	s := standing{board: board, barred: string(n.Note(barredNote)) == "yes"}
	switch kept := string(n.Note(boardNote)); {
	case board == "" || kept == board:
	case kept == "":
		return s, keepBoard(n, board)
	default:
		s.moved = true
	}
	return s, nil
}

func keepBoard(n notes, board string) error {
	if board == "" || string(n.Note(boardNote)) == board {
		return nil
	}
	if err := n.SetNote(boardNote, []byte(board)); err != nil {
		return fmt.Errorf("keep the board's name: %w", err)
	}
	return nil
}

func keepBarred(n notes, yes bool) error {
	word := "no"
	if yes {
		word = "yes"
	}
	return n.SetNote(barredNote, []byte(word))
}

// boardName returns a name of this board, made of its serial number, empty where it has none that anybody may read.
func boardName(file string) string {
	b, err := keptfile.ReadSmall(file)
	number := strings.Trim(string(b), "\x00 \t\r\n0")
	if err != nil || number == "" {
		return ""
	}
	const length = 8 // bytes
	sum := sha256.Sum256([]byte("hcp/1 board\n" + number))
	return hex.EncodeToString(sum[:length])
}
