package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/boxconfig"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
)

// kept is a store's notes in memory, which may be broken.
type kept struct {
	notes map[string][]byte
	err   error
}

func (k *kept) Note(key string) []byte { return k.notes[key] }

func (k *kept) SetNote(key string, value []byte) error {
	if k.err != nil {
		return k.err
	}
	if k.notes[key] = value; value == nil {
		delete(k.notes, key)
	}
	return nil
}

// TestTheManner: what the levels above have set goes before the box's file, and only that.
func TestTheManner(t *testing.T) {
	order := [5]rating.Level{1, 2, 3, 4, 5}
	c := boxconfig.Default()
	own := terminal.Manner{Timings: terminal.Timings{Wait: time.Minute, Thanks: 5 * time.Second},
		Reasons: terminal.Reasons{Order: order, Time: 8 * time.Second}}
	if diff := cmp.Diff(own, mannerOf(c, order, rating.Rules{})); diff != "" {
		t.Errorf("without rules (-want +got):\n%s", diff)
	}
	set := own
	set.Timings.Thanks, set.Reasons.Time = 3*time.Second, 0
	if diff := cmp.Diff(set, mannerOf(c, order, rating.Rules{ThanksSec: 3, AskReasons: new(false), ReasonSec: 9})); diff != "" {
		t.Errorf("without reasons (-want +got):\n%s", diff)
	}
	c.Reasons.Ask = false
	set.Timings.Thanks, set.Reasons.Time = 5*time.Second, 8*time.Second
	if diff := cmp.Diff(set, mannerOf(c, order, rating.Rules{AskReasons: new(true)})); diff != "" {
		t.Errorf("with reasons (-want +got):\n%s", diff)
	}
}

// TestRulesOfALaterProgram: rules that the program does not know are told, leave the former ones as they are, and are taken by a later
// program.
func TestRulesOfALaterProgram(t *testing.T) {
	n := &kept{notes: make(map[string][]byte)}
	b, r := openRules(n, slog.New(slog.DiscardHandler))
	if b.id() != "" || r.ThanksSec != 0 {
		t.Fatalf("a new box goes by %+v", r)
	}
	first, later := json.RawMessage(`{"thanks_sec":4}`), json.RawMessage(`{"thanks_sec":6,"candle":true}`)
	for _, signed := range []json.RawMessage{first, later} {
		_, ok := b.take(signed)
		if ok != (string(signed) == string(first)) || b.id() != rating.RulesID(first) {
			t.Errorf("%s: taken %t, goes by %s", signed, ok, b.id())
		}
		if last := <-b.fault; (last.why == nil) != ok {
			t.Errorf("%s: says %v", signed, last.why)
		}
		if err := b.keep(signed); err != nil {
			t.Fatal(err)
		}
	}
	b, r = openRules(n, slog.New(slog.DiscardHandler))
	if last := <-b.fault; last.why == nil || r.ThanksSec != 4 || b.id() != rating.RulesID(first) {
		t.Errorf("after a restart the box goes by %+v and says %v", r, last.why)
	}
	n.notes[refusedNote] = []byte(`{"thanks_sec":6}`) // as a later program reads it
	if b, r = openRules(n, slog.New(slog.DiscardHandler)); r.ThanksSec != 6 || b.id() != rating.RulesID([]byte(`{"thanks_sec":6}`)) {
		t.Errorf("a later program goes by %+v", r)
	}
	if n.Note(refusedNote) != nil || string(n.Note(rulesNote)) != `{"thanks_sec":6}` {
		t.Errorf("kept are %q", n.notes)
	}
	if err := b.keep(nil); err != nil || n.Note(rulesNote) != nil {
		t.Errorf("what is set no more is kept: %q, %v", n.notes, err)
	}
	n.err = errors.New("the disk is full")
	if err := b.keep(first); err == nil {
		t.Error("a full disk has kept the rules")
	}
}
