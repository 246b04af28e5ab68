package main

import (
	"bufio"
	"context"
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
	"haochaping/internal/condition"
	"haochaping/internal/rating"
	"haochaping/store"
)

// logUsage is what help says of the command.
func logUsage() condition.Text {
	return condition.Text{
		ZH: `ratingctl log 显示评价器所记录的内容，ratingd 运行时也可使用。

显示时核对每条记录：校验和、位置，以及是否紧接前一条。`,
		EN: `ratingctl log prints what the box has recorded, also while ratingd runs.

Every record is checked on the way: its checksum, its place, and that it follows from the one before it.`,
	}
}

// logOptions are the arguments of log.
type logOptions struct {
	file   string
	from   uint64
	last   int
	format string
	verify bool
}

func parseLog(ctx context.Context, args []string, stderr io.Writer) (o logOptions, help bool, err error) {
	flags := flag.NewFlagSet("ratingctl log", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cli.Describe(ctx, flags, logUsage())
	config := flags.String("config", "/etc/ratingd.toml", cli.Words("评价器的配置`文件`", "the box's configuration `file`"))
	flags.StringVar(&o.file, "file", "",
		cli.Words("直接指定记录`文件`，不用配置中的", "the log `file` itself, in place of the one that the configuration names"))
	flags.Uint64Var(&o.from, "from", 0,
		cli.Words("从此`序号`的记录开始；0 为最后若干条", "begin at the record with this `number`; 0 prints the last ones"))
	flags.IntVar(&o.last, "last", 20, cli.Words("显示最后多少条`记录`；0 为全部", "how many of the last records are printed; 0 is all"))
	flags.StringVar(&o.format, "format", "text",
		cli.Words("输出`格式`：text 供人阅读，jsonl 为签名时的记录原文（每行一个 JSON），csv 为表格",
			"text for people, jsonl for the records as they are signed, csv for a table"))
	asJSON := flags.Bool("json", false, cli.Words("同 -format jsonl，每行一个 JSON；与 -verify 同用为一个 JSON 对象", "the same as -format jsonl"))
	flags.BoolVar(&o.verify, "verify", false, cli.Words("不显示记录，只核对全部记录是否完好", "print no records, only whether all of them are sound"))
	if err := cli.Parse(flags, args); err != nil {
		return o, errors.Is(err, flag.ErrHelp), err
	}
	if *asJSON {
		o.format = "jsonl"
	}
	switch {
	case flags.NArg() > 0:
		return o, false, cli.Unexpected(flags.Arg(0))
	case o.last < 0:
		return o, false, cli.Hint(&cli.UsageError{Err: cli.Errorf("-last %d：没有这样的条数", "-last %d: there is no such number of records", o.last)},
			"写要最后多少条，0 为全部", "write how many of the last records are wanted, or 0 for all")
	case o.format != "text" && o.format != "jsonl" && o.format != "csv":
		return o, false, cli.Hint(&cli.UsageError{Err: cli.Errorf("没有 %q 这种格式", "format %q is unknown", o.format)}, "有 text、jsonl 和 csv",
			"there are text, jsonl and csv")
	case o.file == "":
		c, err := boxconfig.LoadPartial(*config)
		if err != nil {
			return o, false, cli.Hint(err, "用 -config 写配置文件，或用 -file 写记录文件", "name the configuration with -config, or the log with -file")
		}
		o.file = filepath.Join(c.State, "log.db")
	}
	return o, false, nil
}

// logCommand lists, verifies or exports a log.
func logCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, help, err := parseLog(ctx, args, stderr)
	if help {
		return nil
	}
	if err != nil {
		return err
	}
	n, err := store.Inspect(o.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return cli.Hint(err, "评价器还没有启动过，或存储目录在别处：用 -file 写记录文件", "the box has not been started yet, or its state is elsewhere: name the log "+
			"with -file")
	case errors.Is(err, fs.ErrPermission):
		return cli.Hint(err, "只有 root 和运行 ratingd 的用户能读记录", "the log is readable by root and by the user that runs ratingd")
	case err != nil:
		return cli.Hint(err, "重启 ratingd：它会另存损坏的记录文件并抢救可读的记录", "restart ratingd: it sets a damaged log aside and salvages what can be read")
	}
	out := bufio.NewWriter(stdout)
	r := reading{n, cli.NewProgress(cli.LangOf(ctx), stderr, time.Now, "读取记录", "reading the records"), cli.LangOf(ctx)}
	if o.verify {
		err = verifyLog(r, o.format == "jsonl", out)
	} else {
		err = printLog(r, o, out)
	}
	r.progress.End()
	if errors.Is(err, store.ErrDamaged) {
		err = cli.Hint(err, "重启 ratingd：它会另存损坏的记录文件并抢救可读的记录", "restart ratingd: it sets a damaged log aside and salvages what can be read")
	}
	return errors.Join(err, out.Flush())
}

// reading is a log that tells how far it is read.
type reading struct {
	*store.Inspection
	progress *cli.Progress
	lang     cli.Lang
}

// Records is that of the Inspection.
func (n reading) Records(from uint64, yield func(rating.Record, []byte) error) error {
	first := max(from, n.Trimmed+1)
	return n.Inspection.Records(from, func(r rating.Record, raw []byte) error {
		n.progress.Tell(int64(r.Seq-first), int64(n.Last-first+1))
		return yield(r, raw)
	})
}

// soundness is what is said of a log that is sound.
type soundness struct {
	Device  rating.DeviceID `json:"device"`
	Epoch   string          `json:"epoch"`
	Records int             `json:"records"`
	First   uint64          `json:"first"`
	Last    uint64          `json:"last"`
	Through uint64          `json:"acknowledged"` // up to which the centre has acknowledged, as far as the file says
	Waiting uint64          `json:"waiting"`      // at most
	Bytes   int64           `json:"bytes"`
}

func verifyLog(n reading, asJSON bool, out io.Writer) error {
	s := soundness{Device: n.Device, Epoch: n.Epoch.String(), First: n.Trimmed + 1, Last: n.Last, Through: n.Released,
		Waiting: n.Last - min(n.Last, n.Released), Bytes: n.Size}
	err := n.Records(0, func(rating.Record, []byte) error { s.Records++; return nil })
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(out, s)
	}
	_, err = fmt.Fprintf(out, "%s  %s\n%s  %s\n%s  %s\n%s  %s\n%s  %d bytes\n",
		wide(n.lang.Say("评价器", "device"), verifyWidth), s.Device, wide(n.lang.Say("纪元", "epoch"), verifyWidth), s.Epoch,
		wide(n.lang.Say("记录", "records"), verifyWidth), n.lang.Say(
			fmt.Sprintf("%d 条，从 %d 到 %d，全部完好、有序、未改动", s.Records, s.First, s.Last),
			fmt.Sprintf("%d, from %d to %d: all sound, in order and unchanged", s.Records, s.First, s.Last)),
		wide(n.lang.Say("已确认", "acknowledged"), verifyWidth), n.lang.Say(
			fmt.Sprintf("到第 %d 条，最多 %d 条待上传", s.Through, s.Waiting),
			fmt.Sprintf("through %d; at most %d wait for the centre", s.Through, s.Waiting)),
		wide(n.lang.Say("文件", "file"), verifyWidth), s.Bytes)
	return err
}

// verifyWidth is the columns of what the lines of verifyLog begin with.
const verifyWidth = 21

func printLog(n reading, o logOptions, out io.Writer) error {
	if o.from > n.Last {
		return cli.Hint(cli.Errorf("还没有第 %d 条记录，最新的是 %d", "there is no record %d yet; the newest is %d", o.from, n.Last),
			"从更早的开始，或不写 -from 只看最后几条", "begin at an earlier one, or leave -from out for the last ones")
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
func list(n reading, from uint64, out io.Writer) error {
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
		sign  string
		means condition.Text
	}{
		{waits, "*", condition.Text{ZH: "中心尚未确认", EN: "the centre has not acknowledged it, as far as the file says"}},
		{shown[estimated], estimated, condition.Text{ZH: "当时时钟未同步，按同次启动中校准后的时钟推算",
			EN: "the clock was not set then; worked out from the clock as it was once set in that run"}},
		{shown[unset], unset, condition.Text{ZH: "时钟未同步，时间可能不对；boot 为第几次启动及其后的秒数",
			EN: "the clock was not set, the time may be wrong; boot says which start of the box it was, and how long after"}},
	} {
		if err == nil && sign.shown {
			_, err = fmt.Fprintln(out, sign.sign, n.lang.Text(sign.means))
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

func clocksOf(n reading) (clocks, error) {
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
