package keypad

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Beat is what a keypad sends by itself.
type Beat struct {
	Sample []byte
	Any    []bool        // which of its bytes differ each time, as a counter's
	Every  time.Duration // the longest time between two, 0 if they do not come regularly
}

// matches reports whether this is such a beat.
func (b Beat) matches(s []byte) bool {
	if len(s) != len(b.Sample) {
		return false
	}
	for i := range s {
		if s[i] != b.Sample[i] && !b.Any[i] {
			return false
		}
	}
	return true
}

// joins reports whether this may be the same beat, of which some bytes differ each time.
func (b Beat) joins(s []byte) bool {
	if len(s) != len(b.Sample) {
		return false
	}
	same := 0
	for i := range s {
		if s[i] == b.Sample[i] && !b.Any[i] {
			same++
		}
	}
	return same > 0 && 2*same >= len(s)
}

// layout returns the beat as a layout's parts.
func (b Beat) layout() string {
	var parts []string
	for i, c := range b.Sample {
		if b.Any[i] {
			parts = append(parts, "any")
		} else {
			parts = append(parts, fmt.Sprintf("%02x", c))
		}
	}
	return strings.Join(parts, " ")
}

// beats finds out what comes by itself.
type beats struct {
	heard []sending   // before it is known
	all   []heardBeat // once it is
	done  bool        // what is new from now on may be a key
}

type sending struct {
	b  []byte
	at time.Duration
}

type heardBeat struct {
	Beat
	at []time.Duration
}

// maxListen bounds how long what comes by itself is waited for.
const maxListen = 30 * time.Second

// came takes what came by itself.
func (b *beats) came(s []byte, at time.Duration) {
	if !b.done {
		b.heard = append(b.heard, sending{bytes.Clone(s), at})
		return
	}
	for i := range b.all {
		if b.all[i].matches(s) {
			b.all[i].at = append(b.all[i].at, at)
			return
		}
	}
}

// settled reports whether it is known what comes by itself, after that time. What came once or twice and then no more was
// somebody's touch.
func (b *beats) settled(since time.Duration) bool {
	if b.done {
		return true
	}
	groups := grouped(b.heard)
	for _, h := range groups {
		if since < maxListen && since-h.at[len(h.at)-1] <= soonAgain && h.every() == 0 {
			return false
		}
	}
	b.all = slices.DeleteFunc(groups, func(h heardBeat) bool { return len(h.at) < 3 })
	b.done = true
	return true
}

// grouped puts the same with the same, and of what came only once what differs in some bytes.
func grouped(heard []sending) (all []heardBeat) {
	var rest []sending
	for i, s := range heard {
		h := heardBeat{Beat: Beat{Sample: s.b, Any: make([]bool, len(s.b))}}
		for _, o := range heard {
			if bytes.Equal(s.b, o.b) {
				h.at = append(h.at, o.at)
			}
		}
		switch {
		case len(h.at) == 1:
			rest = append(rest, s)
		case !slices.ContainsFunc(heard[:i], func(o sending) bool { return bytes.Equal(s.b, o.b) }):
			all = append(all, h)
		}
	}
	fixed := len(all)
	for _, s := range rest {
		i := slices.IndexFunc(all[fixed:], func(h heardBeat) bool { return h.joins(s.b) })
		if i < 0 {
			all = append(all, heardBeat{Beat{Sample: s.b, Any: make([]bool, len(s.b))}, []time.Duration{s.at}})
			continue
		}
		h := &all[fixed+i]
		h.at = append(h.at, s.at)
		for j := range s.b {
			h.Any[j] = h.Any[j] || s.b[j] != h.Sample[j]
		}
	}
	return all
}

// every returns how often it comes, 0 if it does not do so regularly. One may be missing, as where two met.
func (h heardBeat) every() time.Duration {
	if len(h.at) < 3 {
		return 0
	}
	low := time.Duration(1 << 62)
	for i, t := range h.at[1:] {
		low = min(low, t-h.at[i])
	}
	if low < sameSending {
		return 0
	}
	for i, t := range h.at[1:] {
		gap := t - h.at[i]
		n := max((gap+low/2)/low, 1)
		if (gap - n*low).Abs() > max(low/4, sameSending) {
			return 0
		}
	}
	return low + low/4
}

// clocked reports whether it has come as regularly as no finger lets a key go: every two seconds or more rarely, and each time to a
// tenth of a second. What comes more often is known before a key is asked for.
func (h heardBeat) clocked() bool {
	const seldom, exact = 2 * time.Second, 100 * time.Millisecond
	if len(h.at) < 3 {
		return false
	}
	low := time.Duration(1 << 62)
	for i, t := range h.at[1:] {
		low = min(low, t-h.at[i])
	}
	if low < seldom {
		return false
	}
	for i, t := range h.at[1:] {
		gap := t - h.at[i]
		if n := (gap + low/2) / low; (gap - n*low).Abs() > exact+gap/50 {
			return false
		}
	}
	return true
}

// has reports whether this comes by itself.
func (b *beats) has(s []byte) bool {
	return b.done && slices.ContainsFunc(b.all, func(h heardBeat) bool { return h.matches(s) })
}

// without returns a burst without what was due to come by itself at that time and stands at its beginning or its end.
func (b *beats) without(s []byte, at time.Duration) []byte {
	for i, h := range b.all {
		n := len(h.Sample)
		if !b.done || n >= len(s) || !h.due(at) {
			continue
		}
		switch {
		case h.matches(s[:n]):
			b.all[i].at = append(h.at, at)
			return s[n:]
		case h.matches(s[len(s)-n:]):
			b.all[i].at = append(h.at, at)
			return s[:len(s)-n]
		}
	}
	return s
}

// due reports whether it is expected about now.
func (h heardBeat) due(at time.Duration) bool {
	every := h.every() * 4 / 5
	if every == 0 {
		return true
	}
	since := at - h.at[len(h.at)-1]
	n := max((since+every/2)/every, 1)
	return (since - n*every).Abs() <= sameSending/2+every/20
}

// late takes what was heard again and again while keys were pressed and is no key's: it comes by itself if it came regularly.
func (b *beats) late(s []byte, at []time.Duration) {
	h := heardBeat{Beat{Sample: s, Any: make([]bool, len(s))}, at}
	if h.every() > 0 && !b.has(s) {
		b.all = append(b.all, h)
	}
}

// found returns what comes by itself.
func (b *beats) found() (all []Beat) {
	for _, h := range b.all {
		if len(h.Sample) <= maxLearnt {
			h.Every = h.every()
			all = append(all, h.Beat)
		}
	}
	slices.SortFunc(all, func(a, b Beat) int { return bytes.Compare(a.Sample, b.Sample) })
	return all
}
