package enrol

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/provision"
	"haochaping/internal/rating"
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
	if r.guesses.wait(from.Address, freeOfAddress, r.now()) {
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
		switch Word(no) {
		case Wrong:
			r.guesses.failed(from.Address, r.now())
		case Unknown, Used, Ended:
			if err := r.probed(ctx, p, from); err != nil {
				return "", err
			}
		}
		return Word(no), nil
	}
	return "", err
}

// probed counts a serial number or ticket of which an address learns that it opens nothing, and enters that so many came from there that
// somebody looks for one that does.
func (r *Room) probed(ctx context.Context, p Pending, from Origin) error {
	if !r.guesses.probed(from.Address, from.Pass.Serial+"\n"+string(from.Pass.Ticket), r.now()) {
		return nil
	}
	data, err := json.Marshal(struct {
		Address string          `json:"address"`
		Device  rating.DeviceID `json:"device"` // that asked last
	}{from.Address, p.Device})
	if err != nil {
		return err
	}
	_, err = r.journal.Do(ctx, Account, "", journal.Act{Do: "enrol.probe", Object: from.Address, Data: data}, nil)
	return err
}

// mayStill reports refusal(Revoked) if whoever made what lets a box in may accept none for the hall any more.
func (r *Room) mayStill(ctx context.Context, account, hall string) error {
	if r.cfg.May == nil {
		return nil
	}
	atlas, err := r.cfg.Directory.Atlas(ctx)
	if err != nil {
		return err
	}
	h, _ := atlas.At(directory.Hall, hall, directory.DayOf(r.now()))
	yes, err := r.cfg.May(ctx, account, h.Area, hall)
	if err == nil && !yes {
		err = refusal(Revoked)
	}
	return err
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
		if err := unheld(ctx, tx, p); err != nil {
			return err
		}
		return accept(ctx, tx, p, x, r.now())
	})
	if errors.Is(err, ErrNoCode) {
		return refusal(Taken) // somebody has typed its code in this moment; it asks again
	}
	return err
}

// ask asks beforehand what enter asks again under the journal's lock, so that who shows what lets nobody in disturbs nobody's rows.
func (r *Room) ask(ctx context.Context, p Pending, may func(context.Context, *db.Tx) error) error {
	return r.db.Read(ctx, func(tx *db.Tx) error {
		if err := may(ctx, tx); err != nil {
			return err
		}
		return unheld(ctx, tx, p)
	})
}

// unheld reports, in a transaction, refusal(Held) if another box has a box's key.
func unheld(ctx context.Context, tx *db.Tx, p Pending) error {
	err := fleet.Free(ctx, tx, fleet.Device{ID: p.Device, Key: p.Record})
	if taken := new(fleet.TakenError); errors.As(err, &taken) {
		return refusal(Held)
	}
	return err
}

// giveBack undoes, in a transaction, that something has let a box in.
func giveBack(ctx context.Context, tx *db.Tx, pass string, d rating.DeviceID) (err error) {
	kind, name, _ := strings.Cut(pass, ":")
	switch kind {
	case "serial":
		_, err = tx.ExecContext(ctx, "UPDATE enrol_expected SET used = 0, device = '' WHERE serial = $1 AND device = $2", name, string(d))
	case "ticket":
		_, err = tx.ExecContext(ctx, "UPDATE enrol_ticket SET used = used - 1 WHERE id = $1 AND used > 0", name)
	}
	return err
}

// lapse gives back, in a transaction, what has let boxes in that did not come for their windows in time.
func lapse(ctx context.Context, tx *db.Tx, now time.Time) error {
	all, err := db.Query(ctx, tx, scanPending, readPending+"WHERE accepted > 0 AND accepted <= $1 AND seated = 0 AND pass <> ''",
		now.Add(-acceptedLife).UnixMilli())
	if err != nil {
		return err
	}
	for _, p := range all {
		if _, err := tx.ExecContext(ctx, "UPDATE enrol_request SET pass = '' WHERE key_hash = $1", p.Hash); err != nil {
			return err
		}
		if err := giveBack(ctx, tx, p.pass, p.Device); err != nil {
			return err
		}
	}
	return nil
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
	freeOfAccount = 120 // two halls of codes that have changed meanwhile
	freeProbes    = 60  // different serial numbers and tickets that open nothing: a hall whose list was forgotten
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

// guesses counts what was wrong by whom it came from, at this instance. Its methods are safe for concurrent use.
type guesses struct {
	mu  sync.Mutex
	all map[string]guesser // guarded by mu
}

type guesser struct {
	many   int64
	last   time.Time
	probes []uint64 // hashes of the first freeProbes
}

// wait reports whether somebody has to wait, of whom some failures are free.
func (g *guesses) wait(who string, free int64, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	x, ok := g.all[who]
	return ok && now.Before(x.last.Add(pauseAfter(x.many, free)))
}

// failed counts a failure, and returns how many there were.
func (g *guesses) failed(who string, now time.Time) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	x := g.at(who, now)
	x.many++
	g.put(who, x, now)
	return x.many
}

// probed counts something that opens nothing, once: a box asks again and again. From freeProbes different ones on each is a failure. It
// reports whether it is the first of these.
func (g *guesses) probed(who, what string, now time.Time) (first bool) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(what)) // a hash takes everything
	sum := h.Sum64()
	g.mu.Lock()
	defer g.mu.Unlock()
	x := g.at(who, now)
	switch {
	case slices.Contains(x.probes, sum):
		return false
	case len(x.probes) < freeProbes:
		x.probes = append(x.probes, sum)
		first = len(x.probes) == freeProbes
	default:
		x.many++
	}
	g.put(who, x, now)
	return first
}

// at returns what was counted of somebody. The lock is held.
func (g *guesses) at(who string, now time.Time) guesser {
	if x := g.all[who]; now.Sub(x.last) <= forgiven {
		return x
	}
	return guesser{}
}

// put keeps what was counted, and forgets others where there are too many. The lock is held.
func (g *guesses) put(who string, x guesser, now time.Time) {
	if g.all == nil {
		g.all = make(map[string]guesser)
	}
	x.last = now
	g.all[who] = x
	if len(g.all) <= maxGuessers {
		return
	}
	for a, x := range g.all {
		if now.Sub(x.last) > longestPause || x.many <= freeOfAddress {
			delete(g.all, a)
		}
	}
}
