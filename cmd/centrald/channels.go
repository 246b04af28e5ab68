package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/web/live"
	"haochaping/internal/rating"
)

// unitOf returns which unit an evaluation is about: that of the window where it was given, as on that day, else that which handled the case. It is empty
// where nobody knows.
func (x *rooms) unitOf(ctx context.Context, h books.Heard) (string, error) {
	if h.Post.Device == "" {
		return h.Unit, nil
	}
	a, err := x.directory.Atlas(ctx)
	if err != nil {
		return "", err
	}
	p, ok := a.Place(h.Post.Device, h.Post.Window, h.Post.Generation, h.At)
	if !ok {
		return "", nil
	}
	return p.Unit().ID, nil
}

// silences returns the channels of units that are silent, with whose they are today.
func (x *rooms) silences(ctx context.Context) (all []live.Silence, err error) {
	found, err := x.deadlines.Silences(ctx)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	a, err := x.directory.Atlas(ctx)
	if err != nil {
		return nil, err
	}
	today := directory.DayOf(time.UnixMilli(x.journal.Now()))
	for _, f := range found {
		s := live.Silence{Silence: f, Name: f.Unit}
		for i, u := range a.Units(f.Unit, today) {
			if i == 0 {
				s.Name, s.Whose.Area = u.Name, u.Area
			}
			s.Whose.Units = append(s.Whose.Units, u.ID)
		}
		all = append(all, s)
	}
	return all, nil
}

// listedSilence returns a silent channel as a finding is listed.
func listedSilence(s live.Silence) listedFinding {
	return listedFinding{Kind: "silent_channel", Unit: s.Unit, Source: string(s.Channel), Found: s.Since,
		Detail: fmt.Sprintf("%s was rated by %s (%s) last on %s", cmp.Or(s.Name, s.Unit), s.Channel, s.Channel.Chinese(), s.Last.In(rating.Shanghai()).Format(time.DateOnly)),
		Means:  "Nobody has rated the unit by this channel for more working days than deadline.silent_days says, though somebody did before. The channel may be broken.",
		Do:     "Try the channel: press a key, open the code, send a message. It is no finding any more when the next rating comes, or after a year in which none does."}
}
