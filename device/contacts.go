package device

import (
	"slices"
	"time"
)

// contacts finds what the contacts of several keys do, in the order of their moments. Like each debouncer it is a function of
// the edges and their times alone: it may be told of them late, many at once, and answers the same.
//
// A Down is told once two quiet times have passed since its moment and no other contact that began to close in them is
// undecided: only then it is known whether two keys were pressed together. A contact that hums holds nobody up beyond that.
type contacts struct {
	quiet time.Duration
	lines []debouncer
	known time.Duration // before it no edge is still to come
	held  []found       // in the order of their moments; not told yet
}

// found is a change of one contact.
type found struct {
	line int
	change
	beside bool // with Down: another key went down within two quiet times
}

// newContacts returns contacts that show these levels at the start.
func newContacts(quiet time.Duration, down []bool, at time.Duration) *contacts {
	c := &contacts{quiet: quiet, known: at}
	for _, d := range down {
		c.lines = append(c.lines, newDebouncer(quiet, d, at))
	}
	return c
}

// move takes an edge. Edges come in the order of their times. One that is late all the same counts as of now, and takes back a
// press that is not told yet if the contact was not at rest in truth.
func (c *contacts) move(line int, down bool, at time.Duration) {
	c.decide(at)
	interrupted := func(f found) bool { return f.line == line && f.action == Down && at <= f.at+c.quiet }
	if at < c.known && slices.ContainsFunc(c.held, interrupted) {
		c.held = slices.DeleteFunc(c.held, interrupted)
		c.lines[line] = c.lines[line].lost()
		c.lines[line].stable = false
	}
	c.lines[line] = c.lines[line].moved(down, c.known)
}

// sample takes what a contact shows now, which may have shown anything since it was last looked at.
func (c *contacts) sample(line int, down, edge bool, at time.Duration) {
	if d := c.lines[line]; edge || down != d.level {
		c.lines[line] = d.moved(down, at)
	}
}

// lose says that edges of a contact are missing from then on until its next one.
func (c *contacts) lose(line int, at time.Duration) {
	c.decide(at)
	c.lines[line] = c.lines[line].lost()
}

// until says that no edge before that moment is still to come, and returns what is certain then.
func (c *contacts) until(at time.Duration) []found {
	c.decide(at)
	told := 0
	for told < len(c.held) && c.certain(c.held[told]) {
		told++
	}
	out := slices.Clone(c.held[:told])
	c.held = slices.Delete(c.held, 0, told)
	return out
}

// told is up to when everything has been returned, once until was asked: what is found later began to rest after that.
func (c *contacts) told() time.Duration {
	told := c.known - 2*c.quiet
	if len(c.held) > 0 {
		told = min(told, c.held[0].at-1)
	}
	return told
}

// due is when there is something to be found or told if there is no edge until then.
func (c *contacts) due() time.Duration {
	due := never
	for _, d := range c.lines {
		due = min(due, d.due())
	}
	if len(c.held) > 0 {
		if told := c.held[0].at + 2*c.quiet; told >= c.known {
			due = min(due, told)
		}
	}
	return due
}

// decide finds what is found before a moment, in the order in which it is found.
func (c *contacts) decide(at time.Duration) {
	for {
		line, due := -1, at
		for i, d := range c.lines {
			if t := d.due(); t < due {
				line, due = i, t
			}
		}
		if line < 0 {
			c.known = max(c.known, at)
			return
		}
		var ch change
		if c.lines[line], ch = c.lines[line].find(); ch.action != 0 {
			c.hold(found{line: line, change: ch})
		}
	}
}

// hold keeps what was found in its place, and marks keys that went down together.
func (c *contacts) hold(f found) {
	for i := range c.held {
		h := &c.held[i]
		if f.action == Down && h.action == Down && f.line != h.line && (f.at-h.at).Abs() <= 2*c.quiet {
			f.beside, h.beside = true, true
		}
	}
	place := len(c.held)
	for place > 0 && c.held[place-1].at > f.at {
		place--
	}
	c.held = slices.Insert(c.held, place, f)
}

// certain reports whether nothing can come any more that goes before f or is together with it.
func (c *contacts) certain(f found) bool {
	window := time.Duration(0)
	if f.action == Down {
		window = 2 * c.quiet
		if c.known <= f.at+window {
			return false
		}
	}
	for i, d := range c.lines {
		earlier := d.since < f.at
		together := i != f.line && d.level && d.since <= f.at+window
		if d.pending() && (earlier || f.action == Down && together) {
			return false
		}
	}
	return true
}
