package rectify

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"haochaping/internal/rating"
	"haochaping/internal/webhook"
)

const (
	hookName  = "orders webhook" // the lease of the instance that posts
	hookPause = 5 * time.Second
	hookLife  = 24 * time.Hour // how long an act is posted that is not taken
)

// Hook posts what is done about orders to a server, as to a province's own 整改 system, in the order in which it was done, signed as Standard
// Webhooks 1.0 has it. What is not answered by 2xx is posted again for a day, under the same webhook-id; what comes after it waits for so
// long. One instance posts at a time. Clues (article 23) are not posted. What was done before this first ran is read by the API.
type Hook struct {
	Orders *Orders
	URL    string
	Secret webhook.Secret
	Logger *slog.Logger
}

// Run posts until ctx ends, and gives back the lease.
func (h Hook) Run(ctx context.Context) error {
	tick := time.NewTicker(hookPause)
	defer tick.Stop()
	said := ""
	for {
		err := h.Once(ctx)
		switch {
		case ctx.Err() != nil:
			return h.Orders.giveBack(ctx, hookName)
		case err == nil:
			said = ""
		case err.Error() != said:
			said = err.Error()
			h.Logger.Error("what is done about orders does not reach orders.webhook_url; it is posted again for a day", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// Once posts what was not posted, if no other instance does.
func (h Hook) Once(ctx context.Context) error {
	post := func(ctx context.Context, u untold, noted func() error) error {
		if err := h.tell(ctx, u); err != nil {
			return err
		}
		return noted()
	}
	return h.Orders.tellEach(ctx, hookName, byHook, func() bool { return true }, post)
}

// tell posts an act: of an opening, each part of the order. It passes over clues, and what was not taken for a day.
func (h Hook) tell(ctx context.Context, u untold) error {
	o := h.Orders
	e, err := o.cfg.Journal.Entry(ctx, u.pos)
	if err != nil {
		return err
	}
	a, err := e.Act()
	if err != nil || a.Few {
		return err
	}
	x, err := o.Order(ctx, u.order)
	if err != nil {
		return err
	}
	done, _, err := doneOf(a) // none of an opening
	if err != nil {
		return err
	}
	for _, k := range x.Parts {
		if u.part != 0 && u.part != k.Part || k.Body.Secret || done.Do == Refer {
			continue
		}
		t, err := o.Tell(ctx, Listed{Kept: k, About: x.About})
		if err != nil {
			return err
		}
		err = h.post(ctx, fmt.Sprintf("order-%d-%d", u.pos, k.Part), e.Received, done, t)
		if err != nil && o.now()-e.Received > hookLife.Milliseconds() {
			h.Logger.Error("orders.webhook_url has not taken this for a day; it is left out, and the API has how things stand", "order", t.ID,
				"error", err)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// message is the body of a post.
type message struct {
	Type      string `json:"type"` // order.opened, order.changed
	Timestamp string `json:"timestamp"`
	Data      posted `json:"data"`
}

// posted is how the part stands now, and what was done.
type posted struct {
	Do     Deed   `json:"do,omitempty"`
	Method Method `json:"method,omitempty"` // of what was said to the citizen, or tried
	Result Result `json:"result,omitempty"` // what came of it
	Side   Side   `json:"side,omitempty"`   // of an appeal
	Told
}

func (h Hook) post(ctx context.Context, id string, at int64, d Event, t Told) error {
	m := message{Type: "order.changed", Timestamp: time.UnixMilli(at).In(rating.Shanghai()).Format(time.RFC3339),
		Data: posted{d.Do, d.Method, d.Result, d.Side, t}}
	if d.Do == "" {
		m.Type = "order.opened"
	}
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return h.Secret.Post(ctx, h.URL, id, h.Orders.cfg.Now(), body)
}
