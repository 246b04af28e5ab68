package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync/atomic"

	"haochaping/internal/keptfile"
	"haochaping/internal/rating"
)

// rosterFile is where the box keeps those who may sign in. It is too large to lie beside the log, whose every page that
// changes is written at a press.
const rosterFile = "roster.json"

// roster is those who may sign in at the window. It is safe for concurrent use.
type roster struct {
	path string
	all  atomic.Pointer[[]rating.Member]
}

// newRoster returns the roster of the last configuration. With an error it is empty, until the centre sends it again.
func newRoster(state string) (*roster, error) {
	r := &roster{path: filepath.Join(state, rosterFile)}
	r.all.Store(&[]rating.Member{})
	b, err := keptfile.ReadSmall(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	var all []rating.Member
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err == nil {
		err = rating.CheckRoster(all)
	}
	if err != nil {
		return r, fmt.Errorf("read the window's staff: %w", err)
	}
	r.all.Store(&all)
	return r, nil
}

// replace takes the roster of a new configuration and keeps it for the next start.
func (r *roster) replace(all []rating.Member) error {
	r.all.Store(&all)
	b, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("keep the window's staff: %w", err)
	}
	return keptfile.Replace(r.path, b)
}

// member returns the first member for which f holds.
func (r *roster) member(f func(rating.Member) bool) (rating.Member, bool) {
	for _, m := range *r.all.Load() {
		if f(m) {
			return m, true
		}
	}
	return rating.Member{}, false
}

// lists reports whether a member has that number.
func (r *roster) lists(id string) bool {
	_, ok := r.member(func(m rating.Member) bool { return m.ID == id && id != "" })
	return ok
}

// byCard returns whose card it is: who has it in the list as the reader reads it, or the only one who has it written in another way.
func (r *roster) byCard(number string) (rating.Staff, bool) {
	if m, ok := r.member(func(m rating.Member) bool { return m.Card == number && number != "" }); ok {
		return m.Staff, true
	}
	digits := rating.CardDigits(number)
	var found []rating.Staff
	for _, m := range *r.all.Load() {
		if digits != "" && rating.CardDigits(m.Card) == digits {
			found = append(found, m.Staff)
		}
	}
	if len(found) != 1 {
		return rating.Staff{}, false
	}
	return found[0], true
}

// complete returns s with the name and department that the roster has for its number, where s has none.
func (r *roster) complete(s rating.Staff) rating.Staff {
	if m, ok := r.member(func(m rating.Member) bool { return m.ID == s.ID && s.ID != "" }); ok {
		if s.Name == "" {
			s.Name = m.Name
		}
		if s.Department == "" {
			s.Department = m.Department
		}
	}
	return s
}

// photo returns a member's photo as a JPEG, nil if there is none.
func (r *roster) photo(id string) []byte {
	m, _ := r.member(func(m rating.Member) bool { return m.ID == id && id != "" })
	return m.Photo
}
