package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// MaxParts is how many facts, answers or deadlines share a row.
const MaxParts = 500

// Told is a part of a row of the kind Cases: what a business system says of a case. Who the applicant is stands in a ciphertext.
type Told struct {
	Fact    rating.CaseFact `json:"fact"`
	Contact []byte          `json:"contact,omitempty"`
}

// Fact is what a business system says of a case, with the number by which its applicant is reached, empty if it says none.
type Fact struct {
	Fact    rating.CaseFact
	Contact string
}

// Answer is a part of a row of the kind Answered: what somebody said by a channel besides the box, about a case, about a theme as a whole,
// or about the person at a window that has no box.
type Answer struct {
	Case    rating.CaseKey `json:"case,omitzero"`
	Theme   string         `json:"theme,omitempty"`
	Visit   *rating.Visit  `json:"visit,omitempty"` // whose person the answer is about
	Level   rating.Level   `json:"level"`
	Channel rating.Channel `json:"channel"`
	At      int64          `json:"at"` // when it was given, milliseconds since 1970-01-01 UTC
	Reasons []string       `json:"reasons,omitempty"`
	Text    []byte         `json:"text,omitempty"` // ciphertext
	// Catalogue is the version of the catalogue that the reasons are of, 0 where it was not said.
	Catalogue uint32 `json:"catalogue,omitempty"`
	// Completed says that the case was completed where the answer was given: at a self-service terminal, which completes by itself.
	Completed bool `json:"completed,omitempty"`
	// By is who entered it later from paper, in order: the one and who has checked it. Row and receipt say when.
	By []string `json:"by,omitempty"`
}

// Subject returns what an answer is about.
func (a Answer) Subject() rating.Subject {
	if a.Visit != nil {
		return rating.StaffSubject
	}
	return rating.MatterSubject
}

// Passed is a part of a row of the kind Deadlines: silence about a completed matter has lasted until the deadline of article 14. It is no
// answer, and whether it stands for one is decided by what was answered before the deadline, however late that arrives.
type Passed struct {
	Case     rating.CaseKey `json:"case"`
	Deadline int64          `json:"deadline"`
	// Begins is when the period began as it was known then, 0 if that is not said. The silence has not lasted if it turns out to be later.
	Begins int64 `json:"begins,omitempty"`
	// LateHolds is the province's setting at that time: an answer after the deadline takes the default's place.
	LateHolds bool `json:"late_holds,omitempty"`
}

// Reminder is the part of a row of the kind Reminded: a case is reminded of, or is not, once.
type Reminder struct {
	Case    rating.CaseKey `json:"case"`
	Outcome string         `json:"outcome"` // Sending before the gateway is asked, or why it is not
	// Contact is the place of what said how the applicant is reached, as the books have it, 0 if nothing did.
	Contact int64 `json:"contact,omitempty"`
}

// The outcomes of a Reminder.
const (
	Sending   = "sending"
	NoContact = "no_contact" // nobody has said how the applicant is reached, or it was erased; when it is said anew, the case is reminded of
	Stopped   = "stopped"    // the number wants no messages
	Missed    = "missed"     // the deadline is near or past
)

// sealedParts returns parts with texts encrypted, each with a key of its own, and those keys wrapped.
func sealedParts[T any](j *Journal, all []T, seal func(T) (v any, text string, put func([]byte))) (parts, secrets [][]byte, err error) {
	if len(all) == 0 || len(all) > MaxParts {
		return nil, nil, fmt.Errorf("%d parts, 1 to %d are allowed", len(all), MaxParts)
	}
	parts, secrets = make([][]byte, len(all)), make([][]byte, len(all))
	for i := range all {
		v, text, put := seal(all[i])
		if text != "" {
			sealed, wrapped, err := j.encrypt([]byte(text))
			if err != nil {
				return nil, nil, err
			}
			secrets[i] = wrapped
			put(sealed)
		}
		if parts[i], err = json.Marshal(v); err != nil {
			return nil, nil, err
		}
	}
	return parts, secrets, nil
}

// Tell appends what a business system says of cases. A name that it has used already enters nothing.
func (j *Journal) Tell(ctx context.Context, source, name string, facts []Fact) (Receipt, error) {
	now := j.Now()
	for _, f := range facts {
		if err := f.Fact.Check(now); err != nil {
			return Receipt{}, fmt.Errorf("append facts of cases: %w", err)
		}
	}
	parts, secrets, err := sealedParts(j, facts, func(f Fact) (any, string, func([]byte)) {
		t := &Told{Fact: f.Fact}
		return t, f.Contact, func(b []byte) { t.Contact = b }
	})
	if err != nil {
		return Receipt{}, fmt.Errorf("append facts of cases: %w", err)
	}
	return j.sealed(ctx, Entry{Kind: Cases, Source: source, Name: name, Received: now, Parts: parts}, secrets)
}

// Answer appends answers by a channel. A name that the source has used already enters nothing.
func (j *Journal) Answer(ctx context.Context, source, name string, answers []Answer, texts []string) (Receipt, error) {
	type said struct {
		Answer
		text string
	}
	all := make([]said, len(answers))
	for i, a := range answers {
		all[i].Answer = a
		if i < len(texts) {
			all[i].text = texts[i]
		}
		if err := a.Check(); err != nil {
			return Receipt{}, fmt.Errorf("append answers: %w", err)
		}
	}
	parts, secrets, err := sealedParts(j, all, func(s said) (any, string, func([]byte)) {
		a := &s.Answer
		return a, s.text, func(b []byte) { a.Text = b }
	})
	if err != nil {
		return Receipt{}, fmt.Errorf("append answers: %w", err)
	}
	return j.sealed(ctx, Entry{Kind: Answered, Source: source, Name: name, Received: j.Now(), Parts: parts}, secrets)
}

// Check reports the first bound that a breaks.
func (a Answer) Check() error {
	var err error
	aboutCase, aboutTheme := a.Case != (rating.CaseKey{}), a.Theme != ""
	switch {
	case a.Visit != nil && (aboutCase || aboutTheme), a.Visit == nil && aboutCase == aboutTheme:
		return errors.New("an answer is about a case, about a theme, or about the person at a window")
	case a.Visit != nil:
		err = a.Visit.Check()
	case aboutCase:
		err = a.Case.Check()
	}
	if err != nil {
		return err
	}
	if a.Channel != rating.Phone && !slices.Contains(rating.Channels(), a.Channel) {
		return fmt.Errorf("channel %q is unknown", a.Channel)
	}
	// The bounds of level, reasons and codes are those of every evaluation.
	return rating.Evaluation{Visit: 1, Subject: a.Subject(), Case: a.Case.Project + a.Theme, Level: a.Level, Channel: rating.Phone,
		Reasons: a.Reasons}.Check()
}

func (j *Journal) sealed(ctx context.Context, e Entry, secrets [][]byte) (Receipt, error) {
	if e.Source == "" || e.Name == "" {
		return Receipt{}, errors.New("append a row: it has no source or no name, so that a repetition could not be told")
	}
	d, err := j.prepare(e)
	if err != nil {
		return Receipt{}, err
	}
	d.secrets = secrets
	return j.await(ctx, d)
}

// Pass appends that deadlines have passed.
func (j *Journal) Pass(ctx context.Context, source, name string, all []Passed) (Receipt, error) {
	parts, _, err := sealedParts(j, all, func(p Passed) (any, string, func([]byte)) { return p, "", nil })
	if err != nil {
		return Receipt{}, fmt.Errorf("append deadlines: %w", err)
	}
	return j.sealed(ctx, Entry{Kind: Deadlines, Source: source, Name: name, Received: j.Now(), Parts: parts}, nil)
}

// Remind appends that a case is reminded of, or why not. Entered is false in the receipt if it was before; one that could not be reached
// may be reminded of later.
func (j *Journal) Remind(ctx context.Context, source string, r Reminder,
	also func(ctx context.Context, tx *db.Tx, pos int64) error) (Receipt, error) {
	parts, err := act(r)
	if err != nil {
		return Receipt{}, err
	}
	name := r.Case.String()
	if r.Outcome == NoContact { // which is not the end of it
		name = fmt.Sprint(name, " ", NoContact, " ", r.Contact)
	}
	return j.Append(ctx, Entry{Kind: Reminded, Source: source, Name: name, Received: j.Now(), Parts: parts}, also)
}

// sealedText returns the ciphertext of a part, nil if it has none.
func (e Entry) sealedText(part int) ([]byte, error) {
	if part < 0 || part >= len(e.Parts) {
		return nil, nil
	}
	switch e.Kind {
	case Phone:
		var a PhoneAnswer
		err := json.Unmarshal(e.Parts[part], &a)
		return a.Text, err
	case Answered:
		var a Answer
		err := json.Unmarshal(e.Parts[part], &a)
		return a.Text, err
	case Cases:
		var t Told
		err := json.Unmarshal(e.Parts[part], &t)
		return t.Contact, err
	case Acted:
		var a Act
		err := json.Unmarshal(e.Parts[part], &a)
		return a.Text, err
	}
	return nil, nil
}
