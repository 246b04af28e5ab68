package fleet

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// rulesPause is how often it is looked which boxes have other rules than they should.
const rulesPause = 20 * time.Second

// keepRules keeps rules under the name of their content.
func keepRules(ctx context.Context, tx *db.Tx, rules json.RawMessage) error {
	if len(rules) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO fleet_rules (id, rules) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING", rating.RulesID(rules),
		string(rules))
	return err
}

// Rules returns rules by their name, nil for the empty one.
func (f *Fleet) Rules(ctx context.Context, id string) (json.RawMessage, error) {
	if id == "" {
		return nil, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if known, ok := f.rules[id]; ok {
		return known, nil
	}
	all, err := db.Query(ctx, f.db, func(s db.Scanner) (b []byte, err error) { return b, s.Scan(&b) },
		"SELECT rules FROM fleet_rules WHERE id = $1", id)
	if err == nil && len(all) != 1 {
		err = errors.New("they are not here")
	}
	if err != nil {
		return nil, fmt.Errorf("read the rules %s of boxes: %w", id, err)
	}
	f.rules[id] = all[0]
	return all[0], nil
}

// RulesSpread says how far rules have come among the boxes that were not replaced.
type RulesSpread struct {
	Boxes int `json:"boxes"`
	Sent  int `json:"sent"` // they are in the signed configuration
	Have  int `json:"have"` // the box says that it goes by them
	Old   int `json:"old"`  // its programs know no rules
}

// Spread returns how far rules have come.
func (f *Fleet) Spread(ctx context.Context, id string) (n RulesSpread, err error) {
	err = f.db.Read(ctx, func(tx *db.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(CASE WHEN d.rules = $1 THEN 1 ELSE 0 END), 0),
			coalesce(sum(CASE WHEN s.health LIKE $2 THEN 1 ELSE 0 END), 0),
			coalesce(sum(CASE WHEN s.health IS NOT NULL AND s.health NOT LIKE $3 THEN 1 ELSE 0 END), 0)
			FROM device d LEFT JOIN device_state s ON s.id = d.id WHERE d.assignment NOT LIKE $4`, id, `%"rules":"`+id+`"%`, `%"rules":"%`,
			`%"retired":{%`).Scan(&n.Boxes, &n.Sent, &n.Have, &n.Old)
	})
	if err != nil {
		return n, fmt.Errorf("count the boxes that have the rules: %w", err)
	}
	return n, nil
}

// followRules begins to bring what the levels above have set to the boxes that have something else, in stages as any change. What was on
// its way before is given up for it. A box of older programs, which say nothing of rules, gets them when it has newer ones.
func (g *Stager) followRules(ctx context.Context) error {
	f, now := g.cfg.Fleet, g.cfg.Now()
	if last := time.UnixMilli(g.rulesLooked.Load()); now.Sub(last) < rulesPause && !now.Before(last) {
		return nil
	}
	g.rulesLooked.Store(now.UnixMilli())
	id := rating.RulesID(g.cfg.Rules)
	open, err := f.OpenRollouts(ctx)
	if err != nil {
		return err
	}
	for _, r := range open {
		switch {
		case r.Change.Rules == nil:
		case *r.Change.Rules == id:
			return nil // it is under way, or waits for somebody
		default:
			next := r
			next.State, next.Ended = Abandoned, now
			write := func(ctx context.Context, tx *db.Tx) error { return next.move(ctx, tx, r.State, now) }
			if err := g.say(ctx, next, write); err != nil {
				return err
			}
		}
	}
	lack, err := f.lackRules(ctx, id)
	if err != nil || len(lack) == 0 {
		return err
	}
	a, err := g.cfg.Organisation.Atlas(ctx)
	if err != nil {
		return err
	}
	r, boxes := planRules(lack, a, id, now)
	if len(boxes) == 0 {
		return nil // none is well enough to begin with
	}
	r.Hold = g.cfg.RulesHold
	data, err := json.Marshal(struct {
		Area   string `json:"area"`
		First  string `json:"first"`
		Change Patch  `json:"change"`
		Hold   string `json:"hold"`
		Boxes  int    `json:"boxes"`
	}{r.Area, boxes[0].Window, r.Change, r.Hold.String(), len(boxes)})
	if err != nil {
		return err
	}
	_, err = f.journal.Do(ctx, stager, "", journal.Act{Do: "fleet.rollout.begin", Object: r.ID, Data: data, Domain: r.Area},
		func(ctx context.Context, tx *db.Tx, _ int64) error {
			if err := keepRules(ctx, tx, g.cfg.Rules); err != nil {
				return err
			}
			return Begin(ctx, tx, r, boxes)
		})
	if overlap := new(OverlapError); errors.As(err, &overlap) {
		return nil // until that one has ended
	}
	return err
}

// lackRules returns the boxes that have other rules than those of a name, and whose programs know rules.
func (f *Fleet) lackRules(ctx context.Context, id string) ([]State, error) {
	all, err := db.Query(ctx, f.db, scanState, readStates+"WHERE d.rules <> $1 ORDER BY d.id", id)
	if err != nil {
		return nil, fmt.Errorf("read which boxes have other rules: %w", err)
	}
	return slices.DeleteFunc(all, func(s State) bool { return s.Retired || s.Health == nil || s.Health.Rules == nil }), nil
}

// planRules returns the rollout by which boxes get rules, and the boxes in their order; none if there is none to begin with. Boxes that
// were enrolled by hand are of the hall that their window names.
func planRules(lack []State, a *directory.Atlas, id string, now time.Time) (r Rollout, boxes []RolloutBox) {
	r = Rollout{ID: strings.ToLower(rand.Text()), Change: Patch{Rules: &id}, Account: stager, Begun: now, State: Running, Stage: OneWindow,
		Last: OneWindow}
	day, first, area := directory.DayOf(now), -1, ""
	for i, s := range lack {
		b := RolloutBox{Device: s.ID, Window: s.Window.ID, Hall: s.Window.Hall, Name: s.Window.Name, Stage: AllHalls, State: BoxWaits}
		in := s.Window.Area
		if p, ok := a.Window(s.Window.ID, day); ok {
			b.Hall, in = p.Hall.ID, p.Hall.Area
		}
		area = common(area, in)
		boxes = append(boxes, b)
		if first < 0 && s.online(now) && s.CanBeFirst(r.Change, now) {
			first = i
		}
	}
	if first < 0 {
		return r, nil
	}
	hall := boxes[first].Hall
	for i := range boxes {
		switch {
		case i == first:
			boxes[i].Stage = OneWindow
		case boxes[i].Hall == hall:
			boxes[i].Stage = OneHall
		}
		r.Last = max(r.Last, boxes[i].Stage)
	}
	r.Area = cmp.Or(area, strings.Repeat("0", account.AreaDigits))
	slices.SortStableFunc(boxes, func(x, y RolloutBox) int {
		return cmp.Or(cmp.Compare(x.Stage, y.Stage), cmp.Compare(x.Hall, y.Hall), cmp.Compare(x.Window, y.Window))
	})
	return r, boxes
}

// common returns the smallest area in which two lie. An empty one lies in each.
func common(x, y string) string {
	if x == "" || y == "" {
		return cmp.Or(x, y)
	}
	for _, digits := range []int{account.AreaDigits, 9, 6, 4, 2} {
		if len(x) == account.AreaDigits && len(y) == account.AreaDigits && x[:digits] == y[:digits] {
			return x[:digits] + strings.Repeat("0", account.AreaDigits-digits)
		}
	}
	return strings.Repeat("0", account.AreaDigits)
}
