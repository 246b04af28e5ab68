package deadline

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"haochaping/internal/central/db"
)

// Note is a message about something else than a rating that is missing: about the work on one that there is.
type Note struct {
	Name   string // tells it from others, and a repetition
	Number string
	Text   string // {letter} in it is what a reply names it by
	About  string // what a reply to it answers, empty: nothing
	Area   string // where that is, 12 digits
}

// Outcome is what became of a note.
type Outcome string

// The outcomes.
const (
	Sent    Outcome = "sent"    // the gateway has taken it
	Refused Outcome = "refused" // the gateway has not
	Stopped Outcome = "stopped" // the number wants no messages
	Unclear Outcome = "unclear" // nobody knows
)

// ErrNight says that nobody is written to now, or that there is no gateway.
var ErrNight = errors.New("nobody is written to now")

// Awake reports whether notes can be sent now.
func (d *Deadlines) Awake() bool { return d.cfg.Gateway != nil && d.awake() }

// noteID returns the id of a note's message.
func noteID(name string) string {
	id := sha256.Sum256([]byte("note " + name))
	return fmt.Sprintf("%x", id[:8])
}

// notedMark begins what a request is about that asks for no rating. No key of a case begins so.
const notedMark = "@"

func noted(area, about string) string { return notedMark + area + " " + about }

// Write sends a note, by the rules of reminders: by day, and not to who has stopped. What the gateway does not take is not sent again.
func (d *Deadlines) Write(ctx context.Context, n Note) (Outcome, error) {
	if !d.Awake() {
		return "", ErrNight
	}
	stopped, err := d.Stopped(ctx, n.Number)
	if err != nil {
		return "", err
	}
	if stopped {
		return Stopped, nil
	}
	id, letter := noteID(n.Name), ""
	if n.About != "" {
		err := d.db.Write(ctx, func(tx *db.Tx) (err error) {
			letter, err = d.ask(ctx, tx, id, noted(n.Area, n.About), n.Number)
			return err
		})
		if err != nil {
			return "", fmt.Errorf("note what a number is asked: %w", err)
		}
	}
	err = d.cfg.Gateway.Send(ctx, Message{id, n.Number, strings.ReplaceAll(n.Text, "{letter}", letter)})
	switch {
	case ctx.Err() != nil: // what became of it is asked when somebody works again
		return "", ctx.Err()
	case errors.Is(err, ErrUnclear):
		d.cfg.Logger.Warn("it is not known whether a message about an order was sent; it is not sent again", "error", err)
		if outcome, err := d.Became(ctx, n.Name); err == nil {
			return outcome, nil
		}
		return Unclear, nil
	case err != nil:
		d.cfg.Logger.Warn("the gateway did not take a message about an order; it is not sent again", "error", err)
		return Refused, d.forget(ctx, id)
	}
	return Sent, nil
}

// Became returns what has become of a note whose outcome was lost, as far as the gateway can say.
func (d *Deadlines) Became(ctx context.Context, name string) (Outcome, error) {
	g, ok := d.cfg.Gateway.(Asker)
	if !ok {
		return Unclear, nil
	}
	taken, known, err := g.Took(ctx, noteID(name))
	switch {
	case err != nil || !known:
		return Unclear, err
	case !taken:
		return Refused, d.forget(ctx, noteID(name))
	}
	return Sent, nil
}

// Over has no reply wait any more for a note.
func (d *Deadlines) Over(ctx context.Context, name string) error {
	err := d.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE message_request SET answered = $1 WHERE id = $2 AND answered = 0", d.cfg.Now().UnixMilli(),
			noteID(name))
		return err
	})
	if err != nil {
		return fmt.Errorf("note that a question is over: %w", err)
	}
	return nil
}

// forget drops a request that did not reach anybody.
func (d *Deadlines) forget(ctx context.Context, id string) error {
	err := d.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM message_request WHERE id = $1", id)
		return err
	})
	if err != nil {
		return fmt.Errorf("forget a question that was not sent: %w", err)
	}
	return nil
}
