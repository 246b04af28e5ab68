package main

import (
	"time"

	"haochaping/internal/boxcode"
	"haochaping/internal/enrolment"
)

// How long what tells a code takes, so that somebody can write it down.
const (
	flashLit   = 500 * time.Millisecond
	flashDark  = 300 * time.Millisecond
	groupDark  = 1500 * time.Millisecond // after four flashes
	beginLit   = 3 * time.Second         // all lamps, before the code
	beginDark  = time.Second
	againDark  = 3 * time.Second // before the code is told again
	flashGroup = 4
)

// flash is what the lamps show for a while.
type flash struct {
	keys [5]bool // left to right
	hold time.Duration
}

// tellingCode returns by what lamps tell a code, over and over again: all of them for long, sixteen flashes of one, all of them twice, and
// eight flashes for the check digits. It is nil for a code that lamps cannot tell, as that of a box that does not wait.
func tellingCode(c enrolment.Code) []flash {
	code, err := boxcode.Flashes(c.Text)
	if err != nil || len(code) == 0 {
		return nil
	}
	check, err := boxcode.DigitFlashes(c.Digits)
	if err != nil {
		return nil
	}
	all := [5]bool{true, true, true, true, true}
	out := []flash{{all, beginLit}, {hold: beginDark}}
	out = append(out, flashing(code)...)
	out = append(out, flash{all, flashLit}, flash{hold: flashDark}, flash{all, flashLit}, flash{hold: beginDark})
	out = append(out, flashing(check)...)
	out[len(out)-1].hold = againDark
	return out
}

// flashing returns flashes of single lamps in groups.
func flashing(lamps []int) (out []flash) {
	for i, lamp := range lamps {
		lit, dark := flash{hold: flashLit}, flash{hold: flashDark}
		lit.keys[lamp-1] = true
		if (i+1)%flashGroup == 0 {
			dark.hold = groupDark
		}
		out = append(out, lit, dark)
	}
	return out
}

// teller goes through flashes one after another. Each stays for its time at least: a machine that is late shows none the less.
type teller struct {
	flashes []flash
	at      int
	since   time.Duration // when the present one began
}

// tell returns what the lamps show now, and when that changes.
func (t *teller) tell(now time.Duration) (lit, time.Duration) {
	f := t.flashes[t.at]
	if now-t.since >= f.hold {
		t.at, t.since = (t.at+1)%len(t.flashes), now
		f = t.flashes[t.at]
	}
	return lit{keys: f.keys, backlight: true}, f.hold - (now - t.since)
}
