package main

import (
	"fmt"

	"haochaping/device/keypad"
	"haochaping/display"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// mostHeard is how many of the last things that came are told.
const mostHeard = 24

// lessonStage is how far a lesson is that finds out more than the order of the keys.
type lessonStage uint8

const (
	stageUntouched lessonStage = iota // nobody touches the keypad
	stagePressed                      // each key is pressed twice
	stageReleased                     // keys of which it is not known what they send when they are let go
	stageAgain                        // all keys once more, in order
	stageLearnt
)

// lesson is one that finds out more than the order of the keys.
type lesson interface {
	// asked returns which level's key is to be pressed, 0 when all are learnt, and the step of it that the screen shows.
	asked() (rating.Level, display.LessonStep)
	// said is what the screen says of the last press, and of what was learnt.
	said() string
	// learnt returns what was learnt, and whether that is all.
	learnt() (learnt, bool)
	// parts returns what is known by now, for whoever asked for the lesson.
	parts() []wire.Part
}

// learnt is what was learnt of five keys, from the best level to the worst.
type learnt struct {
	codes      [5]string
	profile    *keypad.Learnt // of a serial keypad that was learnt with them, else nil
	activeHigh *bool          // of lines that were found, else nil
}

// heardList is what came during a lesson, in words.
type heardList []string

// note keeps what came, and forgets what came long before.
func (h *heardList) note(text string) {
	if *h = append(*h, text); len(*h) > mostHeard {
		*h = (*h)[1:]
	}
}

func (h heardList) parts() (all []wire.Part) {
	for i, s := range h {
		all = append(all, wire.Part{Name: fmt.Sprintf("%s%02d", wire.HeardPart, i+1), What: s})
	}
	return all
}
