package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/rating"
	"haochaping/store"
)

const logUsage = `ratingctl log prints what the box has recorded, also while ratingd runs.

Every record is checked on the way: its checksum, its place, and that it follows from the one before it.

`

// logOptions are the arguments of log.
type logOptions struct {
	file   string
	from   uint64
	last   int
	format string
	verify bool
}

func parseLog(args []string, stderr io.Writer) (o logOptions, help bool, err error) {
	flags := flag.NewFlagSet("ratingctl log", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		_, _ = io.WriteString(stderr, logUsage)
		flags.PrintDefaults()
	}
	config := flags.String("config", "/etc/ratingd.toml", "the box's configuration `file`")
	flags.StringVar(&o.file, "file", "", "the log `file` itself, in place of the one that the configuration names")
	flags.Uint64Var(&o.from, "from", 0, "begin at the record with this `number`; 0 prints the last ones")
	flags.IntVar(&o.last, "last", 20, "how many of the last records are printed; 0 is all")
	flags.StringVar(&o.format, "format", "text", "text for people, jsonl for the records as they are signed, csv for a table")
	asJSON := flags.Bool("json", false, "the same as -format jsonl")
	flags.BoolVar(&o.verify, "verify", false, "print no records, only whether all of them are sound")
	if err := cli.Parse(flags, args); err != nil {
		return o, errors.Is(err, flag.ErrHelp), err
	}
	if *asJSON {
		o.format = "jsonl"
	}
	switch {
	case flags.NArg() > 0:
		return o, false, cli.Usagef("多余的参数 %[1]q / argument %[1]q is unexpected", flags.Arg(0))
	case o.last < 0:
		return o, false, &hinted{cli.Usagef("-last %d: there is no such number of records", o.last), "write how many of the last records are wanted, or 0 for all"}
	case o.format != "text" && o.format != "jsonl" && o.format != "csv":
		return o, false, &hinted{cli.Usagef("format %q is unknown", o.format), "there are text, jsonl and csv"}
	case o.file == "":
		c, err := boxconfig.LoadPartial(*config)
		if err != nil {
			return o, false, &hinted{err, "name the configuration with -config, or the log with -file"}
		}
		o.file = filepath.Join(c.State, "log.db")
	}
	return o, false, nil
}

// logCommand lists, verifies or exports a log.
func logCommand(args []string, stdout, stderr io.Writer) error {
	o, help, err := parseLog(args, stderr)
	if help {
		return nil
	}
	if err != nil {
		return err
	}
	n, err := store.Inspect(o.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &hinted{err, "the box has not been started yet, or its state is elsewhere: name the log with -file"}
	case errors.Is(err, fs.ErrPermission):
		return &hinted{err, "the log is readable by root and by the user that runs ratingd"}
	case err != nil:
		return &hinted{err, "restart ratingd: it sets a damaged log aside and salvages what can be read"}
	}
	out := bufio.NewWriter(stdout)
	if o.verify {
		err = verifyLog(n, out)
	} else {
		err = printLog(n, o, out)
	}
	if errors.Is(err, store.ErrDamaged) {
		err = &hinted{err, "restart ratingd: it sets a damaged log aside and salvages what can be read"}
	}
	return errors.Join(err, out.Flush())
}

func verifyLog(n *store.Inspection, out io.Writer) error {
	count := 0
	err := n.Records(0, func(rating.Record, []byte) error { count++; return nil })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "device        %s\nepoch         %s\nrecords       %d, from %d to %d: all sound, in order and unchanged\nacknowledged  through %d; at most %d wait for the centre\nfile          %d bytes\n",
		n.Device, n.Epoch, count, n.Trimmed+1, n.Last, n.Released, n.Last-min(n.Last, n.Released), n.Size)
	return err
}

func printLog(n *store.Inspection, o logOptions, out io.Writer) error {
	if o.from > n.Last {
		return &hinted{fmt.Errorf("there is no record %d yet; the newest is %d", o.from, n.Last), "begin at an earlier one, or leave -from out for the last ones"}
	}
	from := o.from
	if from == 0 && o.last > 0 && n.Last > uint64(o.last) {
		from = n.Last - uint64(o.last) + 1
	}
	switch o.format {
	case "jsonl":
		return n.Records(from, func(_ rating.Record, raw []byte) error {
			_, err := fmt.Fprintf(out, "%s\n", raw)
			return err
		})
	case "csv":
		table := csv.NewWriter(out)
		err := table.Write([]string{"seq", "time", "synchronised", "boot", "mono_ms", "kind", "visit", "subject", "level", "channel", "what"})
		if err == nil {
			err = n.Records(from, func(r rating.Record, _ []byte) error { return table.Write(columns(r)) })
		}
		table.Flush()
		return errors.Join(err, table.Error())
	}
	return list(n, from, out)
}

// list prints records for people, with what the signs among them mean.
func list(n *store.Inspection, from uint64, out io.Writer) error {
	clocks, err := clocksOf(n)
	if err != nil {
		return err
	}
	waits, shown := false, make(map[string]bool)
	err = n.Records(from, func(r rating.Record, _ []byte) error {
		mark := " "
		if r.Seq > n.Released {
			mark, waits = "*", true
		}
		at, quality := clocks.when(r.At)
		shown[quality] = true
		if quality == unset {
			at += fmt.Sprintf(" boot %d +%.3fs", r.At.Boot, time.Duration(r.At.Mono*int64(time.Millisecond)).Seconds())
		}
		_, err := fmt.Fprintf(out, "%8d%s %s%s  %s\n", r.Seq, mark, quality, at, summary(r))
		return err
	})
	for _, sign := range []struct {
		shown bool
		means string
	}{
		{waits, "* 中心尚未确认 / the centre has not acknowledged it, as far as the file says"},
		{shown[estimated], "≈ 当时时钟未同步，按同次启动中校准后的时钟推算 / the clock was not set then; worked out from the clock as it was once set in that run"},
		{shown[unset], "? 时钟未同步，时间可能不对；boot 为第几次启动及其后的秒数 / the clock was not set, the time may be wrong; boot says which start of the box it was, and how long after"},
	} {
		if err == nil && sign.shown {
			_, err = fmt.Fprintln(out, sign.means)
		}
	}
	return err
}

// The qualities of a time that is printed: the clock was right, it is worked out, or nobody knows.
const (
	right     = " "
	estimated = "≈"
	unset     = "?"
)

// clocks are what the wall clock said, when it was right, at the start of each boot, in milliseconds.
type clocks map[uint32]int64

func clocksOf(n *store.Inspection) (clocks, error) {
	out := make(clocks)
	err := n.Records(0, func(r rating.Record, _ []byte) error {
		if r.At.Synced {
			out[r.At.Boot] = r.At.Wall - r.At.Mono
		}
		return nil
	})
	return out, err
}

// when returns a stamp's time for people, and how much it is worth.
func (c clocks) when(s rating.Stamp) (at, quality string) {
	const layout = "2006-01-02 15:04:05.000"
	began, known := c[s.Boot]
	switch {
	case s.Synced:
		return s.Time().Format(layout), right
	case known:
		return time.UnixMilli(began + s.Mono).Format(layout), estimated
	}
	return s.Time().Format(layout), unset
}

// summary returns one line about a record.
func summary(r rating.Record) string {
	switch r.Kind {
	case rating.KindVisit:
		return fmt.Sprintf("visit %s opened by %s, %s, staff %q", r.Visit.ID, r.Visit.Opener, casesText(r.Visit.Cases), r.Visit.Staff.ID)
	case rating.KindEvaluation:
		e := r.Evaluation
		text := fmt.Sprintf("visit %s: %s rated %s by %s", e.Visit, e.Subject, e.Level, e.Channel)
		if e.Case != "" {
			text += ", case " + e.Case
		}
		if e.Replaces > 0 {
			text += fmt.Sprintf(", in place of %d", e.Replaces)
		}
		return text
	case rating.KindReason:
		return fmt.Sprintf("visit %s: reason %s of catalogue %d for record %d", r.Reason.Visit, r.Reason.Code, r.Reason.Catalogue, r.Reason.Of)
	case rating.KindOutcome:
		return fmt.Sprintf("visit %s ended: %s", r.Outcome.Visit, r.Outcome.Outcome)
	case rating.KindSalvaged:
		inner, err := rating.DecodeRecord(r.Salvaged.Record)
		if err != nil {
			return "salvaged: " + err.Error()
		}
		return fmt.Sprintf("salvaged from epoch %s, record %d: %s", inner.Epoch, inner.Seq, summary(inner))
	}
	return eventText(r)
}

// casesText names the cases of a visit by their project numbers.
func casesText(cases []rating.Case) string {
	if len(cases) == 0 {
		return "no case"
	}
	var numbers []string
	for _, c := range cases {
		number := c.ProjectNo
		if !c.Completed {
			number += " (in hand)"
		}
		numbers = append(numbers, number)
	}
	if len(cases) == 1 {
		return "case " + numbers[0]
	}
	return "cases " + strings.Join(numbers, " ")
}

func eventText(r rating.Record) string {
	var b strings.Builder
	_, _ = b.WriteString(r.Event.Name)
	for _, k := range slices.Sorted(maps.Keys(r.Event.Detail)) {
		_, _ = fmt.Fprintf(&b, ", %s: %s", k, r.Event.Detail[k])
	}
	return b.String()
}

// columns returns a record as a line of the table.
func columns(r rating.Record) []string {
	line := []string{strconv.FormatUint(r.Seq, 10), r.At.Time().UTC().Format("2006-01-02T15:04:05.000Z"), strconv.FormatBool(r.At.Synced),
		strconv.FormatUint(uint64(r.At.Boot), 10), strconv.FormatInt(r.At.Mono, 10), string(r.Kind), "", "", "", "", ""}
	switch r.Kind {
	case rating.KindVisit:
		line[6], line[10] = r.Visit.ID.String(), summary(r)
	case rating.KindEvaluation:
		e := r.Evaluation
		line[6], line[7], line[8], line[9] = e.Visit.String(), string(e.Subject), strconv.Itoa(int(e.Level)), string(e.Channel)
		if e.Replaces > 0 {
			line[10] = fmt.Sprintf("in place of %d", e.Replaces)
		}
	case rating.KindReason:
		e := r.Reason
		line[6], line[7] = e.Visit.String(), string(e.Subject)
		line[10] = fmt.Sprintf("reason %s of catalogue %d for %d", e.Code, e.Catalogue, e.Of)
	case rating.KindOutcome:
		line[6], line[10] = r.Outcome.Visit.String(), string(r.Outcome.Outcome)
	default:
		line[10] = summary(r)
	}
	return line
}
