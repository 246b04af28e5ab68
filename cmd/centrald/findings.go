package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"haochaping/internal/central/ledger"
	"haochaping/internal/rating"
)

// listedFinding is a finding as "centrald findings -json" prints it.
type listedFinding struct {
	Device   rating.DeviceID `json:"device"`
	Hall     string          `json:"hall,omitempty"`
	Window   string          `json:"window,omitempty"` // empty for a device that is not enrolled
	Epoch    rating.Epoch    `json:"epoch"`
	From     uint64          `json:"from"`
	To       uint64          `json:"to"`
	Kind     string          `json:"kind"`
	Detail   string          `json:"detail"`
	Means    string          `json:"means"`
	Do       string          `json:"do"`
	Found    time.Time       `json:"found_at"`
	Resolved time.Time       `json:"resolved_at,omitzero"`
}

// findings lists what is wrong with what the boxes have sent.
func (c *command) findings(ctx context.Context, args []string) (err error) {
	flags := c.flags("centrald findings")
	all := flags.Bool("all", false, "list the resolved ones too")
	asJSON := flags.Bool("json", false, "print a JSON array")
	if err := flags.Parse(args); err != nil {
		return ignoreHelp(err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("argument %q is unexpected; centrald findings takes flags only", flags.Arg(0))
	}
	books, err := c.writtenBooks(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, books.Close()) }()
	listed, resolved, err := listFindings(ctx, books, *all)
	if err != nil {
		return err
	}
	if *asJSON {
		out := json.NewEncoder(c.env.stdout)
		out.SetIndent("", " ")
		return out.Encode(listed)
	}
	var b strings.Builder
	for _, f := range listed {
		f.write(&b)
	}
	if resolved > 0 && !*all {
		fmt.Fprintf(&b, "%d resolved; -all lists them\n", resolved)
	}
	if len(listed) == 0 {
		fmt.Fprintln(&b, "nothing is open")
	}
	_, err = fmt.Fprint(c.env.stdout, b.String())
	return err
}

// listFindings returns the findings, neighbours joined, and how many of all are resolved.
func listFindings(ctx context.Context, books *ledger.Ledger, all bool) (listed []listedFinding, resolved int, err error) {
	found, err := books.Findings(ctx)
	if err != nil {
		return nil, 0, err
	}
	devices, err := books.Devices(ctx)
	if err != nil {
		return nil, 0, err
	}
	windows := make(map[rating.DeviceID]rating.Window)
	for _, d := range devices {
		windows[d.ID] = d.Window
	}
	listed = []listedFinding{}
	for _, f := range ledger.Join(found) {
		if !f.ResolvedAt.IsZero() {
			resolved++
			if !all {
				continue
			}
		}
		w := windows[f.Device]
		name := w.Name
		if name == "" {
			name = w.ID
		}
		means, do := explain(f.Kind)
		listed = append(listed, listedFinding{Device: f.Device, Hall: w.Hall, Window: name, Epoch: f.Epoch, From: f.From, To: f.To,
			Kind: string(f.Kind), Detail: f.Detail, Means: means, Do: do, Found: f.FoundAt, Resolved: f.ResolvedAt})
	}
	return listed, resolved, nil
}

func (f listedFinding) write(b *strings.Builder) {
	at := strings.TrimSpace(f.Hall + " " + f.Window)
	if at == "" {
		at = "not enrolled"
	}
	numbers := fmt.Sprintf("record %d", f.From)
	if f.To != f.From {
		numbers = fmt.Sprintf("records %d to %d", f.From, f.To)
	}
	fmt.Fprintf(b, "%s  %s (%s), epoch %s, %s\n", f.Kind, f.Device, at, f.Epoch, numbers)
	fmt.Fprintf(b, "  found   %s: %s\n", f.Found.UTC().Format(time.RFC3339), f.Detail)
	if !f.Resolved.IsZero() {
		fmt.Fprintf(b, "  resolved %s\n\n", f.Resolved.UTC().Format(time.RFC3339))
		return
	}
	fmt.Fprintf(b, "  means   %s\n  do      %s\n\n", f.Means, f.Do)
}

// explain says what a kind of finding means and what to do about it.
func explain(k ledger.FindingKind) (means, do string) {
	switch k {
	case ledger.Gap:
		return "The box no longer holds these records, and they are not in the books; evaluations among them are lost unless they are found.",
			"If the books were restored from a copy, take the missing records from the file that was replaced. Else look for the box's log.db, also for one that was set aside as damaged, and keep it."
	case ledger.Fork:
		return "Two different records have each of these numbers. Most likely two boxes run with one name and key, as after a card was copied; or somebody has the box's key. The books count what came first and keep the other.",
			"Find out which boxes use this name. Stop the copy, give it a name and key of its own, and enrol it. If there is no copy, the key is known to somebody: give the box a new key (centrald device add -replace-key)."
	case ledger.ForkGap:
		return "The second of two logs with this name has sent what follows on this record, but not the record.",
			"Do what the fork of the same box says. Until the copy is stopped, the record may still come."
	case ledger.BrokenChain:
		return "The record does not follow from the one before it: the box's log was changed or damaged, or belongs to a copy of the box.",
			"If the box has a fork too, it is the copy. Else look at the box's log of that day, check its card, and keep its log.db."
	case ledger.Reopened:
		return "The box has recorded one visit a second time, with other cases or staff. What it had recorded of it first holds; the second record is kept.",
			"No box does that by itself. Look at both records (ratingctl log), and find out who had the box or its key."
	case ledger.Quarantine:
		return "The record cannot be read as one, so nothing of it counts. Its bytes are kept, and the box was told.",
			"Compare the versions of ratingd and centrald; a newer box may send what this centre does not know. If the versions fit, the box's card is damaged."
	case ledger.Damage:
		return "A file of the box was damaged, as by a power cut or a worn card. The box has set it aside and brings what it can read.",
			"Wait until the box has brought it, then look for gaps of the same box. Replace a card that does this twice."
	}
	return "This version of centrald does not know this kind of finding.", "Use the version that the centre runs."
}
