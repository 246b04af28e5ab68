package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/fleet"
	"haochaping/internal/rating"
)

// listedFinding is a finding as "centrald findings -json" prints it.
type listedFinding struct {
	Device   rating.DeviceID `json:"device,omitzero"`  // empty where it is about no box
	Source   string          `json:"source,omitempty"` // the business system or channel that it is about, if it is no box
	Hall     string          `json:"hall,omitempty"`
	Unit     string          `json:"unit,omitempty"`   // of a silent channel, which Source then names
	Window   string          `json:"window,omitempty"` // empty for a device that is not enrolled
	Epoch    rating.Epoch    `json:"epoch,omitzero"`   // empty by phone
	From     uint64          `json:"from"`
	To       uint64          `json:"to"`
	Count    int64           `json:"count"`
	Kind     string          `json:"kind"`
	Detail   string          `json:"detail"`
	Means    string          `json:"means"`
	Do       string          `json:"do"`
	Found    time.Time       `json:"found_at"`
	Resolved time.Time       `json:"resolved_at,omitzero"`
}

// findings lists what is wrong with what the boxes have sent.
func (c *command) findings(ctx context.Context, args []string) error {
	flags := c.flags("centrald findings")
	all := flags.Bool("all", false, "list the resolved ones too")
	most := flags.Int("limit", 1000, "list at most this `many`, the newest first")
	asJSON := flags.Bool("json", false, "print a JSON array")
	return c.onWritten(ctx, flags, args, func(x *rooms) error { return c.printFindings(ctx, x, *all, *most, *asJSON) })
}

func (c *command) printFindings(ctx context.Context, x *rooms, all bool, most int, asJSON bool) error {
	if err := x.caughtUp(ctx); err != nil {
		return err
	}
	listed, err := x.listFindings(ctx, !all, most)
	if err != nil {
		return err
	}
	open, resolved, err := x.books.FindingCounts(ctx)
	if err != nil {
		return err
	}
	silent, err := x.deadlines.Silences(ctx)
	if err != nil {
		return err
	}
	for _, s := range silent {
		l, err := x.listedSilence(ctx, s)
		if err != nil {
			return err
		}
		listed = append(listed, l)
	}
	if asJSON {
		out := json.NewEncoder(c.env.stdout)
		out.SetIndent("", " ")
		return out.Encode(listed)
	}
	var b strings.Builder
	for _, f := range listed {
		f.write(&b)
	}
	if open == 0 && len(silent) == 0 {
		fmt.Fprintln(&b, "nothing is open")
	}
	if left := open - int64(len(listed)-len(silent)); left > 0 {
		fmt.Fprintf(&b, "%d more are open; -limit lists them\n", left)
	}
	if resolved > 0 && !all {
		fmt.Fprintf(&b, "%d resolved; -all lists them\n", resolved)
	}
	_, err = fmt.Fprint(c.env.stdout, b.String())
	return err
}

// listFindings returns the findings, the newest first.
func (x *rooms) listFindings(ctx context.Context, open bool, most int) ([]listedFinding, error) {
	const page = 200
	listed := []listedFinding{}
	for after := int64(0); len(listed) < most; {
		some, err := x.books.Findings(ctx, books.Filter{Open: open, After: after, Limit: min(page, most-len(listed))})
		if err != nil {
			return nil, err
		}
		for _, f := range some {
			l, err := x.listed(ctx, f)
			if err != nil {
				return nil, err
			}
			listed, after = append(listed, l), f.ID
		}
		if len(some) == 0 {
			break
		}
	}
	return listed, nil
}

// listed returns a finding with its window and what to do.
func (x *rooms) listed(ctx context.Context, f books.Finding) (listedFinding, error) {
	d, err := x.fleet.Known(ctx, f.Device)
	if err != nil && !errors.Is(err, fleet.ErrNoDevice) {
		return listedFinding{}, err
	}
	name := d.Window.Name
	if name == "" {
		name = d.Window.ID
	}
	means, do := explain(f.Kind)
	return listedFinding{Device: f.Device, Source: f.Source, Hall: d.Window.Hall, Window: name, Epoch: f.Epoch, From: f.From, To: f.To, Count: f.Count,
		Kind: string(f.Kind), Detail: f.Detail, Means: means, Do: do, Found: f.Found, Resolved: f.Resolved}, nil
}

func (f listedFinding) write(b *strings.Builder) {
	if f.Unit != "" {
		fmt.Fprintf(b, "%s  %s of unit %s\n  found   %s: %s\n  means   %s\n  do      %s\n\n", f.Kind, f.Source, f.Unit, f.Found.UTC().Format(time.RFC3339), f.Detail, f.Means, f.Do)
		return
	}
	at := strings.TrimSpace(f.Hall + " " + f.Window)
	if at == "" {
		at = "not enrolled"
	}
	if f.Source != "" {
		at = "no box"
	}
	numbers := fmt.Sprintf("record %d", f.From)
	if f.To != f.From {
		numbers = fmt.Sprintf("records %d to %d", f.From, f.To)
	}
	fmt.Fprintf(b, "%s  %s (%s), epoch %s, %s\n", f.Kind, string(f.Device)+f.Source, at, f.Epoch, numbers)
	fmt.Fprintf(b, "  found   %s: %s\n", f.Found.UTC().Format(time.RFC3339), f.Detail)
	if !f.Resolved.IsZero() {
		fmt.Fprintf(b, "  resolved %s\n\n", f.Resolved.UTC().Format(time.RFC3339))
		return
	}
	fmt.Fprintf(b, "  means   %s\n  do      %s\n\n", f.Means, f.Do)
}

// explain says what a kind of finding means and what to do about it.
func explain(k books.FindingKind) (means, do string) {
	switch k {
	case books.Gap:
		return "The box no longer holds these records, and they are not in the books; evaluations among them are lost unless they are found.",
			"If the books were restored from a copy, take the missing records from the file that was replaced. Else look for the box's log.db, also for one that was set aside as damaged, and keep it."
	case books.Fork:
		return "Two different records have each of these numbers. Most likely two boxes run with one name and key, as after a card was copied; or somebody has the box's key. The books count what came first and keep the other.",
			"Find out which boxes use this name. Stop the copy, give it a name and key of its own, and enrol it. If there is no copy, the key is known to somebody: give the box a new key (centrald device add -replace-key)."
	case books.ForkGap:
		return "The second of two logs with this name has sent what follows on this record, but not the record.",
			"Do what the fork of the same box says. Until the copy is stopped, the record may still come."
	case books.BrokenChain:
		return "The record does not follow from the one before it: the box's log was changed or damaged, or belongs to a copy of the box.",
			"If the box has a fork too, it is the copy. Else look at the box's log of that day, check its card, and keep its log.db."
	case books.Reopened:
		return "The box has recorded one visit a second time, with other cases or staff. What it had recorded of it first holds; the second record is kept.",
			"No box does that by itself. Look at both records (ratingctl log), and find out who had the box or its key."
	case books.Quarantine:
		return "The record cannot be read as one, so nothing of it counts. Its bytes are kept, and the box was told.",
			"Compare the versions of ratingd and centrald; a newer box may send what this centre does not know. If the versions fit, the box's card is damaged."
	case books.Displaced:
		return "An evaluation that came later was given earlier, by the time that the books know, and now counts in place of one that did. Both are kept. A box that was offline does that.",
			"If the box was online all the time, find out who had it, its key or its clock."
	case books.Contradiction:
		return "A business system says otherwise of a case than was said before, and not as a correction. What came first holds.",
			"Look at both messages; if the later one is right, have it sent again as a correction (corrects)."
	case books.Crowd:
		return "One device has sent more answers about one case or visit than are looked at, or a business system has named more cases of one batch or theme. What came first is looked at; the others are kept, and count for nothing there.",
			"No box does that by itself: find out who had it or its key. A batch of so many cases is to be told as several."
	case books.Damage:
		return "A file of the box was damaged, as by a power cut or a worn card. The box has set it aside and brings what it can read.",
			"Wait until the box has brought it, then look for gaps of the same box. Replace a card that does this twice."
	}
	return "This version of centrald does not know this kind of finding.", "Use the version that the centre runs."
}
