// Package fleet is the boxes: which are enrolled, with what key and for which window, and what each says of itself.
//
// It owns the tables device, device_* and fleet_*, in the journal's database. An enrolment is a row of the journal, in whose transaction
// the table device changes, so that the books and whoever verifies know by which keys the boxes' records are signed. Who may sign in at a
// window, with photographs, stays out of the journal, which forgets nothing.
package fleet

import (
	"bytes"
	"context"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
)

//go:embed schema/*.sql
var schemas embed.FS

// Errors of the fleet.
var (
	ErrNoDevice   = errors.New("the device is not enrolled")
	ErrGeneration = errors.New("the window's generation must grow with each change")
)

// Fleet is the boxes. Its methods are safe for concurrent use.
type Fleet struct {
	db      *db.DB
	journal *journal.Journal
	rekeyed func(context.Context, *db.Tx, rating.DeviceID, time.Time) error // nil for nothing
	centre  []string                                                        // its names at brokers

	mu     sync.Mutex
	known  map[rating.DeviceID]Device // guarded by mu; as they were at the last refresh
	latest int64                      // guarded by mu; the greatest changed among them
	rules  map[string]json.RawMessage // guarded by mu; those that were asked for
	asked  int64                      // guarded by mu; when the table was last asked, by the centre's clock in ms; 0: it has to be
}

// Open brings the fleet's tables up to date.
func Open(ctx context.Context, j *journal.Journal) (*Fleet, error) {
	scripts, err := fs.Sub(schemas, "schema")
	if err == nil {
		err = j.DB().Migrate(ctx, "fleet", scripts)
	}
	if err != nil {
		return nil, fmt.Errorf("open the fleet: %w", err)
	}
	f := &Fleet{db: j.DB(), journal: j, known: make(map[rating.DeviceID]Device), rules: make(map[string]json.RawMessage)}
	if err := f.findWindows(ctx); err != nil {
		return nil, fmt.Errorf("open the fleet: %w", err)
	}
	return f, nil
}

// Device is an enrolled box and the window that it serves.
type Device struct {
	ID         rating.DeviceID
	Key        []byte // public, as recordkey has it
	Window     rating.Window
	Roster     []rating.Member // who may sign in there; it changes with the window's generation
	Follows    bool            // the window is one of the organisation, whose texts the device gets
	EnrolledAt time.Time
	// Retired is how far the records of a box that was replaced are accepted, nil for one that was not.
	Retired *journal.Until
	Rules   string // that the levels above have set, by rating.RulesID
	Changed int64  // position in the journal of what changed it last
}

// assignment is what the table keeps of a device's window.
type assignment struct {
	rating.Window
	Roster  []rating.Member `json:"roster,omitempty"`
	Follows bool            `json:"follows,omitempty"`
	Retired *journal.Until  `json:"retired,omitempty"`
	Rules   string          `json:"rules,omitempty"`
}

// text returns what the table keeps of the device's window.
func (d Device) text() ([]byte, error) {
	return json.Marshal(assignment{d.Window, d.Roster, d.Follows, d.Retired, d.Rules})
}

// check reports the first bound that d breaks.
func (d Device) check() error {
	if _, err := rating.ParseDeviceID(string(d.ID)); err != nil {
		return err
	}
	if err := d.Window.Check(); err != nil {
		return err
	}
	if err := recordkey.Check(d.Key); err != nil {
		return err
	}
	return rating.CheckRoster(d.Roster)
}

// WhenRekeyed makes do a part of each transaction that gives a device another key for records. Call it before the fleet is used.
func (f *Fleet) WhenRekeyed(do func(context.Context, *db.Tx, rating.DeviceID, time.Time) error) {
	f.rekeyed = do
}

// Put enrols a device, or changes its key or window. A change needs a greater generation, since boxes ignore a configuration that is
// not newer. What is there already changes nothing.
func (f *Fleet) Put(ctx context.Context, d Device) error {
	return f.PutIf(ctx, d, func(context.Context, *db.Tx) error { return nil })
}

// PutIf is Put if may, which is asked in the transaction, has no objection. It may be asked more than once, and is not where nothing
// changes.
func (f *Fleet) PutIf(ctx context.Context, d Device, may func(context.Context, *db.Tx) error) error {
	return notEnrolled(d, f.put(ctx, d, func(Device) error { return nil }, may))
}

func notEnrolled(d Device, err error) error {
	if err != nil {
		return fmt.Errorf("enrol %s: %w", d.ID, err)
	}
	return nil
}

// TakenError says which other device serves a window of the organisation, or has a key.
type TakenError struct {
	By   rating.DeviceID
	What string // window or key
}

// Error says it.
func (e *TakenError) Error() string { return fmt.Sprintf("the %s is that of %s", e.What, e.By) }

// Free reports, in a transaction, a TakenError if another device serves a device's window or has its key.
func Free(ctx context.Context, tx *db.Tx, d Device) error {
	other := func(what, text string, value any) error {
		all, err := db.Query(ctx, tx, func(s db.Scanner) (id rating.DeviceID, err error) { return id, s.Scan(&id) }, text, value, string(d.ID))
		if err == nil && len(all) > 0 {
			err = &TakenError{all[0], what}
		}
		return err
	}
	if d.Follows {
		if err := other("window", "SELECT id FROM device WHERE serves = $1 AND id <> $2 ORDER BY id LIMIT 1", d.serves()); err != nil {
			return err
		}
	}
	return other("key", "SELECT id FROM device WHERE key = $1 AND id <> $2 ORDER BY id LIMIT 1", d.Key)
}

// Serves reports, in a transaction, whether a device serves a window of the organisation.
func Serves(ctx context.Context, tx *db.Tx, id rating.DeviceID, window string) (yes bool, err error) {
	err = tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM device WHERE id = $1 AND serves = $2)", string(id), window).Scan(&yes)
	return yes, err
}

// PutAll puts many devices, whose rows the journal commits together. The first error ends it.
func (f *Fleet) PutAll(ctx context.Context, all []Device) error { return atOnce(ctx, all, f.Put) }

// atOnce does something with many devices, some of them at a time. The first error ends it.
func atOnce(ctx context.Context, all []Device, do func(context.Context, Device) error) error {
	const most = 256
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(most)
	for _, d := range all {
		g.Go(func() error { return do(ctx, d) })
	}
	return g.Wait()
}

// put is PutIf. First is called with the device as it stands, before anything is written, and is not where nothing changes.
func (f *Fleet) put(ctx context.Context, d Device, first func(Device) error, may func(context.Context, *db.Tx) error) error {
	// Asked before, so that what is wrong disturbs nobody else's rows, and again under the journal's lock.
	before, text, err := f.compare(ctx, d)
	if errors.Is(err, errSame) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := first(before); err != nil {
		return err
	}
	// Who comes back to a key that the box had before says something new.
	name := fmt.Sprintf("%d %s after %d", d.Window.Generation, base64.RawURLEncoding.EncodeToString(d.Key), before.Changed)
	e, err := journal.Enrol(journal.Enrolment{Device: d.ID, Key: d.Key, Window: d.Window, EnrolledAt: d.EnrolledAt.UnixMilli(),
		Retired: d.Retired}, f.journal.Now(), name)
	if err != nil {
		return err
	}
	r, err := f.journal.Append(ctx, e, func(ctx context.Context, tx *db.Tx, pos int64) error {
		old, err := fresh(ctx, tx, d, text)
		if err != nil && !errors.Is(err, errSame) {
			return err
		}
		if err := may(ctx, tx); err != nil {
			return err
		}
		if f.rekeyed != nil && old.ID != "" && !bytes.Equal(old.Key, d.Key) {
			if err := f.rekeyed(ctx, tx, d.ID, time.UnixMilli(f.journal.Now())); err != nil {
				return err
			}
		}
		if d.Follows || d.Retired != nil {
			if err := directory.Served(ctx, tx, d.ID, d.Window, pos); err != nil {
				return err
			}
		}
		if err := write(ctx, tx, d, text, pos); err != nil {
			return err
		}
		return tx.Notify(ctx, channel)
	})
	f.outdated()
	if err == nil && !r.Entered {
		return f.tookPlace(ctx, d, text)
	}
	return err
}

// errSame says that the table has exactly this.
var errSame = errors.New("nothing changes")

// fresh reports why a device must not be written: nothing would change, or the box would ignore it. It returns what is there, the zero
// Device if it is new.
func fresh(ctx context.Context, tx *db.Tx, d Device, text []byte) (there Device, err error) {
	old, err := db.Query(ctx, tx, scanDevice, readDevice+"WHERE id = $1", string(d.ID))
	if err != nil || len(old) == 0 {
		return there, err
	}
	there = old[0]
	before, err := there.text()
	if err != nil {
		return there, err
	}
	generation := there.Window.Generation
	switch {
	case bytes.Equal(before, text) && bytes.Equal(there.Key, d.Key):
		return there, errSame
	case !bytes.Equal(before, text) && d.Window.Generation <= generation:
		return there, fmt.Errorf("%w: it is %d, write %d or more", ErrGeneration, generation, generation+1)
	}
	return there, nil
}

func write(ctx context.Context, tx *db.Tx, d Device, text []byte, pos int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO device (id, key, assignment, generation, enrolled_at, changed, serves, rules)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id) DO UPDATE SET key = excluded.key, assignment = excluded.assignment, generation = excluded.generation,
			changed = excluded.changed,
		serves = excluded.serves, rules = excluded.rules`,
		string(d.ID), d.Key, string(text), int64(d.Window.Generation), d.EnrolledAt.UnixMilli(), pos, d.serves(), d.Rules)
	if err != nil {
		return err
	}
	return owes(ctx, tx, d)
}

const readDevice = "SELECT id, key, assignment, enrolled_at, changed FROM device "

func scanDevice(s db.Scanner) (d Device, err error) {
	var key []byte
	var text string
	var at int64
	if err := s.Scan(&d.ID, &key, &text, &at, &d.Changed); err != nil {
		return d, err
	}
	d.Key, d.EnrolledAt = key, time.UnixMilli(at)
	var a assignment
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return d, fmt.Errorf("device %s: %w", d.ID, err)
	}
	d.Window, d.Roster, d.Follows, d.Retired, d.Rules = a.Window, a.Roster, a.Follows, a.Retired, a.Rules
	return d, nil
}

// Device returns an enrolled device as the table has it, or ErrNoDevice.
func (f *Fleet) Device(ctx context.Context, id rating.DeviceID) (Device, error) {
	all, err := db.Query(ctx, f.db, scanDevice, readDevice+"WHERE id = $1", string(id))
	if err != nil {
		return Device{}, fmt.Errorf("device %s: %w", id, err)
	}
	if len(all) == 0 {
		return Device{}, fmt.Errorf("device %s: %w", id, ErrNoDevice)
	}
	return all[0], nil
}

// Holder returns the device that is enrolled with a key, empty if none is.
func (f *Fleet) Holder(ctx context.Context, key []byte) (rating.DeviceID, error) {
	all, err := db.Query(ctx, f.db, func(s db.Scanner) (id rating.DeviceID, err error) { return id, s.Scan(&id) },
		"SELECT id FROM device WHERE key = $1 ORDER BY id LIMIT 1", key)
	if err != nil {
		return "", fmt.Errorf("find the device of a key: %w", err)
	}
	if len(all) == 0 {
		return "", nil
	}
	return all[0], nil
}

// Devices returns all enrolled devices by their IDs.
func (f *Fleet) Devices(ctx context.Context) ([]Device, error) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	all, err := db.Query(ctx, f.db, scanDevice, readDevice+"ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("read the devices: %w", err)
	}
	return all, nil
}

// Changed returns the devices that have changed after a position of the journal, in that order, up to n.
func (f *Fleet) Changed(ctx context.Context, after int64, n int) ([]Device, error) {
	all, err := db.Query(ctx, f.db, scanDevice, readDevice+"WHERE changed > $1 ORDER BY changed, id LIMIT $2", after, n)
	if err != nil {
		return nil, fmt.Errorf("read the devices that have changed: %w", err)
	}
	return all, nil
}

// channel is the name under which other instances hear of enrolments.
const channel = "fleet"

// Run hears of what other instances and commands enrol, until ctx ends. Without it that is known a second later.
func (f *Fleet) Run(ctx context.Context) error {
	f.db.Listen(ctx, channel, f.outdated)
	return nil
}

// outdated says that the table may have something new.
func (f *Fleet) outdated() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = 0
}

const (
	// askAgain is how long what is known of the devices is believed, also that a name is of none.
	askAgain = time.Second
	// askTime is how long the database may take to tell.
	askTime = 10 * time.Second
	// listTime is how long it may take to list all devices.
	listTime = time.Minute
)

// Known returns an enrolled device, or ErrNoDevice. What was changed here is seen at once, what another instance or a command has changed
// as soon as Run hears of it, and within a second. Names of no device, of which anybody can invent any number, cost no query each.
func (f *Fleet) Known(ctx context.Context, id rating.DeviceID) (Device, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.journal.Now(); f.asked == 0 || now < f.asked || now-f.asked >= askAgain.Milliseconds() {
		if err := f.refresh(ctx); err != nil {
			return Device{}, err
		}
		f.asked = now
	}
	d, ok := f.known[id]
	if !ok {
		return Device{}, fmt.Errorf("device %s: %w", id, ErrNoDevice)
	}
	return d, nil
}

// refresh reads what has changed since the last time. The caller holds mu. Rosters are left out: they may be large.
func (f *Fleet) refresh(ctx context.Context) error {
	const step = 1000
	ctx, cancel := context.WithTimeout(ctx, askTime) // others wait meanwhile
	defer cancel()
	for {
		some, err := f.Changed(ctx, f.latest, step)
		if err != nil {
			return err
		}
		for _, d := range some {
			d.Roster = nil
			f.known[d.ID], f.latest = d, d.Changed
		}
		if len(some) < step {
			return nil
		}
	}
}
