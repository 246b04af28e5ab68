package windowapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"haochaping/internal/webhook"
)

// Webhook posts each event of a Journal to a server of the hall, in their order, signed as Standard Webhooks 1.0 has it: the
// header webhook-signature is "v1," and the HMAC-SHA256 of webhook-id, webhook-timestamp and the body, joined by dots.
//
// What is not answered by 2xx is sent again, at most for a day, and for ten minutes where the answer is that the event is wrong
// (400, 413, 415, 422); from the same event after a restart. A server that answers 410 is not called until the next start.
type Webhook struct {
	URL     string
	Secret  webhook.Secret
	Client  *http.Client
	Journal *Journal
	// Position returns the name of the last event that was taken, empty if there is none; Keep keeps it.
	Position func() string
	Keep     func(id string) error
	Now      func() time.Time
	Random   func() float64 // in [0,1)
	// Report is told when the receiver takes events, by nil, and when it has not for a while.
	Report func(error)
	Logger *slog.Logger
}

const (
	webhookFirstPause = time.Second
	webhookMaxPause   = 5 * time.Minute
	webhookLife       = 24 * time.Hour   // of an event
	webhookRefused    = 10 * time.Minute // of one that the receiver understands and does not want: others wait behind it
	webhookTimeout    = 15 * time.Second
	webhookPatience   = 10 * time.Second // before a receiver that takes nothing is a trouble
)

// errGone says that the receiver wants no more.
var errGone = errors.New("the receiver answers 410 Gone")

// errRefused says that the receiver will not take this event, as far as it knows.
var errRefused = errors.New("the receiver refuses it")

// Run delivers until ctx ends. Call it once, when the Journal is loaded. It returns nil.
func (h *Webhook) Run(ctx context.Context) error {
	c := h.begin()
	for ctx.Err() == nil {
		events, next, missed, more := h.Journal.next(c)
		if missed > 0 {
			h.Logger.Warn("events were too old for the webhook", "missed", missed)
		}
		for _, e := range events {
			if err := h.deliver(ctx, e); err != nil {
				if ctx.Err() == nil {
					h.Report(err)
					h.Logger.Error("the webhook wants no more events; it is not called until ratingd starts again")
				}
				<-ctx.Done()
				return nil
			}
		}
		c = next
		select {
		case <-more:
		case <-ctx.Done():
		}
	}
	return nil
}

// begin returns where to go on. A receiver that is new gets what happens from this start on, and after a power cut during its
// first visit the end of that.
func (h *Webhook) begin() cursor {
	last := h.Position()
	if last == "" {
		c := h.Journal.begun()
		if id, ok := h.Journal.before(c); ok {
			h.keep(id)
		}
		return c
	}
	c, ok := h.Journal.after(last)
	if !ok {
		h.Logger.Warn("the webhook's last event is no longer remembered; it goes on with the oldest that is")
	}
	return c
}

func (h *Webhook) keep(id string) {
	if err := h.Keep(id); err != nil {
		h.Logger.Error("the webhook's place cannot be kept; after a restart events are missed or come again", "error", err)
	}
}

// deliver posts an event until it is taken or too old. It returns an error when there is nothing more to do.
func (h *Webhook) deliver(ctx context.Context, e Event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	pause := webhookFirstPause
	for first := h.Now(); ; {
		err := h.post(ctx, e.ID, body)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, errGone) {
			return err
		}
		// The age is that of our own trying: what the clock said at the event may have been a rumour.
		tried := h.Now().Sub(first)
		if err == nil || tried >= webhookPatience {
			h.Report(err)
		}
		if err == nil || tried > webhookLife || errors.Is(err, errRefused) && tried > webhookRefused {
			if err != nil {
				h.Logger.Error("an event was not delivered to the webhook and is dropped", "event", e.ID, "after", tried, "error", err)
			}
			if e.Type != VisitEnded {
				return nil // a write now could make the press wait that ends this visit
			}
			h.keep(e.ID)
			return nil
		}
		h.Logger.Warn("the webhook did not take an event; it is sent again", "event", e.ID, "in", pause, "error", err)
		timer := time.NewTimer(time.Duration(float64(pause) * (0.5 + h.Random())))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		pause = min(2*pause, webhookMaxPause)
	}
}

func (h *Webhook) post(ctx context.Context, id string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "haochaping")
	h.Secret.Sign(r.Header, id, h.Now(), body)
	resp, err := h.Client.Do(r)
	var address *url.Error
	if errors.As(err, &address) {
		err = address.Err // without the address, in which many a receiver's password stands
	}
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	switch {
	case resp.StatusCode == http.StatusGone:
		return errGone
	case slices.Contains([]int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
		http.StatusUnprocessableEntity}, resp.StatusCode):
		// Any other answer may be about the receiver and not about the event.
		return fmt.Errorf("%w: %s", errRefused, resp.Status)
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("the receiver answers %s", resp.Status)
	}
	return nil
}
