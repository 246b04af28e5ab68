package replica

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"haochaping/internal/central/journal"
	"haochaping/internal/keptfile"
)

// Fault is why a copy does not go on.
type Fault string

// The faults.
const (
	Line    Fault = "line"    // the centre is not reached, or does not answer as it should; it is tried again
	Token   Fault = "token"   // the centre does not know the token; it is tried again
	Changed Fault = "changed" // ErrChanged; the process has ended
	Renamed Fault = "renamed" // ErrOtherOrigin; the process has ended
)

// ErrToken says that the centre does not know the token.
var ErrToken = errors.New("it does not know the token; its SHA-256 must stand in the centre's seal.tokens_file")

// FaultOf returns what fault an error of Step is, empty for nil.
func FaultOf(err error) Fault {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrChanged):
		return Changed
	case errors.Is(err, ErrOtherOrigin):
		return Renamed
	case errors.Is(err, ErrToken):
		return Token
	}
	return Line
}

// Ends reports whether nothing goes on until somebody has looked.
func (f Fault) Ends() bool { return f == Changed || f == Renamed }

// Status is what a process that copies records of its work, for the pages of its own centre.
type Status struct {
	URL     string        `json:"url"`
	Every   time.Duration `json:"every"` // how often it looks
	Origin  string        `json:"origin,omitempty"`
	Rows    int64         `json:"rows"`             // that are here
	Root    string        `json:"root,omitempty"`   // of the tree over them, as the centre has signed it, in hex
	Looked  time.Time     `json:"looked,omitzero"`  // when it was looked last
	Heard   time.Time     `json:"heard,omitzero"`   // when the centre last answered as it should
	Grown   time.Time     `json:"grown,omitzero"`   // when rows last came
	Failing time.Time     `json:"failing,omitzero"` // since when there is a fault; zero: there is none
	Fault   Fault         `json:"fault,omitempty"`
	Words   string        `json:"words,omitempty"` // of the fault, for technicians
}

// After returns the status after a Step that has ended as it says.
func (s Status) After(head journal.Checkpoint, more bool, err error, now time.Time) Status {
	s.Looked, s.Fault, s.Words = now, FaultOf(err), ""
	if head.Size > 0 {
		s.Origin, s.Rows, s.Root = head.Origin, head.Size, hex.EncodeToString(head.Root[:])
	}
	if more {
		s.Grown = now
	}
	switch {
	case err == nil:
		s.Heard, s.Failing = now, time.Time{}
	case s.Failing.IsZero():
		s.Failing = now
	}
	if err != nil {
		s.Words = err.Error()
	}
	return s
}

// silence is how long a process that looks often may write nothing: at most a page's patience, a large head and a busy machine.
const silence = 10 * time.Minute

// Stands reports whether the process does not run any more, as far as can be seen at a time.
func (s Status) Stands(now time.Time) bool { return now.Sub(s.Looked) > max(silence, 3*s.Every) }

// Verification is how a copy was verified last.
type Verification struct {
	At    time.Time `json:"at"`
	Sound bool      `json:"sound"`
	Words string    `json:"words,omitempty"` // of what differs
}

const (
	statusFile   = "status.json"
	verifiedFile = "verified.json"
)

// Keep writes the status into a copy's folder.
func (s Status) Keep(folder string) error { return keep(filepath.Join(folder, statusFile), s) }

// Keep writes how the copy was verified into its folder.
func (v Verification) Keep(folder string) error { return keep(filepath.Join(folder, verifiedFile), v) }

func keep(path string, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		err = keptfile.Replace(path, b)
	}
	if err != nil {
		return fmt.Errorf("record how the copy is: %w", err)
	}
	return nil
}

// Recorded is what a copy's folder says: nothing yet where both are nil.
type Recorded struct {
	Status   *Status
	Verified *Verification
}

// Read reads what a copy's folder says.
func Read(folder string) (r Recorded, err error) {
	if r.Status, err = read[Status](filepath.Join(folder, statusFile)); err != nil {
		return r, err
	}
	r.Verified, err = read[Verification](filepath.Join(folder, verifiedFile))
	return r, err
}

func read[T any](path string) (*T, error) {
	b, err := keptfile.ReadSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	v := new(T)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return nil, fmt.Errorf("read how a copy is: %w", err)
	}
	return v, nil
}
