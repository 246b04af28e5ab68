package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/sync/wire"
)

// Codes of what only a rollout of programs finds wrong.
const (
	CodeRefused  = "rollout.refused"  // the box has installed nothing
	CodeReturned = "rollout.returned" // the box was not well with it, and has the version before again
)

const (
	// installs is how long a box that is online may take to get a package over a thin line and to try it.
	installs = time.Hour
	// mostAsks is how often a box that does not answer is asked by itself.
	mostAsks = 3
)

// outcomes of updates, as boxes say them in wire.Programs.
const (
	outcomeRefused  = "refused"
	outcomeReturned = "returned"
)

// underWay reports whether an update goes on.
func underWay(p wire.Programs) bool {
	return slices.Contains([]string{"installing", "trying", "returning"}, p.Outcome)
}

// programs returns what a box has said of its package since a time, zero for nothing.
func (s State) programs(since time.Time) wire.Programs {
	if s.Health == nil || s.Health.Programs == nil || s.HealthAt.Before(since) {
		return wire.Programs{}
	}
	return *s.Health.Programs
}

// HasPrograms reports whether a box has said since a time that it has a version, and tries it no more.
func (s State) HasPrograms(version string, since time.Time) bool {
	p := s.programs(since)
	return p.Installed == version && (p.Asked != version || !underWay(p))
}

// reaches reports whether a rollout waits for a box that has not got it yet. A box that is off while its hall is closed cannot be asked for
// programs, and holds nobody up.
func (r Rollout) reaches(s State, open bool, now time.Time) bool {
	return r.Change.Programs == "" || open || s.online(now)
}

// lookProgram is look for a box that was asked for programs.
func (b RolloutBox) lookProgram(version string, s State, now time.Time, open, blind bool) (RolloutBox, verdict) {
	p := s.programs(b.Sent)
	if p.Command == "" || p.Command != b.commandID {
		p.Outcome = "" // of another time
	}
	why := ""
	switch {
	case p.Outcome == outcomeReturned:
		why = CodeReturned
	case p.Outcome == outcomeRefused, !b.Asked.Answered.IsZero() && b.Asked.Failed != "":
		why = CodeRefused
	}
	if b.Known == nil {
		if b.Known = s.known(now); why != "" {
			b.Known = append(b.Known, why)
		}
	}
	has := s.HasPrograms(version, b.Sent)
	switch {
	case has:
		return b.judge(s, has, installs, now, open, blind)
	case why != "" && slices.Contains(b.Known, why):
		return b.well(), away
	case why != "":
		return b.ill(why, now, blind), sickens
	case b.unheard(now) && p.Outcome == "" && b.Generation < mostAsks:
		b.State = BoxWaits
		return b.well(), settling
	case s.online(now) && !underWay(p):
		return b.judge(s, has, installs, now, open, blind)
	}
	// The daemon is started anew meanwhile, and what is not well then is looked at by the box itself.
	if b = b.ill(CodeUntaken, now, blind); now.Sub(b.Ill) >= installs {
		return b, sickens
	}
	return b, settling
}

// unheard reports whether the command by which a box was asked has come to nothing: it was not sent, or not answered in time.
func (b RolloutBox) unheard(now time.Time) bool {
	return b.Asked.ID != "" && b.Asked.Answered.IsZero() && (b.Asked.Failed != "" || !now.Before(b.Asked.Expires))
}

// commandID returns the ID of the command by which a box is asked: one for each time, so that no two instances ask twice.
func (r Rollout) commandID(b RolloutBox) string {
	const digits = 26
	sum := sha256.Sum256([]byte(r.ID + " " + string(b.Device) + " " + strconv.FormatUint(uint64(b.Generation), 10)))
	return commandPrefix + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:digits])
}

// addAsked adds to the boxes of a rollout the commands by which they were asked.
func (f *Fleet) addAsked(ctx context.Context, r Rollout, boxes []RolloutBox) error {
	at := make(map[string]int)
	var ids []string
	for i, b := range boxes {
		if b.State == BoxSent {
			id := r.commandID(b)
			boxes[i].commandID, at[id] = id, i
			ids = append(ids, id)
		}
	}
	for some := range slices.Chunk(ids, 500) {
		args, marks := make([]any, len(some)), make([]string, len(some))
		for i, id := range some {
			args[i], marks[i] = id, fmt.Sprintf("$%d", i+1)
		}
		all, err := db.Query(ctx, f.db, scanCommand, readCommands+"WHERE id IN ("+strings.Join(marks, ", ")+")", args...)
		if err != nil {
			return err
		}
		for _, c := range all {
			boxes[at[c.ID]].Asked = c
		}
	}
	return nil
}

// askAgain has the boxes of a rollout that have not installed what they were asked for asked again.
func (r Rollout) askAgain(ctx context.Context, tx *db.Tx) error {
	if r.Change.Programs == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, `UPDATE fleet_rollout_box SET state = $1 WHERE rollout = $2 AND state = $3 AND applied IS NULL AND
		why IN ($4, $5)`, string(BoxWaits), r.ID, string(BoxSent), CodeRefused, CodeUntaken)
	return err
}

// askAll asks the boxes whose turn it is for their programs, while their halls are closed, some at a time.
func (g *Stager) askAll(ctx context.Context, r Rollout) error {
	boxes, err := g.cfg.Fleet.RolloutBoxes(ctx, r)
	if err != nil {
		return err
	}
	var due []RolloutBox
	room := g.cfg.Updating
	for _, b := range boxes {
		switch {
		case b.Stage > r.Stage:
		case b.State == BoxWaits:
			due = append(due, b)
		case b.State == BoxSent && b.Applied.IsZero() && !slices.Contains(b.Known, CodeReturned):
			room--
		}
	}
	how, err := g.cfg.Fleet.InRollout(ctx, due)
	if err != nil || len(due) == 0 {
		return err
	}
	hours, err := g.cfg.Fleet.Hours(ctx)
	if err != nil {
		return err
	}
	within := make(map[string]time.Duration) // by hall
	for _, b := range due {
		if _, known := within[b.Hall]; !known {
			h, ok := hours[b.Hall]
			if !ok {
				h = UsualHours()
			}
			within[b.Hall] = h.ClosedFor(g.cfg.Now(), g.cfg.Days)
		}
		if room <= 0 {
			return nil
		}
		asked, err := g.ask(ctx, r, b, how[b.Device], within[b.Hall])
		if err != nil {
			return fmt.Errorf("%s: %w", b.Device, err)
		}
		if asked {
			room--
		}
	}
	return nil
}

// ask asks a box for the programs, if it can be asked now, in the transaction of the act by which that is noted.
func (g *Stager) ask(ctx context.Context, r Rollout, b RolloutBox, s State, within time.Duration) (asked bool, err error) {
	f, version, now := g.cfg.Fleet, r.Change.Programs, g.cfg.Now()
	b.Known, b.Sent, b.Applied = s.known(now), now, time.Time{}
	b = b.well()
	switch {
	case s.ID == "" || s.Retired || s.Window.ID != b.Window:
		b.State = BoxGone
	case s.HasPrograms(version, time.Time{}):
		b.State = BoxSent
	case within <= 0 || !s.online(now) || underWay(s.programs(time.Time{})):
		return false, nil
	}
	if b.State != BoxWaits {
		return false, ignoreMoved(f.db.Write(ctx, func(tx *db.Tx) error { return r.sent(ctx, tx, BoxWaits, b) }))
	}
	b.State = BoxSent
	b.Generation++
	args := map[string]string{"version": version, "within_sec": strconv.Itoa(int(within / time.Second))}
	c := Command{ID: r.commandID(b), Device: b.Device, Name: wire.CommandUpdate, Args: args, Account: stager, Asked: now,
		Expires: now.Add(CommandLife)}
	data, err := json.Marshal(struct {
		Version string `json:"version"`
		Rollout string `json:"rollout"`
	}{version, r.ID})
	if err != nil {
		return false, err
	}
	act := journal.Act{Do: "fleet.update", Object: string(b.Device), Data: data, Domain: r.Area}
	_, err = f.journal.Do(ctx, stager, "", act, func(ctx context.Context, tx *db.Tx, _ int64) error {
		if err := r.sent(ctx, tx, BoxWaits, b); err != nil {
			return err
		}
		return Ask(ctx, tx, c)
	})
	if errors.Is(err, ErrAsked) { // somebody has, by hand
		return false, nil
	}
	if err != nil {
		return false, ignoreMoved(err)
	}
	if err := g.cfg.Send(ctx, c.Wire()); err != nil {
		return true, f.Unsent(ctx, c.ID, fmt.Errorf("没有发出 / not sent: %w", err))
	}
	return true, nil
}
