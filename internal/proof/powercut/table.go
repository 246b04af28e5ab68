package powercut

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The phases in which a cut can fall.
const (
	phaseOpen        = "opening"
	phaseCreate      = "creation"
	phaseUpgrade     = "upgrade"
	phaseAppend      = "append"
	phaseAcknowledge = "acknowledge"
	phaseCompact     = "compaction"
	phaseIdle        = "between"
)

// Table is what came of a number of cuts.
type Table struct {
	Cuts     int
	Disks    int
	Phases   map[string]int // cuts by the phase in which they fell
	Thanked  int            // records
	AtStake  int            // blocks that the disk had not flushed when it was cut
	Repaired int            // cuts after which e2fsck was needed before the file system could be mounted
	Breaches map[Kind]int   // broken promises by kind
	Last     string         // where the last of them was broken, and how to repeat it
	Took     time.Duration
}

func newTable() Table { return Table{Phases: make(map[string]int), Breaches: make(map[Kind]int)} }

// Broken reports whether a promise was broken.
func (t Table) Broken() bool { return len(t.Breaches) > 0 }

// String returns the table for people.
func (t Table) String() string {
	var b strings.Builder
	line := func(name string, n any) { _, _ = fmt.Fprintf(&b, "%-34s %8v\n", name, n) }
	line("power cuts", t.Cuts)
	for _, p := range []string{phaseCreate, phaseUpgrade, phaseOpen, phaseAppend, phaseAcknowledge, phaseCompact, phaseIdle} {
		line("  during "+p, t.Phases[p])
	}
	line("disks", t.Disks)
	line("unflushed 4 KiB blocks at stake", t.AtStake)
	line("file systems repaired by e2fsck", t.Repaired)
	line("records thanked for", t.Thanked)
	for _, k := range []Kind{Missing, Twice, Gap, Chain} {
		line("  "+string(k), t.Breaches[k])
	}
	for _, k := range slices.Sorted(maps.Keys(t.Breaches)) {
		if !slices.Contains([]Kind{Missing, Twice, Gap, Chain}, k) {
			line("  "+string(k), t.Breaches[k])
		}
	}
	if t.Cuts > 0 {
		line("time for each cut", (t.Took / time.Duration(t.Cuts)).Round(time.Millisecond))
	}
	return b.String()
}
