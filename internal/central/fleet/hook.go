package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
	"haochaping/internal/webhook"
)

const (
	// hookPause is how often it is looked for alerts that were not told.
	hookPause = 10 * time.Second
	// hookLease is how long another instance waits for one that was telling.
	hookLease = 5 * time.Minute
	// hookLife is how long an alert is worth telling.
	hookLife = 24 * time.Hour
	// hookAtOnce is how many are told in one round, which may take hookRound, so that it ends within the lease.
	hookAtOnce = 500
	hookRound  = 4 * time.Minute
)

// Hook posts alerts to a server when they open and when they end, signed as Standard Webhooks 1.0 has it. What is not answered by 2xx is
// posted again for a day, under the same webhook-id, by which the server knows it. What was not posted in vain goes before what was, so
// that none hides another. One instance posts at a time.
type Hook struct {
	Fleet  *Fleet
	Leases Leases
	URL    string
	Secret webhook.Secret
	Now    func() time.Time
	Logger *slog.Logger
}

// hookLeaseName is the lease of the instance that posts.
const hookLeaseName = "fleet webhook"

// Run posts until ctx ends, and gives back the lease.
func (h Hook) Run(ctx context.Context) error {
	tick := time.NewTicker(hookPause)
	defer tick.Stop()
	for failing := ""; ; {
		err := h.Tell(ctx)
		switch {
		case ctx.Err() != nil:
			return h.Leases.ReleaseAtEnd(ctx, hookLeaseName)
		case err == nil:
			failing = ""
		case err.Error() != failing:
			failing = err.Error()
			h.Logger.Error("alerts do not reach alerts.webhook_url; they are on the page, and are posted again", "error", err)
		}
		select {
		case <-ctx.Done():
			return h.Leases.ReleaseAtEnd(ctx, hookLeaseName)
		case <-tick.C:
		}
	}
}

// untold is an alert of which the server has not heard something.
type untold struct {
	Alert
	opened bool // it has not heard that it opened
}

// Tell posts what was not told, if no other instance does. What the server refuses does not keep it from hearing of the rest.
func (h Hook) Tell(ctx context.Context) error {
	held, err := h.Leases.Acquire(ctx, hookLeaseName, hookLease)
	if err != nil || !held {
		return err
	}
	all, err := h.untold(ctx)
	if err != nil {
		return fmt.Errorf("read the alerts that were not told: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, hookRound)
	defer cancel()
	var refused error
	for _, u := range all {
		err := h.tell(ctx, u)
		if err == nil {
			continue
		}
		if noted := h.tried(ctx, u); noted != nil {
			return errors.Join(err, noted)
		}
		var status webhook.StatusError
		if !errors.As(err, &status) {
			return errors.Join(refused, err)
		}
		refused = err
	}
	return refused
}

// tried notes that an alert was posted in vain, also where the time for it is over.
func (h Hook) tried(ctx context.Context, u untold) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return h.set(ctx, "tried", u.ID)
}

// set writes that something of an alert is now.
func (h Hook) set(ctx context.Context, column, id string) error {
	err := h.Fleet.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE fleet_alert SET "+column+" = $1 WHERE id = $2", h.Now().UnixMilli(), id)
		return err
	})
	if err != nil {
		return fmt.Errorf("note of an alert whether it was told: %w", err)
	}
	return nil
}

// untold returns the alerts that are worth telling, those tried least recently first, of which the oldest first.
func (h Hook) untold(ctx context.Context) ([]untold, error) {
	since := h.Now().Add(-hookLife).UnixMilli()
	return db.Query(ctx, h.Fleet.db, func(s db.Scanner) (u untold, err error) {
		var since, opened, ended, told int64
		err = s.Scan(&u.ID, &u.Kind, &u.Device, &u.Hall, &u.Area, &u.Name, &u.Detail, &since, &opened, &ended, &told)
		u.Since, u.Opened, u.Ended, u.opened = moment(since), moment(opened), moment(ended), told == 0
		return u, err
	}, `SELECT id, kind, device, hall, area, name, detail, since, opened, coalesce(ended, 0), coalesce(told_opened, 0) FROM fleet_alert
		WHERE told_opened IS NULL AND opened > $1 OR told_ended IS NULL AND ended > $1 ORDER BY tried, opened, id LIMIT $2`, since, hookAtOnce)
}

// tell posts an alert, and notes it.
func (h Hook) tell(ctx context.Context, u untold) error {
	what, column := "opened", "told_opened"
	if !u.opened {
		what, column = "ended", "told_ended"
	}
	if err := h.post(ctx, u.Alert, what); err != nil {
		return err
	}
	return h.set(ctx, column, u.ID)
}

// message is the body of a post.
type message struct {
	Type      string `json:"type"` // fleet.alert.opened, fleet.alert.ended
	Timestamp string `json:"timestamp"`
	Data      struct {
		ID     string          `json:"id"`
		Kind   AlertKind       `json:"kind"`
		Device rating.DeviceID `json:"device,omitempty"`
		Hall   string          `json:"hall,omitempty"`
		Area   string          `json:"area,omitempty"`
		Name   string          `json:"name"`
		Detail string          `json:"detail"`
		Since  string          `json:"since"`
	} `json:"data"`
}

// post posts that an alert has opened or ended.
func (h Hook) post(ctx context.Context, a Alert, what string) error {
	at := a.Opened
	if what == "ended" {
		at = a.Ended
	}
	text := func(t time.Time) string { return t.In(rating.Shanghai()).Format(time.RFC3339) }
	m := message{Type: "fleet.alert." + what, Timestamp: text(at)}
	m.Data.ID, m.Data.Kind, m.Data.Device, m.Data.Hall, m.Data.Area, m.Data.Name, m.Data.Detail, m.Data.Since = a.ID, a.Kind, a.Device, a.Hall,
		a.Area, a.Name, a.Detail, text(a.Since)
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return h.Secret.Post(ctx, h.URL, a.ID+"-"+what, h.Now(), body)
}
