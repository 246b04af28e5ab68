package enrol

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/provision"
)

// Pass is by what a box may be let in without anybody who types its code.
type Pass struct {
	Serial, Password string // as a supplier has delivered it
	Ticket           []byte // a ticket's file
}

func (p Pass) empty() bool { return p.Serial == "" && len(p.Ticket) == 0 }

// passOf reads what a request shows: HTTP's basic authentication, as EST has it for boxes without a certificate (section 3.2.3), or a
// ticket.
func passOf(r *http.Request) (p Pass) {
	p.Serial, p.Password, _ = r.BasicAuth()
	text := r.Header.Get(TicketHeader)
	if len(text) > base64.RawURLEncoding.EncodedLen(provision.MaxTicket) {
		return p
	}
	if file, err := base64.RawURLEncoding.DecodeString(text); err == nil {
		p.Ticket = file
	}
	return p
}

// Word says why what a box shows does not let it in. Boxes know these words.
type Word string

// The words.
const (
	Unknown Word = "unknown" // nobody expects the serial number, or no ticket is of that name
	Wrong   Word = "wrong"   // the password, or the ticket's signature
	Used    Word = "used"    // once, or as often as the ticket says
	Ended   Word = "ended"
	Revoked Word = "revoked" // the ticket
	Taken   Word = "taken"   // the window has a box
	Full    Word = "full"    // no window of the hall is free
	Gone    Word = "gone"    // the window is not in the hall any more
	Held    Word = "held"    // another box has its key for records
	TooSoon Word = "later"   // too many wrong ones came
)

// refusal is a word as an error, which ends a transaction.
type refusal Word

func (r refusal) Error() string { return "it is not let in: " + string(r) }

// admit accepts a box by what it shows, or says why not.
func (r *Room) admit(ctx context.Context, p Pending, from Origin) (Word, error) {
	if r.guesses.wait(from.Address, r.now()) {
		return TooSoon, nil
	}
	var err error
	if from.Pass.Serial != "" {
		err = r.byPassword(ctx, p, from)
	} else {
		err = r.byTicket(ctx, p, from)
	}
	var no refusal
	if errors.As(err, &no) {
		if Word(no) == Wrong {
			r.guesses.failed(from.Address, r.now())
		}
		return Word(no), nil
	}
	return "", err
}

// enter accepts a box for a hall by an act of the account that has let such boxes in. What also does is done in the same transaction
// before, and says for which window.
func (r *Room) enter(ctx context.Context, p Pending, x claim, a Acceptance,
	also func(context.Context, *db.Tx) (window string, err error)) error {
	a.Digits, a.Address, a.Board = p.Digits, p.Address, p.Board
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	act := journal.Act{Do: "enrol.accept", Object: string(p.Device), Data: data}
	atlas, err := r.cfg.Directory.Atlas(ctx)
	if err != nil {
		return err
	}
	if hall, ok := atlas.At(directory.Hall, x.hall, directory.DayOf(r.now())); ok {
		act.Domain = hall.Area
	}
	_, err = r.journal.Do(ctx, x.account, "", act, func(ctx context.Context, tx *db.Tx, _ int64) (err error) {
		if x.window, err = also(ctx, tx); err != nil {
			return err
		}
		var taken *fleet.TakenError
		if err := fleet.Free(ctx, tx, fleet.Device{ID: p.Device, Key: p.Record}); errors.As(err, &taken) {
			return refusal(Held)
		} else if err != nil {
			return err
		}
		return accept(ctx, tx, p, x, r.now())
	})
	if errors.Is(err, ErrNoCode) {
		return refusal(Taken) // somebody has typed its code in this moment; it asks again
	}
	return err
}

// giveBack undoes, in a transaction, that something has let a box in.
func giveBack(ctx context.Context, tx *db.Tx, pass string) (err error) {
	kind, name, _ := strings.Cut(pass, ":")
	switch kind {
	case "serial":
		_, err = tx.ExecContext(ctx, "UPDATE enrol_expected SET used = 0, device = '' WHERE serial = $1", name)
	case "ticket":
		_, err = tx.ExecContext(ctx, "UPDATE enrol_ticket SET used = used - 1 WHERE id = $1 AND used > 0", name)
	}
	return err
}

// reserved returns, in a transaction, which windows of a hall are for boxes that come yet.
func reserved(ctx context.Context, tx *db.Tx, hall string, now time.Time) ([]string, error) {
	return db.Query(ctx, tx, func(s db.Scanner) (w string, err error) { return w, s.Scan(&w) },
		"SELECT window_id FROM enrol_request WHERE hall = $1 AND accepted > $2 AND seated = 0 UNION "+
			"SELECT window_id FROM enrol_expected WHERE hall = $1 AND used = 0 AND ends > $3",
		hall, now.Add(-acceptedLife).UnixMilli(), now.UnixMilli())
}

// freeFor reports, in a transaction, refusal(Taken) if a window has a box.
func freeFor(ctx context.Context, tx *db.Tx, window string) error {
	there, err := fleet.Taken(ctx, tx, []string{window})
	if err == nil && len(there) > 0 {
		err = refusal(Taken)
	}
	return err
}

// How wrong passwords and tickets slow down an address, behind which a hall may be, and a serial number. Nobody is kept out: what is right
// lets in once the pause is over, and the code always does.
const (
	freeOfAddress = 30
	freeOfSerial  = 5
	longestPause  = 15 * time.Minute
	forgiven      = 24 * time.Hour
	maxGuessers   = 20000
)

// pauseAfter returns how long to wait after so many failures in a row.
func pauseAfter(failures, free int64) time.Duration {
	if failures <= free {
		return 0
	}
	return min(longestPause, time.Second<<min(failures-free-1, 20))
}

// guesses counts what was wrong by the address from which it came, at this instance. Its methods are safe for concurrent use.
type guesses struct {
	mu  sync.Mutex
	all map[string]guesser // guarded by mu
}

type guesser struct {
	many int64
	last time.Time
}

// wait reports whether an address has to wait.
func (g *guesses) wait(address string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	x, ok := g.all[address]
	return ok && now.Before(x.last.Add(pauseAfter(x.many, freeOfAddress)))
}

// failed counts a failure.
func (g *guesses) failed(address string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all == nil {
		g.all = make(map[string]guesser)
	}
	x := g.all[address]
	if now.Sub(x.last) > forgiven {
		x.many = 0
	}
	x.many, x.last = x.many+1, now
	g.all[address] = x
	if len(g.all) <= maxGuessers {
		return
	}
	for a, x := range g.all {
		if now.Sub(x.last) > longestPause || x.many <= freeOfAddress {
			delete(g.all, a)
		}
	}
}
