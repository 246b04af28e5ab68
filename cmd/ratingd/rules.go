package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
)

// rulesNote is the name under which the store keeps what the levels above have set, as it was signed.
const rulesNote = "rules"

// refusedNote is the name of what this program could not take, for a later one.
const refusedNote = "rules_refused"

// mannerOf returns how a box asks: as its file says, but for the rules of the levels above.
func mannerOf(c boxconfig.Config, order [5]rating.Level, r rating.Rules) terminal.Manner {
	seconds := func(n int, own boxconfig.Duration) time.Duration {
		return cmp.Or(time.Duration(n)*time.Second, time.Duration(own))
	}
	m := terminal.Manner{
		Timings: terminal.Timings{Wait: seconds(r.Wait.Sec, c.Visit.Wait), Bounds: r.Wait, Thanks: seconds(r.ThanksSec, c.Visit.Thanks)},
		Reasons: terminal.Reasons{Order: order}, Texts: r.Texts,
	}
	asks := c.Reasons.Ask
	if r.AskReasons != nil {
		asks = *r.AskReasons
	}
	if asks {
		m.Reasons.Time = seconds(r.ReasonSec, c.Reasons.Time)
	}
	if r.Catalogue != nil {
		m.Reasons.Catalogue = *r.Catalogue
	}
	return m
}

// rulebook keeps what the levels above have set. It is safe for concurrent use.
type rulebook struct {
	notes notes
	log   *slog.Logger
	held  atomic.Pointer[string] // the rules by which the box goes, by RulesID
	fault chan rulesTaken        // of the last ones
}

// rulesTaken is why rules are not taken, nil: they are.
type rulesTaken struct{ why error }

// openRules returns the rulebook and the rules that were kept: those that an older program could not take, if this one can.
func openRules(n notes, log *slog.Logger) (*rulebook, rating.Rules) {
	b := &rulebook{notes: n, log: log, fault: make(chan rulesTaken, 1)}
	kept := n.Note(rulesNote)
	r, err := rating.ParseRules(kept)
	if refused := n.Note(refusedNote); refused != nil {
		var newer rating.Rules
		if newer, err = rating.ParseRules(refused); err == nil {
			kept, r = refused, newer
			err = b.keep(kept)
		}
	}
	if err != nil {
		b.say(err)
	}
	id := rating.RulesID(kept)
	b.held.Store(&id)
	return b, r
}

// take takes rules as they were signed, and reports whether they can be used. Those that this program does not understand leave the former
// ones as they are.
func (b *rulebook) take(signed json.RawMessage) (rating.Rules, bool) {
	r, err := rating.ParseRules(signed)
	b.say(err)
	if err != nil {
		b.log.Error("what the levels above have set is not taken; the box goes on as before", "error", err)
		return r, false
	}
	id := rating.RulesID(signed)
	if id != b.id() {
		b.log.Info("the levels above have set how this box asks", "rules", id)
	}
	b.held.Store(&id)
	return r, true
}

// keep keeps rules as they were signed for the next start, also those that only a later program can take.
func (b *rulebook) keep(signed json.RawMessage) error {
	name, other := rulesNote, refusedNote
	if _, err := rating.ParseRules(signed); err != nil {
		name, other = other, ""
	}
	for _, note := range []struct {
		name  string
		value []byte
	}{{name, signed}, {other, nil}} {
		if note.name == "" || bytes.Equal(b.notes.Note(note.name), note.value) {
			continue
		}
		if err := b.notes.SetNote(note.name, note.value); err != nil {
			return fmt.Errorf("keep what the levels above have set: %w", err)
		}
	}
	return nil
}

// id names the rules by which the box goes, empty: its own file alone.
func (b *rulebook) id() string { return *b.held.Load() }

// say leaves for run how it went, in place of what it has not read yet.
func (b *rulebook) say(err error) {
	select {
	case <-b.fault: // nobody has read it
	default:
	}
	b.fault <- rulesTaken{err}
}

// run tells how it went with the rules until ctx ends.
func (b *rulebook) run(ctx context.Context, report func(error)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case last := <-b.fault:
			report(last.why)
		}
	}
}
