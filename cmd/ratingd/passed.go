package main

import (
	"fmt"
	"runtime/debug"
	"time"
)

// passedNote is the name under which the store keeps a time that has surely passed, for a start with a clock that nobody has
// set: package uplink says what for.
const passedNote = "passed"

// passedStep is how much later a time must be to be worth a write to the memory card.
const passedStep = 6 * time.Hour

// keptPassed returns the kept time, or that of the program's last change if that is later.
func keptPassed(n notes) (time.Time, error) {
	passed := builtAt()
	b := n.Note(passedNote)
	if b == nil {
		return passed, nil
	}
	var kept time.Time
	if err := kept.UnmarshalText(b); err != nil {
		return passed, fmt.Errorf("read the kept time: %w", err)
	}
	if kept.After(passed) {
		passed = kept
	}
	return passed, nil
}

func keepPassed(n notes, at time.Time) error {
	b, err := at.UTC().MarshalText()
	if err != nil {
		return fmt.Errorf("keep the time: %w", err)
	}
	return n.SetNote(passedNote, b)
}

// builtAt returns when the program's source was changed last, zero if the build does not say.
func builtAt() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			at, err := time.Parse(time.RFC3339, s.Value)
			if err == nil {
				return at
			}
		}
	}
	return time.Time{}
}
