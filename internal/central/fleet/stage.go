package fleet

import (
	"slices"
	"time"

	"haochaping/internal/rating"
)

// Codes of what only a rollout finds wrong.
const (
	CodeUntaken = "rollout.untaken" // a box that is online does not say that it has what was sent
	CodeNoFirst = "rollout.first"   // the first window has no box any more that could show how the change is borne
	codeOffline = "centre.offline"
)

// takes is how long a box that is online may take to say that it has what was sent.
const takes = 10 * time.Minute

// verdict is how a box bears a change.
type verdict int

// The verdicts.
const (
	settling verdict = iota // it is not known yet
	away                    // it was offline before, and nobody waits for it
	bears
	sickens
)

// look returns the box as it is seen now, and how it bears a change. Open says whether its hall is: at other times boxes are switched
// off. Blind says that nothing is known of the time before.
func (b RolloutBox) look(c Patch, s State, now time.Time, open, blind bool) (RolloutBox, verdict) {
	has := s.Health != nil && !s.HealthAt.Before(b.Sent) && s.Health.Generation >= b.Generation
	if has && c.Rules != nil {
		has = s.Health.Rules != nil && *s.Health.Rules == *c.Rules
	}
	return b.judge(s, has, takes, now, open, blind)
}

// judge is look for a box of which is known whether it has what was sent, which it may take for some time to say.
func (b RolloutBox) judge(s State, has bool, takes time.Duration, now time.Time, open, blind bool) (RolloutBox, verdict) {
	online, told := s.online(now), s.codes()
	if b.Known == nil {
		b.Known = s.known(now)
	}
	if has && b.Applied.IsZero() {
		b.Applied = now
	}
	lasts := settle
	switch fresh := slices.IndexFunc(told, func(code string) bool { return !slices.Contains(b.Known, code) }); {
	case !online && slices.Contains(b.Known, codeOffline):
		return b.well(), away
	case !online && !open:
		return b, settling
	case !online:
		b = b.ill(codeOffline, now, blind)
	case fresh >= 0:
		b = b.ill(told[fresh], now, blind)
	case !has:
		b, lasts = b.ill(CodeUntaken, now, blind), takes
	default:
		b = b.well()
	}
	if online { // when it goes again, that is new
		b.Known = slices.DeleteFunc(slices.Clone(b.Known), func(code string) bool { return code == codeOffline })
	}
	switch {
	case b.Why == "":
		return b, bears
	case now.Sub(b.Ill) >= lasts:
		return b, sickens
	}
	return b, settling
}

func (b RolloutBox) well() RolloutBox {
	b.Ill, b.Why = time.Time{}, ""
	return b
}

// ill returns a box with which something is wrong, since now if that is new.
func (b RolloutBox) ill(why string, now time.Time, blind bool) RolloutBox {
	if why != b.Why || blind {
		b.Ill, b.Why = now, why
	}
	return b
}

// codes returns the codes of what is not well with a box by what was heard of it, but for what comes of the weather.
func (s State) codes() (all []string) {
	if s.refused() {
		all = append(all, string(refusedKind().Code))
	}
	for _, k := range s.troubles() {
		if k.Part() != "temperature" {
			all = append(all, string(k.Code))
		}
	}
	return all
}

// known returns the codes of what is not well with a box at a time, that it is offline among them.
func (s State) known(now time.Time) []string {
	all := append([]string{}, s.codes()...)
	if !s.online(now) {
		all = append(all, codeOffline)
	}
	return all
}

// seenStage is how the boxes bear a change to which it has gone out.
type seenStage struct {
	waits, unsettled int
	sent, bear       int // of the present stage
	away             int // to whom programs cannot be sent
}

// see looks at the boxes to which a rollout has come. How is how they are; one that is not in it has gone.
func (r Rollout) see(boxes []RolloutBox, how map[rating.DeviceID]State, open func(hall string) bool,
	now time.Time) (Rollout, []RolloutBox, seenStage) {
	blind := now.Sub(r.Looked) > lookGap
	all, n := slices.Clone(boxes), seenStage{}
	for i, b := range all {
		switch {
		case b.Stage > r.Stage:
			continue
		case b.State == BoxWaits && r.reaches(how[b.Device], open(b.Hall), now):
			n.waits++
		case b.State == BoxWaits:
			n.away++
		}
		if b.State != BoxSent {
			continue
		}
		s, ok := how[b.Device]
		if !ok || s.Retired || s.Window.ID != b.Window {
			all[i].State = BoxGone
			continue
		}
		var v verdict
		if version := r.Change.Programs; version != "" {
			all[i], v = b.lookProgram(version, s, now, open(b.Hall), blind)
		} else {
			all[i], v = b.look(r.Change, s, now, open(b.Hall), blind)
		}
		if b.Stage == r.Stage {
			n.sent++
		}
		switch {
		case v == settling:
			n.unsettled++
		case v == bears && b.Stage == r.Stage:
			n.bear++
		case v == sickens && r.State == Running:
			r.State, r.Sick, r.Why = Halted, b.Device, all[i].Why
		}
	}
	return r, all, n
}

// step returns how a rollout goes on, and its boxes as they are seen: to the next stage when all that have the change have been well for
// long enough, and at least one of the last stage says so.
func (r Rollout) step(boxes []RolloutBox, how map[rating.DeviceID]State, open func(hall string) bool,
	now time.Time) (Rollout, []RolloutBox) {
	blind := now.Sub(r.Looked) > lookGap
	r, all, n := r.see(boxes, how, open, now)
	if r.State == Running && r.Stage == OneWindow && n.waits+n.sent+n.away == 0 {
		r.State, r.Sick, r.Why = Halted, "", CodeNoFirst
	}
	if r.State != Running || n.waits > 0 || n.unsettled > 0 || n.sent+n.away > 0 && n.bear == 0 {
		r.Well = time.Time{}
		return r, all
	}
	if r.Well.IsZero() || blind {
		r.Well = now
	}
	if n.sent > 0 && now.Sub(r.Well) < r.Hold {
		return r, all
	}
	r.Well = time.Time{}
	if r.Stage++; r.Stage > r.Last {
		r.Stage, r.State, r.Ended = r.Last, Finished, now
	}
	return r, all
}
