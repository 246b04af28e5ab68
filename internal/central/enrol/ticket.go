package enrol

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/fleet"
	"haochaping/internal/provision"
)

// Ticket lets boxes into a hall, each at its next window that has none.
type Ticket struct {
	ID      string
	Hall    string
	First   string // the windows count up from this one
	Uses    int64
	Used    int64
	Account string // by whom it was made
	Made    time.Time
	Ends    time.Time
	Revoked time.Time // zero: it is not
}

// Open reports whether the ticket still lets a box in.
func (t Ticket) Open(now time.Time) bool {
	return t.Revoked.IsZero() && now.Before(t.Ends) && t.Used < t.Uses
}

const readTicket = "SELECT id, hall, first_window, uses, used, account, made, ends, revoked FROM enrol_ticket "

func scanTicket(s db.Scanner) (t Ticket, err error) {
	var made, ends, revoked int64
	err = s.Scan(&t.ID, &t.Hall, &t.First, &t.Uses, &t.Used, &t.Account, &made, &ends, &revoked)
	t.Made, t.Ends = time.UnixMilli(made), time.UnixMilli(ends)
	if revoked > 0 {
		t.Revoked = time.UnixMilli(revoked)
	}
	return t, err
}

// ErrNoTicket says that there is no ticket of that name.
var ErrNoTicket = errors.New("there is no such ticket")

// NewTicket returns a ticket that nobody has. It holds from its act on, in whose transaction MakeTicket writes it.
func (r *Room) NewTicket(hall, first string, uses int, life time.Duration, account string) (Ticket, error) {
	var drawn [18]byte
	if _, err := io.ReadFull(r.random, drawn[:]); err != nil {
		return Ticket{}, fmt.Errorf("draw a ticket: %w", err)
	}
	if uses < 1 || uses > provision.MaxTicketUses || life <= 0 || life > provision.MaxTicketLife {
		return Ticket{}, fmt.Errorf("a ticket lets in 1 to %d boxes for at most %s", provision.MaxTicketUses, provision.MaxTicketLife)
	}
	now := r.now().Truncate(time.Second)
	return Ticket{ID: base64.RawURLEncoding.EncodeToString(drawn[:]), Hall: hall, First: first, Uses: int64(uses), Account: account, Made: now,
		Ends: now.Add(life)}, nil
}

// MakeTicket writes a ticket, in the transaction of the act by which it is made.
func MakeTicket(ctx context.Context, tx *db.Tx, t Ticket) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM enrol_ticket WHERE ends < $1", t.Made.Add(-remembered).UnixMilli()); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO enrol_ticket (id, hall, first_window, uses, account, made, ends) VALUES "+
		"($1, $2, $3, $4, $5, $6, $7)",
		t.ID, t.Hall, t.First, t.Uses, t.Account, t.Made.UnixMilli(), t.Ends.UnixMilli())
	return err
}

// RevokeTicket takes a ticket back, in the transaction of the act by which it is done.
func RevokeTicket(ctx context.Context, tx *db.Tx, id string, now time.Time) error {
	_, err := tx.ExecContext(ctx, "UPDATE enrol_ticket SET revoked = $1 WHERE id = $2 AND revoked = 0", now.UnixMilli(), id)
	return err
}

// Ticket returns a ticket, or ErrNoTicket.
func (r *Room) Ticket(ctx context.Context, id string) (Ticket, error) {
	all, err := db.Query(ctx, r.db, scanTicket, readTicket+"WHERE id = $1", id)
	if err != nil {
		return Ticket{}, fmt.Errorf("read a ticket: %w", err)
	}
	if len(all) == 0 {
		return Ticket{}, ErrNoTicket
	}
	return all[0], nil
}

// Tickets returns the last tickets of a hall, the latest first.
func (r *Room) Tickets(ctx context.Context, hall string, n int) ([]Ticket, error) {
	all, err := db.Query(ctx, r.db, scanTicket, readTicket+"WHERE hall = $1 ORDER BY made DESC, id LIMIT $2", hall, n)
	if err != nil {
		return nil, fmt.Errorf("read the tickets of %s: %w", hall, err)
	}
	return all, nil
}

// File returns a ticket's file, which says what it is for in some words.
func (r *Room) File(t Ticket, words string) []byte {
	return provision.Ticket{ID: t.ID, Hall: t.Hall, Until: t.Ends, Uses: int(t.Uses)}.File(words, r.cfg.Key)
}

// byTicket accepts a box that shows a ticket.
func (r *Room) byTicket(ctx context.Context, p Pending, from Origin) error {
	shown, err := provision.ParseTicket(from.Pass.Ticket, r.cfg.Key.Public().(ed25519.PublicKey))
	if err != nil {
		return refusal(Wrong)
	}
	t, err := r.Ticket(ctx, shown.ID)
	if errors.Is(err, ErrNoTicket) {
		return refusal(Unknown)
	}
	if err != nil {
		return err
	}
	windows, err := r.windowsFrom(ctx, t)
	if err != nil {
		return err
	}
	if err := t.closed(r.now()); err != nil {
		return err
	}
	if err := r.mayStill(ctx, t.Account, t.Hall); err != nil {
		return err
	}
	if err := r.ask(ctx, p, func(ctx context.Context, tx *db.Tx) error {
		_, err := nextFree(ctx, tx, t.Hall, windows, r.now())
		return err
	}); err != nil {
		return err
	}
	x := claim{hall: t.Hall, account: t.Account, pass: "ticket:" + t.ID}
	return r.enter(ctx, p, x, Acceptance{Ticket: t.ID}, func(ctx context.Context, tx *db.Tx) (string, error) {
		if err := useTicket(ctx, tx, t.ID, r.now()); err != nil {
			return "", err
		}
		return nextFree(ctx, tx, t.Hall, windows, r.now())
	})
}

// useTicket counts a use of a ticket, in a transaction, or says why it lets nobody in.
func useTicket(ctx context.Context, tx *db.Tx, id string, now time.Time) error {
	done, err := tx.ExecContext(ctx, "UPDATE enrol_ticket SET used = used + 1 WHERE id = $1 AND revoked = 0 AND ends > $2 AND used < uses", id,
		now.UnixMilli())
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 1 {
		return err
	}
	all, err := db.Query(ctx, tx, scanTicket, readTicket+"WHERE id = $1", id)
	switch {
	case err != nil:
		return err
	case len(all) == 0:
		return refusal(Unknown)
	}
	return cmp.Or(all[0].closed(now), error(refusal(Ended)))
}

// closed returns why a ticket lets nobody in, nil if it does.
func (t Ticket) closed(now time.Time) error {
	switch {
	case !t.Revoked.IsZero():
		return refusal(Revoked)
	case t.Used >= t.Uses:
		return refusal(Used)
	case !now.Before(t.Ends):
		return refusal(Ended)
	}
	return nil
}

// windowsFrom returns the windows of a ticket's hall from its first one on, as people count.
func (r *Room) windowsFrom(ctx context.Context, t Ticket) (all []string, err error) {
	atlas, err := r.cfg.Directory.Atlas(ctx)
	if err != nil {
		return nil, err
	}
	for w := range atlas.Each(directory.Window, directory.DayOf(r.now())) {
		if w.Hall == t.Hall && (t.First == "" || Naturally(w.ID, t.First) >= 0) {
			all = append(all, w.ID)
		}
	}
	slices.SortFunc(all, Naturally)
	return all, nil
}

// nextFree returns, in a transaction, the first of some windows of a hall that has no box and is kept for none.
func nextFree(ctx context.Context, tx *db.Tx, hall string, windows []string, now time.Time) (string, error) {
	there, err := fleet.Taken(ctx, tx, windows)
	if err != nil {
		return "", err
	}
	coming, err := reserved(ctx, tx, hall, now)
	if err != nil {
		return "", err
	}
	for _, w := range windows {
		if !slices.Contains(there, w) && !slices.Contains(coming, w) {
			return w, nil
		}
	}
	return "", refusal(Full)
}

// Naturally compares two numbers of windows as people count: A9 before A10.
func Naturally(x, y string) int {
	for x != "" && y != "" {
		nx, ny := digits(x), digits(y)
		if nx > 0 && ny > 0 {
			a, b := strings.TrimLeft(x[:nx], "0"), strings.TrimLeft(y[:ny], "0")
			if by := cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)); by != 0 {
				return by
			}
			x, y = x[nx:], y[ny:]
			continue
		}
		if x[0] != y[0] {
			return cmp.Compare(x[0], y[0])
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Compare(len(x), len(y))
}

// digits returns how many digits a text begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
