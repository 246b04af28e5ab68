package main

import (
	"context"
	"fmt"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/deadline"
	"haochaping/internal/central/directory"
	"haochaping/internal/condition"
	"haochaping/internal/rating"
)

// unitOf returns which unit an evaluation is about: that of the window where it was given, as on that day, else that which handled the
// case. It is empty where nobody knows.
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

// listedSilence returns a silent channel as a finding is listed.
func (x *rooms) listedSilence(ctx context.Context, s deadline.Silence) (listedFinding, error) {
	a, err := x.directory.Atlas(ctx)
	if err != nil {
		return listedFinding{}, err
	}
	name := s.Unit
	if u, ok := a.At(directory.Unit, s.Unit, directory.DayOf(time.UnixMilli(x.journal.Now()))); ok {
		name = u.Name
	}
	day := s.Last.In(rating.Shanghai()).Format(time.DateOnly)
	return listedFinding{Kind: "silent_channel", Unit: s.Unit, Source: string(s.Channel), Found: s.Since,
		Detail: condition.Text{ZH: fmt.Sprintf("%s最后一次通过%s收到评价是 %s", name, s.Channel.Chinese(), day),
			EN: fmt.Sprintf("%s was rated by %s last on %s", name, s.Channel, day)},
		Means: condition.Text{ZH: "以前有人用这个渠道评价该单位，此后超过 deadline.silent_days 个工作日没有，渠道可能已中断。",
			EN: "Nobody has rated the unit by this channel for more working days than deadline.silent_days says, though somebody did before. The " +
				"channel may be broken."},
		Do: condition.Text{ZH: "试一试这个渠道：按键、打开二维码、发短信。再有评价时，或一年没有评价之后，不再列出。",
			EN: "Try the channel: press a key, open the code, send a message. It is no finding any more when the next rating comes, or after a " +
				"year in which none does."}}, nil
}
