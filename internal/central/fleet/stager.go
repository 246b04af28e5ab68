package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

const (
	// stagePause is how often rollouts are looked at.
	stagePause = 10 * time.Second
	// stageLease is how long an instance that was looking is waited for.
	stageLease = time.Minute
	// stageLeaseName is the lease of the instance that looks.
	stageLeaseName = "fleet rollouts"
	// sentAtOnce is how many boxes' enrolments the journal may commit together.
	sentAtOnce = 64
	// stager is who does in the journal what follows from how boxes are.
	stager = "fleet"
)

// StagerConfig holds what a Stager needs.
type StagerConfig struct {
	Fleet        *Fleet
	Organisation interface {
		Organisation
		Posts(ctx context.Context, day directory.Day) (*directory.Posts, error)
	}
	Leases Leases
	Days   rating.Calendar
	Hears  func() bool // whether this instance hears the boxes
	Send   func(context.Context, wire.Command) error

	// Updating is how many boxes may update at a time: each loads the package, and all that do may fail before one says so.
	Updating int

	// Rules are what boxes are to go by of what the levels above have set, as rating.Rules encodes them.
	Rules     json.RawMessage
	RulesHold time.Duration // how long boxes must be well with them before the next stage

	Now    func() time.Time
	Logger *slog.Logger
}

// Stager takes rollouts from stage to stage. One instance does at a time: the lease says which, and what it does rests on rows that move by
// compare-and-set, in the journal's transactions. What has gone out to a box is a row of the journal like any other change of its window,
// so a centre that is started anew goes on where it was.
type Stager struct {
	cfg         StagerConfig
	rulesLooked atomic.Int64 // when it was looked which boxes have other rules, milliseconds since 1970-01-01 UTC
}

// NewStager returns a stager that does nothing before Run.
func NewStager(c StagerConfig) *Stager { return &Stager{cfg: c} }

// Run looks until ctx ends, and gives back the lease.
func (g *Stager) Run(ctx context.Context) error {
	tick := time.NewTicker(stagePause)
	defer tick.Stop()
	for failing := ""; ; {
		err := g.Look(ctx)
		switch {
		case ctx.Err() != nil:
			return g.cfg.Leases.ReleaseAtEnd(ctx, stageLeaseName)
		case err == nil:
			failing = ""
		case err.Error() != failing:
			failing = err.Error()
			g.cfg.Logger.Error("the boxes' changes cannot go on at present; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return g.cfg.Leases.ReleaseAtEnd(ctx, stageLeaseName)
		case <-tick.C:
		}
	}
}

// Look takes each open rollout as far as it can go now, if this instance hears the boxes and no other one looks.
func (g *Stager) Look(ctx context.Context) error {
	if !g.cfg.Hears() {
		return nil // what was heard is old
	}
	held, err := g.cfg.Leases.Acquire(ctx, stageLeaseName, stageLease)
	if err != nil || !held {
		return err
	}
	if err := g.followRules(ctx); err != nil {
		return fmt.Errorf("bring the rules to the boxes: %w", err)
	}
	all, err := g.cfg.Fleet.OpenRollouts(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	var wrong []error
	for _, r := range all {
		err := g.look(ctx, r)
		if err != nil && !errors.Is(err, errMoved) {
			wrong = append(wrong, fmt.Errorf("rollout %s: %w", r.ID, err))
		}
	}
	return errors.Join(wrong...)
}

func (g *Stager) look(ctx context.Context, r Rollout) error {
	switch r.State {
	case Running:
		send := func() error { return g.sendAll(ctx, r, BoxWaits) }
		if r.Change.Programs != "" {
			send = func() error { return g.askAll(ctx, r) }
		}
		if err := send(); err != nil {
			return err
		}
	case Undoing:
		return g.undo(ctx, r)
	}
	f := g.cfg.Fleet
	boxes, err := f.RolloutBoxes(ctx, r)
	if err != nil {
		return err
	}
	how, err := f.InRollout(ctx, boxes)
	if err != nil {
		return err
	}
	hours, err := f.Hours(ctx)
	if err != nil {
		return err
	}
	l := newLook(g.cfg.Now(), g.cfg.Days, hours)
	next, seen := r.step(boxes, how, l.isOpen, l.now)
	var changed []RolloutBox
	for i := range seen {
		if !reflect.DeepEqual(seen[i], boxes[i]) {
			changed = append(changed, seen[i])
		}
	}
	write := func(ctx context.Context, tx *db.Tx) error {
		if err := next.writeBoxes(ctx, tx, changed); err != nil {
			return err
		}
		return next.move(ctx, tx, r.State, l.now)
	}
	if next.State == r.State && next.Stage == r.Stage {
		return f.db.Write(ctx, func(tx *db.Tx) error { return write(ctx, tx) })
	}
	return g.say(ctx, next, write)
}

// said is what the journal keeps of a rollout that goes on by itself.
type said struct {
	State RolloutState    `json:"state"`
	Stage int             `json:"stage"`
	Sick  rating.DeviceID `json:"sick,omitempty"`
	Why   string          `json:"why,omitempty"`
}

// say enters that a rollout has gone on by itself, and writes it in the same transaction.
func (g *Stager) say(ctx context.Context, r Rollout, write func(context.Context, *db.Tx) error) error {
	data, err := json.Marshal(said{r.State, r.Stage, r.Sick, r.Why})
	if err != nil {
		return err
	}
	_, err = g.cfg.Fleet.journal.Do(ctx, stager, "", journal.Act{Do: "fleet.rollout.goes_on", Object: r.ID, Data: data, Domain: r.Area},
		func(ctx context.Context, tx *db.Tx, _ int64) error { return write(ctx, tx) })
	return err
}

// undo sends the former settings to all boxes that have the rollout's, and ends it when that is done.
func (g *Stager) undo(ctx context.Context, r Rollout) error {
	if err := g.sendAll(ctx, r, BoxSent); err != nil {
		return err
	}
	boxes, err := g.cfg.Fleet.RolloutBoxes(ctx, r)
	if err != nil {
		return err
	}
	for _, b := range boxes {
		if b.State == BoxSent {
			return nil // somebody else has changed its window in the same moment; the next look tries again
		}
	}
	next := r
	next.State, next.Ended = Undone, g.cfg.Now()
	return g.say(ctx, next, func(ctx context.Context, tx *db.Tx) error { return next.move(ctx, tx, r.State, next.Ended) })
}

// sendAll sends what is due to the boxes of the stages so far that are in a state.
func (g *Stager) sendAll(ctx context.Context, r Rollout, in BoxState) error {
	boxes, err := g.cfg.Fleet.RolloutBoxes(ctx, r)
	if err != nil {
		return err
	}
	var due []RolloutBox
	for _, b := range boxes {
		if b.State == in && b.Stage <= r.Stage {
			due = append(due, b)
		}
	}
	if len(due) == 0 {
		return nil
	}
	how, err := g.cfg.Fleet.InRollout(ctx, due)
	if err != nil {
		return err
	}
	posts, err := g.cfg.Organisation.Posts(ctx, directory.DayOf(g.cfg.Now()))
	if err != nil {
		return err
	}
	var some errgroup.Group // what is wrong with one box keeps no other one waiting
	some.SetLimit(sentAtOnce)
	for _, b := range due {
		some.Go(func() error {
			if err := g.send(ctx, r, b, how[b.Device], posts); err != nil {
				return fmt.Errorf("%s: %w", b.Device, err)
			}
			return nil
		})
	}
	return some.Wait()
}

// send gives a box the settings that are due to it, and notes that in the same transaction. Who is first counts: a box whose window has
// changed meanwhile is looked at again.
func (g *Stager) send(ctx context.Context, r Rollout, b RolloutBox, s State, posts Posts) error {
	f := g.cfg.Fleet
	d, err := f.Device(ctx, b.Device)
	if err != nil && !errors.Is(err, ErrNoDevice) {
		return err
	}
	before, now := b.State, settingsOf(d)
	next := r.Change.of(now)
	b.Known, b.Sent, b.Applied = nil, g.cfg.Now(), time.Time{}
	switch b = b.well(); {
	case err != nil || d.Retired != nil || !d.Follows && r.Change.Rules == nil || d.Window.ID != b.Window:
		b.State = BoxGone
	case before == BoxWaits:
		b.State, b.Former, b.Known = BoxSent, now, s.known(b.Sent)
	case !next.same(now):
		b.State = BoxKept
	default:
		b.State, next = BoxUndone, r.Change.back(now, b.Former)
	}
	if b.State == BoxGone || b.State == BoxKept || next.same(now) {
		b.Generation = d.Window.Generation
		err := f.db.Write(ctx, func(tx *db.Tx) error { return r.sent(ctx, tx, before, b) })
		return ignoreMoved(err)
	}
	asks := d
	asks.Rules = next.Rules
	if asks.Window = next.in(d.Window); next.SignIn != now.SignIn {
		w, people, err := posts.Texts(d.Window.ID)
		if errors.Is(err, directory.ErrUnknown) { // the window was closed; nobody could sign in
			b.State, b.Generation = BoxGone, d.Window.Generation
			return ignoreMoved(f.db.Write(ctx, func(tx *db.Tx) error { return r.sent(ctx, tx, before, b) }))
		}
		if err != nil {
			return err
		}
		asks = asks.Serve(w, people)
	}
	asks.Window.Generation++
	b.Generation = asks.Window.Generation
	return ignoreMoved(f.PutIf(ctx, asks, func(ctx context.Context, tx *db.Tx) error { return r.sent(ctx, tx, before, b) }))
}

// ignoreMoved returns nil where somebody else was first.
func ignoreMoved(err error) error {
	if errors.Is(err, errMoved) || errors.Is(err, ErrGeneration) {
		return nil
	}
	return err
}

// sent notes what has gone out to a box that was in a state, if the rollout still wants it.
func (r Rollout) sent(ctx context.Context, tx *db.Tx, before BoxState, b RolloutBox) error {
	former, err := json.Marshal(b.Former)
	if err != nil {
		return err
	}
	known, err := json.Marshal(b.Known)
	if err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, `UPDATE fleet_rollout_box SET state = $1, former = $2, generation = $3, known = $4, sent = $5,
		applied = NULL, ill = NULL, why = '' WHERE rollout = $6 AND device = $7 AND state = $8 AND
		EXISTS (SELECT 1 FROM fleet_rollout WHERE id = $6 AND state = $9)`,
		string(b.State), string(former), int64(b.Generation), string(known), b.Sent.UnixMilli(), r.ID, string(b.Device), string(before),
		string(r.State))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, errMoved)
	}
	return nil
}
