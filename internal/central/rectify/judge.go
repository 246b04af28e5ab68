package rectify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
)

// asked names what a citizen is written about: a deed about a part, by its moment.
func (k Kept) asked(at int64) string { return fmt.Sprintf("%d-%d.%d", k.Order, k.Part, at) }

// parseAsked is the inverse of asked.
func parseAsked(about string) (order, part, at int64, err error) {
	if _, err := fmt.Sscanf(about, "%d-%d.%d", &order, &part, &at); err != nil {
		return 0, 0, 0, fmt.Errorf("%q names nothing that a citizen is written about: %w", about, err)
	}
	return order, part, at, nil
}

// Judge takes what a citizen who was asked by message thinks of the work on their rating (article 18: 通过电话、短信等方式进行回访), and reports whether
// that was still asked. It is taken once, by whatever way it comes; the same again is taken already. Words may be empty.
func (o *Orders) Judge(ctx context.Context, about string, satisfied bool, words string) (taken bool, err error) {
	order, part, at, err := parseAsked(about)
	if err != nil {
		return false, err
	}
	e := Event{Do: Dissatisfied, Days: Days, Of: at, Method: ByMessage}
	if satisfied {
		e = Event{Do: Satisfied, Of: at, Method: ByMessage}
	}
	for range attempts {
		_, k, err := o.part(ctx, order, part)
		if errors.Is(err, ErrNoOrder) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		taken, err = o.byCitizen(ctx, "judged "+about, k, e, words)
		if !errors.Is(err, ErrMeanwhile) {
			return taken, err
		}
	}
	return false, ErrMeanwhile
}

// byCitizen enters what a citizen says about a part, under a name that tells a repetition, and reports whether it is there now. It is
// ErrMeanwhile if somebody else was faster.
func (o *Orders) byCitizen(ctx context.Context, name string, k Kept, e Event, words string) (bool, error) {
	e.At = max(o.now(), k.Body.Since)
	data, err := json.Marshal(Done{k.Changed, e})
	if err != nil {
		return false, err
	}
	a := journal.Act{Do: prefix + string(e.Do), Object: objectOf(k.Order, k.Part), Data: data, Domain: k.Body.Area, Few: k.Body.Secret}
	r, err := o.say(ctx, Citizen, name, a, clippedWords(words))
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		return false, nil
	case err != nil || r.Entered:
		return err == nil, err
	}
	return o.saidBefore(ctx, r.Pos, a.Do, clippedWords(words))
}

// saidBefore reports whether a row says the same, so that nothing is lost where it is not entered again. Of words that were erased nobody
// knows.
func (o *Orders) saidBefore(ctx context.Context, pos int64, do, words string) (bool, error) {
	a, err := o.actAt(ctx, pos)
	if err != nil || a.Do != do || words == "" {
		return a.Do == do, err
	}
	text, err := o.cfg.Journal.Text(ctx, pos, 0)
	return text == words, erased(err)
}

// Judged returns what the citizen has written about a part when they were asked what they think, empty if nothing or it was erased. It is
// no part of the history: like the text of a rating it is shown for a reason.
func (o *Orders) Judged(ctx context.Context, order, part int64) (string, error) {
	history, err := o.History(ctx, order, NoClues)
	if err != nil {
		return "", err
	}
	var all []string
	for _, s := range history {
		if s.Part != part || !s.Judged {
			continue
		}
		text, err := o.cfg.Journal.Text(ctx, s.Pos, 0)
		if erased(err) != nil {
			return "", err
		}
		if text != "" {
			all = append(all, text)
		}
	}
	return strings.Join(all, "\n"), nil
}

// Asked is what the page behind a message's link shows. It names nobody, and not what was rated.
type Asked struct {
	Asks  bool      // whether a judgement is still waited for
	Unit  string    // name
	Words string    // what was done, as the office has passed it; or why it takes longer
	Until time.Time // when that time is over, zero unless it takes longer
}

// Asked returns what a citizen was written about, ErrNoOrder if nothing. Of what they keep the receipt of nothing was.
func (o *Orders) Asked(ctx context.Context, about string) (v Asked, err error) {
	if strings.HasPrefix(about, receipts) {
		return v, nil
	}
	order, part, at, err := parseAsked(about)
	if err != nil {
		return v, err
	}
	_, k, err := o.part(ctx, order, part)
	if err != nil {
		return v, err
	}
	all, err := o.History(ctx, order, NoClues)
	if err != nil {
		return v, err
	}
	a, err := o.cfg.Directory.Atlas(ctx)
	if err != nil {
		return v, err
	}
	if u, ok := a.At(directory.Unit, k.Body.Unit, directory.DayOf(o.cfg.Now())); ok {
		v.Unit = u.Name
	}
	replied := ""
	for _, s := range all {
		switch {
		case s.Part != part:
		case s.Do == Reply:
			replied = s.Text
		case s.Event.At == at && s.Do == Ask:
			v.Asks, v.Words = k.Body.State == FollowingUp && k.Body.Asked == at, replied
			return v, nil
		case s.Event.At == at && (s.Do == Uphold || s.Do == Grant): // the page shows how it stands, and takes an appeal
			return v, nil
		case s.Event.At == at && s.Do == Extend:
			v.Words, v.Until = s.Text, o.cfg.Terms.End(k.Body).At
			return v, nil
		}
	}
	return v, ErrNoOrder
}

// actAt returns the act that a row of the journal is.
func (o *Orders) actAt(ctx context.Context, pos int64) (journal.Act, error) {
	e, err := o.cfg.Journal.Entry(ctx, pos)
	if err != nil {
		return journal.Act{}, err
	}
	return e.Act()
}

// doneOf returns the deed that an act says was done, false if it says none.
func doneOf(a journal.Act) (Event, bool, error) {
	do := Deed(strings.TrimPrefix(a.Do, prefix))
	if _, ok := do.About(); !ok {
		return Event{}, false, nil
	}
	var d Done
	err := json.Unmarshal(a.Data, &d)
	d.Event.Do = do
	return d.Event, true, err
}
