package dossier

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// Dossier is what people decide upon.
type Dossier struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"` // by which it is opened once
	// Title is what it is about, in Chinese.
	Title  string          `json:"title"`
	Area   string          `json:"area,omitempty"` // 12 digits, empty: not known
	Hall   string          `json:"hall,omitempty"`
	Units  []string        `json:"units,omitempty"` // whose business it is, and those above
	Staff  string          `json:"staff,omitempty"` // the member of staff that it is about
	Found  json.RawMessage `json:"found,omitempty"` // what was found, as its kind has it
	State  State           `json:"state"`
	Opened int64           `json:"opened"`          // milliseconds since 1970-01-01 UTC, as all times
	Since  int64           `json:"since"`           // when it came into its state
	Owner  string          `json:"owner,omitempty"` // account or unit that is to do something
	Due    int64           `json:"due,omitempty"`   // by when, 0: by no day
	Draft  string          `json:"draft,omitempty"` // what the office writes
	Hands  []string        `json:"hands,omitempty"` // accounts whose hand is in the draft
	By     []string        `json:"by,omitempty"`    // accounts that have approved it
	Ended  Deed            `json:"ended,omitempty"` // the deed by which it was closed
	Told   bool            `json:"told,omitempty"`  // whom it concerns was once to do something about it
}

// Event is that something was done.
type Event struct {
	Do      Deed   `json:"do"`
	At      int64  `json:"at"`
	Account string `json:"account"`
	Owner   string `json:"owner,omitempty"`
	Due     int64  `json:"due,omitempty"`
	Draft   string `json:"draft,omitempty"`
	// After is the last row by which a dossier of the kind was published when it was looked whether this one can be, 0: it was not looked.
	After int64 `json:"after,omitempty"`
}

// Refusal says why something cannot be done, and what to do instead.
type Refusal struct{ Chinese, English string }

func (r *Refusal) Error() string { return r.Chinese + " · " + r.English }

func refuse(chinese, english string) error { return &Refusal{chinese, english} }

// Bounds of what is written, in characters.
const (
	leastWords = 4
	MostWords  = 1000
	MostDraft  = 4000
	mostTitle  = 200
)

// longest is how far off a day may be by which something is to be done.
const longest = 366 * 24 * time.Hour

// Apply returns a dossier as it is after an event, or a Refusal.
func Apply(d Dossier, e Event) (Dossier, error) {
	a, ok := d.Kind.About(e.Do)
	switch {
	case !ok:
		return d, refuse("没有这一操作。", "There is no such deed.")
	case !slices.Contains(a.From, d.State):
		return d, refuse(fmt.Sprintf("现在是“%s”，不能%s。", d.State.Chinese(d.Kind), a.Chinese),
			fmt.Sprintf("It is %s; %s is not possible now.", d.State, e.Do))
	case a.Other && slices.Contains(d.Hands, e.Account):
		return d, refuse("您参与过起草，须由他人审批。", "Your hand is in the draft; somebody else has to approve it.")
	case a.Owner && e.Owner == "":
		return d, refuse("请写明由谁办理。", "Say who is to do it.")
	case a.Due && (e.Due <= e.At || e.Due > e.At+longest.Milliseconds()):
		return d, refuse("请写明期限：今天以后、一年以内的日期。", "Name a day after today and within a year.")
	case a.Draft && (utf8.RuneCountInString(e.Draft) > MostDraft || !utf8.ValidString(e.Draft)):
		return d, refuse(fmt.Sprintf("文字最多 %d 字。", MostDraft), fmt.Sprintf("At most %d characters.", MostDraft))
	}
	d.State, d.Since, d.Ended = a.To, e.At, ""
	d.Told = d.Told || a.To == Assigned
	if a.To == Closed {
		d.Ended = e.Do
	}
	if a.Owner {
		d.Owner = e.Owner
	}
	switch {
	case a.Due:
		d.Due = e.Due
	case a.To != Assigned:
		d.Due = 0
	}
	if a.Draft {
		d.Draft = e.Draft
	}
	if (a.Draft || e.Do == Submit || e.Do == Issue) && !slices.Contains(d.Hands, e.Account) {
		d.Hands = append(slices.Clone(d.Hands), e.Account)
	}
	switch {
	case e.Do == Approve:
		d.By = append(slices.Clone(d.By), e.Account)
	case a.To == Waiting:
		d.By = nil
	}
	return d, nil
}

// Next returns what can be done about a dossier now.
func (d Dossier) Next() []About {
	return slices.DeleteFunc(d.Kind.Deeds(), func(a About) bool { return !slices.Contains(a.From, d.State) })
}

// Late reports whether what was to be done by a day is not done.
func (d Dossier) Late(now time.Time) bool { return d.Due > 0 && d.Due <= now.UnixMilli() }

// check reports what is wrong with a dossier that is to be opened.
func (d Dossier) check() error {
	switch {
	case len(d.Kind.Deeds()) == 0:
		return fmt.Errorf("a dossier of the unknown kind %q", d.Kind)
	case d.Name == "" || d.Title == "" || utf8.RuneCountInString(d.Title) > mostTitle:
		return fmt.Errorf("a dossier needs a name, and a title of at most %d characters", mostTitle)
	}
	return nil
}
