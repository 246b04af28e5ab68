package device

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"haochaping/internal/rating"
	"haochaping/internal/terminal"
)

// judge compares what the log of a desk holds with what fingers did. It knows the rule as docs/keys.md words it, and nothing of the
// code that carries it out.
type judge struct {
	*history
	*desk
	slack   time.Duration // how exact the history's times are
	lag     time.Duration // how late the program may have decided
	used    map[int]bool  // presses that are answers
	reasons map[string]int
}

// goesOn is why a press is none that comes too soon after the key's last.
const goesOn = "the same key within 2 s of its last"

// restlessKey is why a press is none of a key that was let go before.
const restlessKey = "the same key again and again, or right after an answer"

// decided is when it is known at the latest what becomes of a press: what is sent again at once belongs to the same burst.
func (j *judge) decided(p truth) time.Duration {
	burst := p.at
	for _, c := range j.comings {
		if c.at > burst && c.at <= burst+50*ms && c.at <= p.at+200*ms {
			burst = c.at
		}
	}
	return burst + togetherWithin + 25*ms + j.lag
}

// justOpened reports whether a key that goes on may be one that was down when the keypad was opened.
func (j *judge) justOpened(at time.Duration) bool {
	return slices.ContainsFunc(j.opened(), func(opened time.Duration) bool { return at >= opened && at <= opened+2*regularWithin+j.lag })
}

// sees reports whether a view's question is still asked at a moment.
func (j *judge) sees(v seen, at time.Duration) bool {
	after := j.view(at)
	return after.State == terminal.Asking && after.Visit != nil && after.Visit.ID == v.Visit.ID && after.Subject == v.Subject
}

// verdict returns how many presses are answers, and why the others that came while a citizen was asked are none.
func verdict(h *history, d *desk, slack, lag time.Duration) (answers int, reasons map[string]int, err error) {
	j := &judge{history: h, desk: d, slack: slack, lag: lag, used: make(map[int]bool), reasons: make(map[string]int)}
	type question struct {
		visit   rating.VisitID
		subject rating.Subject
	}
	last := make(map[question]time.Duration)
	for _, b := range d.log {
		e := b.Evaluation
		if e == nil {
			continue
		}
		at, q := time.Duration(b.At.Mono-1)*ms, question{e.Visit, e.Subject}
		p, ok := j.pressOf(int(e.Level), at)
		switch v := j.view(at); {
		case !ok:
			return 0, nil, fmt.Errorf("invented or doubled: %s at %s", e.Level, at)
		case v.Visit == nil || v.Visit.ID != e.Visit || v.Subject != e.Subject:
			return 0, nil, fmt.Errorf("the answer %s of %s is to another question", e.Level, at)
		case at < last[q]:
			return 0, nil, fmt.Errorf("swapped: the answer of %s stands after one of %s", at, last[q])
		case j.beside(p, togetherWithin-slack-lag-ms, true):
			return 0, nil, fmt.Errorf("one of two keys that were pressed together counts: %s at %s", e.Level, at)
		case j.otherDown(p, true):
			return 0, nil, fmt.Errorf("a key counts that was pressed while another was down: %s at %s", e.Level, at)
		}
		j.used[p], last[q] = true, at
	}
	for i, p := range h.presses {
		v := j.view(p.at)
		if j.used[i] || v.Visit == nil || v.State != terminal.Asking && v.State != terminal.Correcting {
			continue
		}
		why := j.missed(i, p, v)
		if why == "" {
			return 0, nil, fmt.Errorf("the press of %d at %s (%s) is missed, and nothing explains it", p.key, p.at, p.what)
		}
		j.reasons[why]++
		plain := p.what != "bounces" && !j.isSpoilt(p.at) && !j.justOpened(p.at) // nobody takes it for noise, or for a key that was down before
		if told := j.decided(p); why == goesOn && plain && v.State == terminal.Asking && j.sees(v, told) {
			if v := j.view(told); !v.LetGo && !v.StuckKey && !v.AskAgain {
				return 0, nil, fmt.Errorf("the press of %d at %s (%s) counts for nothing, and nobody is told", p.key, p.at, p.what)
			}
			j.reasons["of these, told on the screen"]++
		}
	}
	if j.longStuck() && d.stuck == 0 {
		return 0, nil, errors.New("a key went on for more than 13 s and is not reported")
	}
	return len(j.used), j.reasons, nil
}

// pressOf finds the press that an answer is of: not used yet, and at the moment when its code came first. Where that was spoilt, the
// first repetition that is not tells of it.
func (j *judge) pressOf(key int, at time.Duration) (int, bool) {
	for _, c := range j.comings {
		if c.key != key || c.press < 0 || at < c.at-8*ms || at > max(c.at, c.until)+j.slack {
			continue
		}
		earlier := slices.ContainsFunc(j.comings, func(o coming) bool { return o.press == c.press && o.at < c.at && !j.isSpoilt(o.at) })
		return c.press, !earlier && !j.used[c.press]
	}
	return 0, false
}

// isSpoilt reports whether there were bytes around a moment that belong to no key.
func (j *judge) isSpoilt(at time.Duration) bool {
	return slices.ContainsFunc(j.spoilt, func(s time.Duration) bool { return s >= at-600*ms && s <= at+60*ms+j.slack })
}

// view returns what the screen showed at a moment.
func (j *judge) view(at time.Duration) seen {
	shown := j.views[0]
	for _, v := range j.views {
		if v.at <= at {
			shown = v
		}
	}
	return shown
}

// beside reports whether another code came close to a press; fresh leaves out what may be a stuck key's, which is in nobody's way.
func (j *judge) beside(i int, within time.Duration, fresh bool) bool {
	p := j.presses[i]
	return slices.ContainsFunc(j.comings, func(c coming) bool {
		if c.key == p.key || max(c.at-p.at, p.at-c.at) > within || j.kind.lets && c.press < 0 {
			return false
		}
		return !fresh || c.press >= 0 && !j.isSpoilt(c.at) && c.at-j.presses[c.press].at < stuckAfter-3*time.Second &&
			(j.kind.lets && c.at == j.presses[c.press].at && !j.justOpened(c.at) || !j.kind.lets && !j.goesOn(c.press))
	})
}

// missed explains why a press is no answer, with nothing if it should be one.
func (j *judge) missed(i int, p truth, v seen) string {
	decided := j.decided(p)
	after := j.view(decided)
	shown := time.Duration(v.Opened.Mono-1) * ms
	near := func(all []time.Duration, before, behind time.Duration) bool {
		return slices.ContainsFunc(all, func(at time.Duration) bool { return at >= p.at-before && at <= p.at+behind })
	}
	switch {
	case p.at < shown+200*ms+j.lag:
		return "before anybody can have read the question"
	case j.kind.lets && j.restless(i):
		return restlessKey
	case !j.kind.lets && j.goesOn(i):
		return goesOn
	case near(j.losses, unplugged+j.lag, decided-p.at) || v.Problem != "":
		return "the keypad was unplugged"
	case j.justOpened(p.at):
		return "right after the keypad was opened"
	case j.beside(i, togetherWithin+j.lag, false):
		return "two keys together"
	case j.otherDown(i, false):
		return "another key was down"
	case j.isSpoilt(p.at):
		return "bytes that belong to no key around it"
	case v.State == terminal.Correcting && int(v.Chosen) == p.key, after.State == terminal.Correcting && int(after.Chosen) == p.key:
		return "the same level again"
	case after.Visit == nil || after.Visit.ID != v.Visit.ID || after.Subject != v.Subject:
		return "the question ended before the press was decided"
	}
	return ""
}

// goesOn reports whether a press's code came within 2 s of its last, or within 2.5 s where that came so too. What cannot be read,
// or came while the keypad was away, may have been that code.
func (j *judge) goesOn(i int) bool {
	p := j.presses[i]
	var all []coming
	for _, c := range j.comings {
		if c.at < p.at && c.press != i {
			all = append(all, c)
			if j.isSpoilt(c.at) {
				all = append(all, coming{at: c.at, press: -1, key: 0})
			}
		}
	}
	for _, at := range append(j.opened(), j.spoilt...) {
		if at < p.at {
			all = append(all, coming{at: at, press: -1, key: 0})
		}
	}
	slices.SortStableFunc(all, func(a, b coming) int { return cmp.Compare(a.at, b.at) })
	var last time.Duration
	times := 0
	for _, c := range all {
		goesOn := times > 0 && (c.at-last <= regularWithin+j.slack || slices.Contains(j.opened(), c.at))
		switch {
		case c.key == p.key && !goesOn:
			last, times = c.at, 1
		case c.key == p.key || c.key == 0 && goesOn:
			last, times = c.at, times+1
		}
	}
	return times > 0 && p.at-last <= sameWithin+j.slack || times > 1 && p.at-last <= regularWithin+j.slack
}

// restless reports whether a press of a keypad that says when a key is let go belongs to those before: the key was pressed twice or more,
// or once and that was an answer, each within 2.5 s of when it moved last. What cannot be read may have been that key.
func (j *judge) restless(i int) bool {
	p := j.presses[i]
	last, chain, answered, doubt := time.Duration(0), 0, false, false
	for _, c := range j.comings {
		if c.at >= p.at || c.key != p.key && c.up != p.key {
			continue
		}
		if chain > 0 && c.at-last > regularWithin+j.slack && !j.unsure(last, c.at) {
			chain, answered, doubt = 0, false, false
		}
		if c.press >= 0 && c.at == j.presses[c.press].at || chain == 0 {
			chain++
		}
		answered = answered || c.press >= 0 && j.used[c.press]
		doubt = doubt || j.isSpoilt(c.at)
		last = c.at
	}
	if chain == 0 || p.at-last > regularWithin+j.slack && !j.unsure(last, p.at) {
		return false
	}
	return chain > 1 || answered || doubt || j.unsure(last, p.at)
}

// unsure reports whether nobody can know what the keypad sent between two moments, up to 2.5 s before the second.
func (j *judge) unsure(from, to time.Duration) bool {
	return slices.ContainsFunc(append(j.opened(), j.spoilt...), func(at time.Duration) bool {
		return at >= from-60*ms && at <= to+60*ms && to-at <= regularWithin+j.slack
	})
}

// otherDown reports whether another key was down when a key of a keypad that says when it is let go was pressed: for certain, or perhaps.
func (j *judge) otherDown(i int, certain bool) bool {
	p := j.presses[i]
	for key := range 6 {
		since, sure := j.downSince(key, p.at+togetherWithin+j.lag)
		if since == 0 {
			since, sure = j.downSince(key, p.at) // and let go right after
		}
		switch held := p.at - since; {
		case !j.kind.lets || key == p.key || since == 0:
		case certain && sure && held > 2*togetherWithin+j.lag && held < stuckAfter-time.Second:
			return true
		case !certain && held < stuckAfter+3*time.Second:
			return true
		}
	}
	return false
}

// downSince returns since when a key may be down at a moment, 0 if it is not, and whether that is certain.
func (j *judge) downSince(key int, at time.Duration) (since time.Duration, sure bool) {
	var lost time.Duration // when the keypad was unplugged last
	for _, l := range j.losses {
		if l <= at {
			lost = max(lost, l-j.lag)
		}
	}
	let := false // perhaps
	for _, c := range j.comings {
		switch {
		case c.at > at || c.at < lost || c.key != key && c.up != key:
		case c.up == key && !j.isSpoilt(c.at):
			since, sure = 0, false
		case c.up == key:
			let = true
		case since == 0 || let:
			since, sure, let = c.at, !let && !j.isSpoilt(c.at) && !j.justOpened(c.at) && !j.restless(c.press), false
		}
	}
	return since, sure && !let && !j.unsure(since, at)
}

// opened lists when the keypad was opened.
func (j *judge) opened() []time.Duration {
	opened := []time.Duration{0}
	for _, l := range j.losses {
		opened = append(opened, l+unplugged)
	}
	return opened
}

// longStuck reports whether a key went on for long enough, the keypad being there.
func (j *judge) longStuck() bool {
	for i, p := range j.presses {
		end := p.at
		for _, c := range j.comings {
			if c.press == i && c.at <= j.end {
				end = c.at
			}
		}
		lost := slices.ContainsFunc(j.losses, func(l time.Duration) bool { return l >= p.at-unplugged && l <= end })
		if end-p.at > stuckAfter+3*time.Second && !lost {
			return true
		}
	}
	return false
}

// String tells a history so that one that fails can be understood.
func (h *history) String() string {
	s := fmt.Sprintf("%s: visits at %v, unplugged at %v, spoilt at %v\n", h.kind.name, h.opens, h.losses, h.spoilt)
	for i, p := range h.presses {
		s += fmt.Sprintf("  %d: key %d at %s, %s; comes at", i, p.key, p.at, p.what)
		for _, c := range h.comings {
			if c.press == i {
				s += " " + c.at.String()
			}
		}
		s += "\n"
	}
	return s
}
