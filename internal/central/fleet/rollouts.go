package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// Errors of rollouts.
var (
	ErrNoRollout = errors.New("there is no such rollout")
	ErrNotNow    = errors.New("the rollout is not in a state in which this can be done")
	ErrNoBox     = errors.New("the first window has no box that is well and says which configuration it has")
)

// OverlapError says which open rollout may meet the same boxes.
type OverlapError struct{ ID string }

// Error says it.
func (e *OverlapError) Error() string {
	return "the rollout " + e.ID + " in the same scope is still open"
}

const readRollouts = `SELECT id, change, area, hall, hold, state, stage, last, account, begun, looked, coalesce(well, 0), sick, why,
	coalesce(ended, 0) FROM fleet_rollout `

func scanRollout(s db.Scanner) (r Rollout, err error) {
	var change string
	var hold, begun, looked, well, ended int64
	if err := s.Scan(&r.ID, &change, &r.Area, &r.Hall, &hold, &r.State, &r.Stage, &r.Last, &r.Account, &begun, &looked, &well, &r.Sick, &r.Why,
		&ended); err != nil {
		return r, err
	}
	r.Hold, r.Begun, r.Looked = time.Duration(hold)*time.Millisecond, moment(begun), moment(looked)
	r.Well, r.Ended = moment(well), moment(ended)
	return r, json.Unmarshal([]byte(change), &r.Change)
}

const readRolloutBoxes = `SELECT device, served, hall, name, stage, state, former, generation, coalesce(known, ''), coalesce(sent, 0),
	coalesce(applied, 0), coalesce(ill, 0), why FROM fleet_rollout_box `

func scanRolloutBox(s db.Scanner) (b RolloutBox, err error) {
	var former, known string
	var sent, applied, ill int64
	if err := s.Scan(&b.Device, &b.Window, &b.Hall, &b.Name, &b.Stage, &b.State, &former, &b.Generation, &known, &sent, &applied, &ill,
		&b.Why); err != nil {
		return b, err
	}
	b.Sent, b.Applied, b.Ill = moment(sent), moment(applied), moment(ill)
	if known != "" {
		err = json.Unmarshal([]byte(known), &b.Known)
	}
	return b, errors.Join(err, json.Unmarshal([]byte(former), &b.Former))
}

// openRollouts returns the rollouts of which something may still come.
func openRollouts(ctx context.Context, q db.Querier) ([]Rollout, error) {
	return db.Query(ctx, q, scanRollout, readRollouts+"WHERE state IN ($1, $2, $3) ORDER BY begun, id", string(Running), string(Halted),
		string(Undoing))
}

// free reports, in the transaction of an act, an OverlapError if an open rollout may meet the same boxes. The journal's lock, under which
// acts are entered, lets one at a time ask.
func (r Rollout) free(ctx context.Context, tx *db.Tx) error {
	all, err := openRollouts(ctx, tx)
	if err != nil {
		return err
	}
	for _, o := range all {
		if o.ID != r.ID && o.overlaps(r) {
			return &OverlapError{o.ID}
		}
	}
	return nil
}

// keptRollouts is how long a rollout is kept after its end.
const keptRollouts = 2 * 365 * 24 * time.Hour

// Begin writes a rollout with its boxes in the transaction of the act by which it begins.
func Begin(ctx context.Context, tx *db.Tx, r Rollout, boxes []RolloutBox) error {
	if err := r.check(); err != nil {
		return err
	}
	if !slices.ContainsFunc(boxes, func(b RolloutBox) bool { return b.Stage == OneWindow && b.State == BoxWaits }) {
		return ErrNoBox
	}
	if err := r.free(ctx, tx); err != nil {
		return err
	}
	old := r.Begun.Add(-keptRollouts).UnixMilli()
	for _, text := range []string{"DELETE FROM fleet_rollout_box WHERE rollout IN (SELECT id FROM fleet_rollout WHERE ended < $1)",
		"DELETE FROM fleet_rollout WHERE ended < $1"} {
		if _, err := tx.ExecContext(ctx, text, old); err != nil {
			return err
		}
	}
	change, err := json.Marshal(r.Change)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO fleet_rollout (id, change, area, hall, hold, state, stage, last, account, begun, looked,
		sick, why) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, '', '')`, r.ID, string(change), r.Area, r.Hall, r.Hold.Milliseconds(),
		string(Running), OneWindow, r.Last, r.Account, r.Begun.UnixMilli())
	if err != nil {
		return err
	}
	var rows [][]any
	for _, b := range boxes {
		rows = append(rows, []any{r.ID, string(b.Device), b.Window, b.Hall, b.Name, b.Stage, string(b.State)})
	}
	return tx.Each(ctx, `INSERT INTO fleet_rollout_box (rollout, device, served, hall, name, stage, state, former, generation, why)
		VALUES ($1, $2, $3, $4, $5, $6, $7, '{}', 0, '')`, rows)
}

// Deed is what somebody does with a rollout.
type Deed string

// The deeds.
const (
	Halt    Deed = "halt"
	Resume  Deed = "resume"
	Undo    Deed = "undo"
	Abandon Deed = "abandon"
)

// AllDeeds returns what can be done with rollouts.
func AllDeeds() []Deed { return []Deed{Halt, Resume, Undo, Abandon} }

// Deeds returns what can be done with a rollout now. Programs are not undone: a box takes no version that is older than what it has. Nor
// are rules, which the levels above have set: the next ones take their place.
func (r Rollout) Deeds() (all []Deed) {
	switch r.State {
	case Running:
		all = []Deed{Halt, Undo}
	case Halted:
		all = []Deed{Resume, Undo, Abandon}
	case Finished, Abandoned:
		all = []Deed{Undo}
	}
	if r.Change.Programs != "" || r.Change.Rules != nil {
		all = slices.DeleteFunc(all, func(d Deed) bool { return d == Undo })
	}
	return all
}

// Steer does something with a rollout in the transaction of the act by which it is done. Who resumes one knows what its boxes' troubles
// are: these do not halt it again. Boxes that have not installed what they were asked for are asked again.
func Steer(ctx context.Context, tx *db.Tx, id string, do Deed, at time.Time) error {
	all, err := db.Query(ctx, tx, scanRollout, readRollouts+"WHERE id = $1", id)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return ErrNoRollout
	}
	r := all[0]
	if !slices.Contains(r.Deeds(), do) {
		return ErrNotNow
	}
	before := r.State
	r.Well, r.Ended = time.Time{}, time.Time{}
	switch do {
	case Halt:
		r.State, r.Sick, r.Why = Halted, "", ""
	case Resume:
		r.State, r.Sick, r.Why = Running, "", ""
		if err := r.askAgain(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE fleet_rollout_box SET known = NULL, ill = NULL, why = '' WHERE rollout = $1 AND state = $2", id,
			string(BoxSent)); err != nil {
			return err
		}
	case Undo:
		r.State = Undoing
		if err := r.free(ctx, tx); err != nil {
			return err
		}
	case Abandon:
		r.State, r.Ended = Abandoned, at
	}
	if err := r.move(ctx, tx, before, at); !errors.Is(err, errMoved) {
		return err
	}
	return ErrNotNow
}

// errMoved says that a rollout has moved meanwhile.
var errMoved = errors.New("the rollout has moved meanwhile")

// move writes a rollout that was in a state, and was looked at when it says; it is errMoved if that is not so any more.
func (r Rollout) move(ctx context.Context, tx *db.Tx, before RolloutState, at time.Time) error {
	looked := max(at.UnixMilli(), r.Looked.UnixMilli()+1) // also where the clock was set back
	res, err := tx.ExecContext(ctx, `UPDATE fleet_rollout SET state = $1, stage = $2, looked = $3, well = $4, sick = $5, why = $6, ended = $7
		WHERE id = $8 AND state = $9 AND looked = $10`, string(r.State), r.Stage, looked, null(r.Well), string(r.Sick), r.Why, null(r.Ended),
		r.ID, string(before), r.Looked.UnixMilli())
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, errMoved)
	}
	return nil
}

// writeBoxes writes how the boxes of a rollout were seen.
func (r Rollout) writeBoxes(ctx context.Context, tx *db.Tx, all []RolloutBox) error {
	var rows [][]any
	for _, b := range all {
		known, err := json.Marshal(b.Known)
		if err != nil {
			return err
		}
		rows = append(rows, []any{string(b.State), string(known), null(b.Applied), null(b.Ill), b.Why, r.ID, string(b.Device)})
	}
	return tx.Each(ctx, `UPDATE fleet_rollout_box SET state = $1, known = $2, applied = $3, ill = $4, why = $5
		WHERE rollout = $6 AND device = $7`, rows)
}

// Rollout returns a rollout, or ErrNoRollout.
func (f *Fleet) Rollout(ctx context.Context, id string) (Rollout, error) {
	all, err := db.Query(ctx, f.db, scanRollout, readRollouts+"WHERE id = $1", id)
	if err != nil {
		return Rollout{}, fmt.Errorf("read a rollout: %w", err)
	}
	if len(all) == 0 {
		return Rollout{}, ErrNoRollout
	}
	return all[0], nil
}

// Rollouts returns up to n rollouts that began before one, the latest first; of an empty id, the latest of all.
func (f *Fleet) Rollouts(ctx context.Context, before string, n int) ([]Rollout, error) {
	where, args := "", []any{n}
	if before != "" {
		last := "(SELECT begun FROM fleet_rollout WHERE id = $2)"
		where, args = "WHERE begun < "+last+" OR begun = "+last+" AND id > $2 ", append(args, before)
	}
	all, err := db.Query(ctx, f.db, scanRollout, readRollouts+where+"ORDER BY begun DESC, id LIMIT $1", args...)
	if err != nil {
		return nil, fmt.Errorf("read the rollouts: %w", err)
	}
	return all, nil
}

// OpenRollouts returns the rollouts of which something may still come.
func (f *Fleet) OpenRollouts(ctx context.Context) ([]Rollout, error) {
	all, err := openRollouts(ctx, f.db)
	if err != nil {
		return nil, fmt.Errorf("read the open rollouts: %w", err)
	}
	return all, nil
}

// RolloutBoxes returns the boxes of a rollout, by stage, hall and window.
func (f *Fleet) RolloutBoxes(ctx context.Context, r Rollout) ([]RolloutBox, error) {
	all, err := db.Query(ctx, f.db, scanRolloutBox, readRolloutBoxes+"WHERE rollout = $1 ORDER BY stage, hall, served, device", r.ID)
	if err == nil && r.Change.Programs != "" {
		err = f.addAsked(ctx, r, all)
	}
	if err != nil {
		return nil, fmt.Errorf("read the boxes of a rollout: %w", err)
	}
	return all, nil
}

// InRollout returns the boxes' states, by their names, and leaves out those that are not enrolled.
func (f *Fleet) InRollout(ctx context.Context, boxes []RolloutBox) (map[rating.DeviceID]State, error) {
	out := make(map[rating.DeviceID]State)
	for some := range slices.Chunk(boxes, 500) {
		args, marks := make([]any, len(some)), make([]string, len(some))
		for i, b := range some {
			args[i], marks[i] = string(b.Device), fmt.Sprintf("$%d", i+1)
		}
		states, err := db.Query(ctx, f.db, scanState, readStates+"WHERE d.id IN ("+strings.Join(marks, ", ")+")", args...)
		if err != nil {
			return nil, fmt.Errorf("read how the boxes of a rollout are: %w", err)
		}
		for _, s := range states {
			out[s.ID] = s
		}
	}
	return out, nil
}
