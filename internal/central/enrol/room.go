package enrol

import (
	"context"
	"crypto/ed25519"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"haochaping/internal/boxcode"
	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

//go:embed schema/*.sql
var schemas embed.FS

// Account is in whose name certificates are issued where nobody is asked.
const Account = "centre"

// Passwords hashes the passwords that boxes show once.
type Passwords interface {
	Hash(ctx context.Context, password string) (string, error)
	Matches(ctx context.Context, password, hash string) (bool, error)
}

// Config holds what a Room needs.
type Config struct {
	Journal   *journal.Journal
	Authority *Authority // nil where boxes are enrolled by hand alone
	Fleet     *fleet.Fleet
	Directory *directory.Directory
	Passwords Passwords
	Key       ed25519.PrivateKey // the centre's, which signs tickets
	Names     []string           // of the centre, which no box gets for its window's PC
	Windows   []string           // domains and networks of which boxes may have names, besides private ones
	// WindowLife is how long a certificate for a window's PC holds. Zero is the constant of that name.
	WindowLife time.Duration
	// May reports whether an account may accept boxes for a hall now: what lets them in by itself ends with the role of whoever made it. Nil:
	// any may.
	May    func(ctx context.Context, account, area, hall string) (bool, error)
	Random io.Reader
	Now    func() time.Time
}

// Room is who asks to be let in, and who was. Its methods are safe for concurrent use.
type Room struct {
	authority *Authority
	cfg       Config
	journal   *journal.Journal
	db        *db.DB
	boxes     *fleet.Fleet
	random    io.Reader
	now       func() time.Time
	guesses   guesses // by address, of what boxes show
	typed     guesses // by account, of codes
	windows   windows
}

// Open brings the room's tables up to date. From then on, certificates of a box that gets another key for records open nothing any more:
// they were issued for both keys.
func Open(ctx context.Context, c Config) (*Room, error) {
	scripts, err := fs.Sub(schemas, "schema")
	if err == nil {
		err = c.Journal.DB().Migrate(ctx, "enrol", scripts)
	}
	if err != nil {
		return nil, fmt.Errorf("open the enrolment: %w", err)
	}
	if c.WindowLife == 0 {
		c.WindowLife = WindowLife
	}
	if c.WindowLife < 0 || c.WindowLife > MostWindowLife {
		return nil, fmt.Errorf("open the enrolment: certificates for windows' PCs of %v, at most %v are allowed", c.WindowLife, MostWindowLife)
	}
	c.Fleet.WhenRekeyed(func(ctx context.Context, tx *db.Tx, d rating.DeviceID, at time.Time) error {
		_, err := Revoke(ctx, tx, d, at)
		return err
	})
	return &Room{authority: c.Authority, cfg: c, journal: c.Journal, db: c.Journal.DB(), boxes: c.Fleet, random: c.Random, now: c.Now}, nil
}

// Authority returns the certificate authority.
func (r *Room) Authority() *Authority { return r.authority }

const (
	// CodeLife is how long a code is good for. A box that still asks gets another one.
	CodeLife = 30 * time.Minute
	// acceptedLife is how long an accepted box may take to fetch its certificate.
	acceptedLife = 24 * time.Hour
	// forgotten is after what silence a request is forgotten.
	forgotten = 24 * time.Hour
	// silent is after what silence one is forgotten that was not accepted: a box that waits asks every few seconds.
	silent = 10 * time.Minute
	// waitingMost and waitingOfAddress bound the boxes that wait; a hall is behind one address.
	waitingMost      = 20000
	waitingOfAddress = 500
	// seenStep is how much later a sign of life must be to be worth a write.
	seenStep = 10 * time.Second
)

// Errors of the door. Their texts go to the box.
var (
	ErrWaiting  = errors.New("an administrator has to accept the box")
	ErrFull     = errors.New("too many boxes ask at once; try again later")
	ErrRefused  = errors.New("the box is not let in")
	ErrNoCode   = errors.New("no box shows this code now")
	errNameless = errors.New("the name is not one that a box draws")
)

// Pending is a box that asks.
type Pending struct {
	Hash     []byte // of its TLS key
	Code     string
	Until    time.Time // of the code
	Device   rating.DeviceID
	Record   []byte // public key, as recordkey has it
	Digits   string
	Address  string
	Board    string // on which it stands, empty if it does not say
	Moved    bool   // it stood on another one when it was accepted
	Asked    time.Time
	Seen     time.Time
	Accepted time.Time // zero: not yet
	Word     Word      // why what it has shown does not let it in, empty if it has shown nothing

	hall, window, account string          // for which it was accepted, and by whom
	replaces              rating.DeviceID // whose place it takes when it asks next
	pass                  string          // by what it was accepted, empty for by its code
	seated                bool            // it has its window
	orders                string          // what it is told when it asks next, empty for nothing
}

const readPending = "SELECT key_hash, code, code_until, device, record_key, digits, address, board, moved, asked, seen, accepted, hall, " +
	"window_id, account, replaces, pass, seated, orders FROM enrol_request "

func scanPending(s db.Scanner) (p Pending, err error) {
	var until, moved, asked, seen, accepted, seated int64
	var record []byte
	err = s.Scan(&p.Hash, &p.Code, &until, &p.Device, &record, &p.Digits, &p.Address, &p.Board, &moved, &asked, &seen, &accepted, &p.hall,
		&p.window, &p.account, &p.replaces, &p.pass, &seated, &p.orders)
	p.Moved, p.seated = moved != 0, seated != 0
	p.Record, p.Until, p.Asked, p.Seen = record, time.UnixMilli(until), time.UnixMilli(asked), time.UnixMilli(seen)
	if accepted > 0 {
		p.Accepted = time.UnixMilli(accepted)
	}
	return p, err
}

// Find returns the box that shows a code, or ErrNoCode.
func (r *Room) Find(ctx context.Context, code string) (Pending, error) {
	all, err := db.Query(ctx, r.db, scanPending, readPending+"WHERE code = $1 AND code_until > $2 AND accepted = 0", boxcode.Clean(code),
		r.now().UnixMilli())
	if err != nil {
		return Pending{}, fmt.Errorf("find the box of a code: %w", err)
	}
	if len(all) == 0 {
		return Pending{}, ErrNoCode
	}
	return all[0], nil
}

// ErrGuessed says that an account has typed too many codes that no box shows.
var ErrGuessed = errors.New("too many codes were typed that no box shows; wait for a while")

// Look is Find for an account, which must wait when it has typed many codes that no box shows.
func (r *Room) Look(ctx context.Context, account, code string) (Pending, error) {
	if r.typed.wait(account, freeOfAccount, r.now()) {
		return Pending{}, ErrGuessed
	}
	p, err := r.Find(ctx, code)
	if !errors.Is(err, ErrNoCode) {
		return p, err
	}
	if r.typed.failed(account, r.now()) == freeOfAccount+1 {
		act := journal.Act{Do: "enrol.typed", Object: account}
		if _, err := r.journal.Do(ctx, account, "", act, nil); err != nil {
			return p, err
		}
	}
	return p, err
}

// Accept writes, in the transaction of the act by which it is done, that a box is accepted, which has its window already. It is ErrNoCode
// if it has stopped waiting. What a box that has come to another board had before opens nothing any more: the old board may have a copy.
func Accept(ctx context.Context, tx *db.Tx, p Pending, hall, window, account string, now time.Time) error {
	return accept(ctx, tx, p, claim{hall: hall, window: window, account: account, seated: true}, now)
}

// claim is for what a box is accepted.
type claim struct {
	hall, window, account string
	replaces              rating.DeviceID
	pass                  string
	seated                bool
}

func accept(ctx context.Context, tx *db.Tx, p Pending, x claim, now time.Time) error {
	if p.Moved {
		if _, err := Revoke(ctx, tx, p.Device, now); err != nil {
			return err
		}
	}
	return p.set(ctx, tx, "accepted = $3, hall = $4, window_id = $5, account = $6, replaces = $7, pass = $8, seated = $9",
		now.UnixMilli(), x.hall, x.window, x.account, string(x.replaces), x.pass, flag(x.seated))
}

// set changes columns of a box that waits under its code, and is ErrNoCode if it has stopped. Values are numbered from $3.
func (p Pending) set(ctx context.Context, tx *db.Tx, columns string, values ...any) error {
	done, err := tx.ExecContext(ctx, "UPDATE enrol_request SET "+columns+" WHERE key_hash = $1 AND code = $2 AND accepted = 0",
		append([]any{p.Hash, p.Code}, values...)...)
	if err != nil {
		return err
	}
	n, err := done.RowsAffected()
	if err == nil && n == 0 {
		return ErrNoCode
	}
	return err
}

// Waits reports, in a transaction, ErrNoCode if a box has stopped waiting under its code.
func Waits(ctx context.Context, tx *db.Tx, p Pending) error {
	var yes bool
	err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM enrol_request WHERE key_hash = $1 AND code = $2 AND accepted = 0)", p.Hash,
		p.Code).Scan(&yes)
	if err == nil && !yes {
		err = ErrNoCode
	}
	return err
}

// Last returns the hall and window for which an account has accepted a box last, within a day.
func (r *Room) Last(ctx context.Context, account string) (hall, window string, err error) {
	type place struct{ hall, window string }
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (p place, err error) { return p, s.Scan(&p.hall, &p.window) },
		"SELECT hall, window_id FROM enrol_request WHERE account = $1 AND accepted > $2 ORDER BY accepted DESC, window_id DESC LIMIT 1",
		account, r.now().Add(-acceptedLife).UnixMilli())
	if err != nil || len(all) == 0 {
		return "", "", err
	}
	return all[0].hall, all[0].window, nil
}
