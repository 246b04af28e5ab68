package powercut

import (
	"fmt"
	"strconv"
	"strings"
)

// ledger is what must be on a disk, by what the writer has said and what was found there before.
type ledger struct {
	hashes       map[uint64]string // of the records that must be there, by their seqs; "-" if not known
	last         uint64            // of them
	acknowledged uint64            // the highest seq that was acknowledged
	epoch        string            // once something was thanked for in it
	opened       string            // of the present run

	first, released uint64 // as the last look found them
	found           map[uint64]string
	notes           []string // of the last look: what it did not like

	doing      string // last
	thankedNow int    // records of the present run
}

func (l *ledger) thank(seq, hash string) {
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil || hash != "-" && len(hash) != 43 {
		return // cut off
	}
	l.hashes[n] = hash
	l.last = max(l.last, n)
	l.thankedNow++
	if l.epoch == "" {
		l.epoch = l.opened
	}
}

func (l *ledger) acknowledge(seq string) {
	if n, err := strconv.ParseUint(seq, 10, 64); err == nil {
		l.acknowledged = max(l.acknowledged, n)
	}
}

// afterCut reports whether an error of the writer is what a disk without power makes.
func (l *ledger) afterCut(err error) bool {
	return strings.Contains(err.Error(), "input/output error") || strings.Contains(err.Error(), "read-only file system")
}

// maxUnthanked is how many records the writer appends at once: so many may be there that it did not get to say.
const maxUnthanked = 60

// hear takes a line that the writer says when it is only to look at the log.
func (l *ledger) hear(f []string) {
	n := func(i int) uint64 {
		v, _ := strconv.ParseUint(f[i], 10, 64) // its own writing
		return v
	}
	switch {
	case f[0] == "none" || f[0] == "broken":
		l.notes = append(l.notes, strings.Join(f, " "))
	case f[0] == "log" && len(f) == 5:
		l.opened, l.first, l.released = f[1], n(2), n(4)
	case f[0] == "record" && len(f) == 3:
		l.found[n(1)] = f[2]
	}
}

// compare holds what was found after a cut against what must be there. What is found beyond must stay from now on.
func (l *ledger) compare() error {
	if len(l.notes) > 0 {
		if l.notes[0] == "none" && l.epoch == "" {
			return nil // it was cut before there was a file
		}
		return fmt.Errorf("%w: %s; %d records were thanked for", ErrCaught, l.notes[0], len(l.hashes))
	}
	last := uint64(0)
	for seq := range l.found {
		last = max(last, seq)
	}
	switch {
	case l.epoch != "" && l.opened != l.epoch:
		return fmt.Errorf("%w: the log has another epoch", ErrCaught)
	case last < l.last:
		return fmt.Errorf("%w: record %d was thanked for, %d is the last", ErrCaught, l.last, last)
	case l.epoch != "" && last > l.last+maxUnthanked:
		return fmt.Errorf("%w: record %d is there, %d is the last that was thanked for", ErrCaught, last, l.last)
	case l.first > l.acknowledged+1 || l.released > l.acknowledged:
		return fmt.Errorf("%w: records before %d are gone and through %d released, acknowledged is %d", ErrCaught, l.first, l.released, l.acknowledged)
	}
	for seq, hash := range l.hashes {
		if got := l.found[seq]; seq >= l.first && (got == "" || hash != "-" && got != hash) {
			return fmt.Errorf("%w: record %d was thanked for and is not what it was", ErrCaught, seq)
		}
	}
	l.hashes, l.last, l.epoch = l.found, last, l.opened
	return nil
}
