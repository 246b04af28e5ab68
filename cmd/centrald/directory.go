package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
)

// directory runs the commands about the organisation.
func (c *command) directory(ctx context.Context, args []string) error {
	return c.oneOf(ctx, "centrald directory", args,
		[]word{{"import", c.importOrganisation}, {"export", c.exportOrganisation}, {"list", c.listOrganisation}})
}

// oneWord reads flags that may stand before and after one word.
func oneWord(flags *flag.FlagSet, args []string, what condition.Text) (string, error) {
	if err := cli.Parse(flags, args); err != nil {
		return "", err
	}
	word := flags.Arg(0)
	if word != "" {
		if err := cli.Parse(flags, flags.Args()[1:]); err != nil {
			return "", err
		}
	}
	if word == "" || flags.NArg() > 0 {
		return "", cli.Usage(fmt.Sprintf("%s 需要%s", flags.Name(), what.ZH), fmt.Sprintf("%s takes %s and flags", flags.Name(), what.EN))
	}
	return word, nil
}

// oneFile reads flags as oneWord does, and the file that the word names, of at most a number of bytes.
func oneFile[T any](flags *flag.FlagSet, args []string, what condition.Text, most int64, parse func([]byte) (T, error)) (path string, v T,
	err error) {
	if path, err = oneWord(flags, args, what); err != nil {
		return path, v, err
	}
	b, err := readBounded(path, most)
	if err != nil {
		return path, v, err
	}
	if v, err = parse(b); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return path, v, err
}

// importOrganisation tells what a file changes, and changes it if that is asked for.
func (c *command) importOrganisation(ctx context.Context, args []string) (err error) {
	flags := c.flags("centrald directory import")
	apply := flags.Bool("apply", false, cli.Words("按预览写入；不加则不写入", "write what the preview says; without it nothing is written"))
	hash := flags.String("hash", "", cli.Words("仅当预览的`校验值`与此一致时写入", "write only if the preview is the one with this `hash`"))
	reason := flags.String("reason", "", cli.Words("`原因`，供日后查看", "`why`, for whoever looks later"))
	asJSON := flags.Bool("json", false, cli.Words("以 JSON 对象输出预览", "print the preview as a JSON object"))
	path, lines, err := oneFile(flags, args, condition.Text{ZH: "一个 CSV 或 XLSX 文件", EN: "a CSV or XLSX FILE"}, directory.MaxFile,
		directory.Read)
	if err != nil {
		return ignoreHelp(err)
	}
	x, err := c.openConfigured(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	end := cli.Waiting(ctx, c.env.stderr, "正在比较", "comparing")
	p, err := x.directory.Preview(ctx, lines, nil)
	end()
	if err != nil {
		return err
	}
	tell := c.tellPreview
	if *asJSON {
		tell = func(p directory.Preview) error { return c.printJSON(p) }
	}
	if err := tell(p); err != nil {
		return err
	}
	switch {
	case p.Refused() > 0:
		return fmt.Errorf("%s: %w", path, directory.ErrRefused)
	case *hash != "" && *hash != p.Hash:
		return directory.ErrMeanwhile
	case !*apply && *asJSON:
		return nil
	case !*apply:
		return c.say("未写入。确认请加 -apply -hash %s", "nothing was written; to write exactly this, add -apply -hash %s", p.Hash)
	}
	end = cli.Waiting(ctx, c.env.stderr, "正在写入", "writing")
	defer end()
	if err := x.directory.Apply(ctx, c.operator(), *reason, journal.Act{Object: filepath.Base(path)}, p); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return c.say("已写入", "written")
}

// readBounded reads a file of at most a number of bytes, and one more, so that what is too long shows.
func readBounded(path string, most int64) (b []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was read
	return io.ReadAll(io.LimitReader(f, most+1))
}

// tellPreview prints what changes and what is refused, and counts the rest.
func (c *command) tellPreview(p directory.Preview) error {
	var b strings.Builder
	counts := make(map[directory.Step]int)
	for _, t := range p.Tell() {
		counts[t.Step]++
		if t.Step == directory.Keeps {
			continue
		}
		fmt.Fprintf(&b, "%s: %s  %s  %s\n", c.lang.Say(t.Chinese(), t.English()), c.lang.Say(t.Step.Chinese(), string(t.Step)), t.Record,
			t.Record.Period)
		for _, d := range t.Diffs {
			fmt.Fprintf(&b, "    %s: %q → %q\n", c.lang.Say(d.Chinese, d.English), d.Before, d.After)
		}
		for _, f := range t.Refused {
			fmt.Fprintf(&b, "    %s\n", c.lang.Say(f.Chinese, f.English))
		}
	}
	for _, s := range directory.Steps() {
		if n := counts[s]; n > 0 {
			fmt.Fprintf(&b, "%s: %d  ", c.lang.Say(s.Chinese(), string(s)), n)
		}
	}
	_, err := io.WriteString(c.env.stdout, strings.TrimRight(b.String(), " ")+"\n")
	return err
}

// exportOrganisation writes all of the organisation with its history.
func (c *command) exportOrganisation(ctx context.Context, args []string) error {
	flags := c.flags("centrald directory export")
	path, err := oneWord(flags, args, condition.Text{ZH: "一个 .csv 或 .xlsx 新文件", EN: "a new FILE that ends in .csv or .xlsx"})
	if err != nil {
		return ignoreHelp(err)
	}
	write := directory.WriteCSV
	switch filepath.Ext(path) {
	case ".csv":
	case ".xlsx":
		write = directory.WriteWorkbook
	default:
		return cli.Usage(path+"：文件名须以 .csv 或 .xlsx 结尾", path+": the name must end in .csv or .xlsx")
	}
	x, err := c.openWritten(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = write(f, func(put func(directory.Record) error) error { return x.directory.Each(ctx, put) })
	return errors.Join(err, f.Close())
}

// listOrganisation prints the records of a kind that hold on a day.
func (c *command) listOrganisation(ctx context.Context, args []string) error {
	flags := c.flags("centrald directory list")
	var f directory.Filter
	asJSON := flags.Bool("json", false, cli.Words("输出 JSON 数组", "print a JSON array"))
	day := flags.String("day", "", cli.Words("这一`天`的情况，如 2026-01-31；不写为今天", "as it was on this `day`, 2026-01-31; without it, today"))
	flags.StringVar(&f.Text, "search", "", cli.Words("名称、编号或负责人中包含的`文字`", "`text` in the name, the ID or the person responsible"))
	flags.StringVar(&f.Area, "area", "", cli.Words("此区划内，`12 位代码`", "in this area, `12 digits`"))
	flags.StringVar(&f.Unit, "unit", "", cli.Words("此单位的，统一社会信用`代码`", "of this unit, its credit `code`"))
	flags.StringVar(&f.Hall, "hall", "", cli.Words("此`编号`的大厅内", "in the hall with this `ID`"))
	kind, err := oneWord(flags, args, condition.Text{ZH: " area、unit、hall、window 或 staff 之一",
		EN: "one of the words area, unit, hall, window and staff"})
	if err != nil {
		return ignoreHelp(err)
	}
	if f.Kind = directory.Kind(kind); f.Kind.Chinese() == kind {
		return cli.Usage(fmt.Sprintf("没有 %q 这一类；有 area、unit、hall、window 和 staff", kind),
			fmt.Sprintf("%q is none of area, unit, hall, window and staff", kind))
	}
	if f.Area != "" {
		if f.Area, err = directory.ParseArea(f.Area); err != nil {
			return err
		}
	}
	f.Day = directory.DayOf(c.env.now())
	if *day != "" {
		if f.Day, err = directory.ParseDay(*day); err != nil {
			return err
		}
	}
	x, err := c.openWritten(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	if *asJSON {
		all := []directory.Record{}
		if err := eachListed(ctx, x, f, func(r directory.Record) { all = append(all, r) }); err != nil {
			return err
		}
		return c.printJSON(all)
	}
	tab := tabwriter.NewWriter(c.env.stdout, 0, 8, 2, ' ', 0)
	// A tabwriter holds its text back; what goes wrong shows at Flush.
	_, _ = fmt.Fprintln(tab, c.lang.Head("编号\t名称\t自\t至\t区划\t单位\t大厅\t窗口\t责任处室\t责任人",
		"ID\tNAME\tFROM\tTO\tAREA\tUNIT\tHALL\tWINDOW\tOFFICE\tPERSON"))
	err = eachListed(ctx, x, f, func(r directory.Record) {
		_, _ = fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Name, r.From, r.To, r.Area, r.Unit, r.Hall, r.Window,
			r.Office, r.Person)
	})
	return errors.Join(err, tab.Flush())
}

// eachListed calls do with each record that a filter lets through.
func eachListed(ctx context.Context, x *rooms, f directory.Filter, do func(directory.Record)) error {
	for f.Limit = 1000; ; {
		some, err := x.directory.List(ctx, f)
		if err != nil {
			return err
		}
		for _, r := range some {
			do(r)
			f.After = r.ID
		}
		if len(some) < f.Limit {
			return nil
		}
	}
}
