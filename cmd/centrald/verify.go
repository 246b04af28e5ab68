package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"haochaping/internal/central/ledger"
	"haochaping/internal/rating"
)

// verify checks the whole books and prints a line for each device and epoch.
func (c *command) verify(ctx context.Context, args []string) (err error) {
	flags := c.flags("centrald verify")
	if err := flags.Parse(args); err != nil {
		return ignoreHelp(err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("argument %q is unexpected; centrald verify takes none", flags.Arg(0))
	}
	books, err := c.writtenBooks(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, books.Close()) }()
	devices, err := books.Devices(ctx)
	if err != nil {
		return err
	}
	enrolled := make(map[rating.DeviceID]ledger.Device)
	for _, d := range devices {
		enrolled[d.ID] = d
	}
	wrong, logs, records := 0, 0, uint64(0)
	tab := tabwriter.NewWriter(c.env.stdout, 0, 8, 2, ' ', 0)
	var problems strings.Builder
	// A tabwriter holds its text back; what goes wrong shows at Flush.
	_, _ = fmt.Fprintln(tab, "DEVICE\tEPOCH\tRECORDS\tSIGNATURES\tKEY\tFORKS\tQUARANTINED\tOPEN FINDINGS\tRESULT")
	err = books.Audit(ctx, func(a ledger.Account) error {
		logs++
		records += a.Records
		result := "verified"
		if a.Waiting > 0 {
			result = fmt.Sprintf("verified, %d still to come", a.Waiting)
		}
		if len(a.Problems) > 0 {
			wrong++
			result = fmt.Sprintf("DOES NOT VERIFY: %d problems", len(a.Problems)+a.More)
			for _, p := range a.Problems {
				fmt.Fprintf(&problems, "%s, epoch %s: %s\n", a.Device, a.Epoch, p)
			}
			if a.More > 0 {
				fmt.Fprintf(&problems, "%s, epoch %s: and %d more\n", a.Device, a.Epoch, a.More)
			}
		}
		_, _ = fmt.Fprintf(tab, "%s\t%s\t%s\t%d\t%s\t%d\t%d\t%d\t%s\n", a.Device, a.Epoch, numbers(a), a.Signatures, whose(a, enrolled),
			a.Forks, a.Quarantined, a.Open, result)
		return nil
	})
	if err = errors.Join(err, tab.Flush()); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c.env.stdout, "%s%d records of %d logs looked at; ratings by phone have no box's signature and were not\n", problems.String(), records, logs); err != nil {
		return err
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d logs do not verify; \"centrald findings\" says what the centre knows about them, and what no finding explains was changed in the books after it was received: compare with a backup", wrong, logs)
	}
	return nil
}

func numbers(a ledger.Account) string {
	if a.Records == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%d-%d)", a.Records, a.First, a.Last)
}

// whose says whether the signatures are those of the key that is enrolled now.
func whose(a ledger.Account, enrolled map[rating.DeviceID]ledger.Device) string {
	var all []string
	for _, k := range a.Keys {
		if k.Equal(enrolled[a.Device].Key) {
			all = append(all, "enrolled")
		} else {
			all = append(all, "earlier "+keyText(k))
		}
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}
