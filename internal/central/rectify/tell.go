package rectify

import (
	"context"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/rating"
)

// Told is a part of an order as programs read it, by the API and by the webhook. It has no words of people.
type Told struct {
	ID        string       `json:"id"` // order and part, as 412-1
	State     State        `json:"state"`
	Means     string       `json:"means"` // in Chinese
	Unit      string       `json:"unit,omitempty"`
	UnitName  string       `json:"unit_name,omitempty"`
	Area      string       `json:"area,omitempty"`
	Level     rating.Level `json:"level,omitempty"`     // of a rating
	Complaint Way          `json:"complaint,omitempty"` // by which a complaint came
	Number    string       `json:"number,omitempty"`    // by which whoever took the complaint knows it
	Matter    string       `json:"matter,omitempty"`
	Place     string       `json:"place,omitempty"`
	RatedAt   time.Time    `json:"rated_at"`      // when the citizen has rated or complained
	Due       *time.Time   `json:"due,omitempty"` // the first moment that is too late; nothing is to be done without it
	Left      *int         `json:"days_left,omitempty"`
	Urgency   Urgency      `json:"urgency,omitempty"`
	Days      int          `json:"days"` // working days of the unit, an extension with them
	Ends      time.Time    `json:"ends"` // when they are over
	Changed   int64        `json:"changed"`
	Named     bool         `json:"named"`
}

// Tell returns a part as programs read it.
func (o *Orders) Tell(ctx context.Context, l Listed) (Told, error) {
	a, err := o.cfg.Directory.Atlas(ctx)
	if err != nil {
		return Told{}, err
	}
	now, zone := o.cfg.Now(), rating.Shanghai()
	t := Told{ID: l.Name(), State: l.Body.State, Means: l.Body.State.Chinese(), Unit: l.Body.Unit, Area: l.Body.Area, Level: l.About.Level,
		Matter: l.About.Matter, Place: l.About.Place, RatedAt: time.UnixMilli(l.About.RatedAt).In(zone), Days: l.Body.Days,
		Ends:    o.cfg.Terms.End(l.Body).At.In(zone),
		Changed: l.Changed, Named: l.Body.Named}
	if c := l.About.Complaint; c != nil {
		t.Complaint, t.Number = c.Way, c.Number
	}
	if u, ok := a.At(directory.Unit, l.Body.Unit, directory.DayOf(now)); ok {
		t.UnitName = u.Name
	}
	if l.Due == 0 {
		return t, nil
	}
	due := time.UnixMilli(l.Due).In(zone)
	left, late := o.cfg.Terms.Left(due, now)
	if late {
		left = -left
	}
	t.Due, t.Left, t.Urgency = &due, &left, o.cfg.Terms.Urgency(due, now)
	return t, nil
}
