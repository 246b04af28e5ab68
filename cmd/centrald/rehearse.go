package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/rehearsal"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
)

// rehearse plays the past months of an organisation into a centre that is empty.
func (c *command) rehearse(ctx context.Context, args []string) error {
	flags := c.flags("centrald rehearse")
	days := flags.Int("days", 35, cli.Words("演练到现在为止的`天数`，7 至 184", "play this `many` days up to now, 7 to 184"))
	full := flags.Int("full", 0,
		cli.Words("只有最后这些`天`照常演练，此前人少；0 为全部", "play the last so many `days` in full, and few citizens before these; 0: all"))
	seed := flags.Uint64("seed", 1, cli.Words("随机内容由此`数`决定", "what is left to chance follows from this `number`"))
	leave := flags.String("leave", "",
		cli.Words("最后撤下这些`窗口`的评价器，编号用逗号隔开，all 为全部：将由别的评价器代替",
			"take the boxes off these `windows` at the end, IDs with commas between them, or all: others are to stand there"))
	path, err := oneWord(flags, args, condition.Text{ZH: "一个机构信息文件", EN: "a FILE with the organisation"})
	if err != nil {
		return ignoreHelp(err)
	}
	if *days < 7 || *days > 184 {
		return cli.Usage("-days 为 7 到 184", "-days is 7 to 184")
	}
	b, err := readBounded(path, directory.MaxFile)
	if err != nil {
		return err
	}
	lines, err := directory.Read(b)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if cfg.Deadline.SMS.URL != "" || cfg.Upward.Table != "" { // whom it would tell of citizens and ratings that there are not
		return cli.Error("演练的评价和手机号码都是虚构的：请用另一份没有 deadline.sms.url 和 upward.table 的配置",
			"what is played is made up, and so are its numbers: name a configuration without deadline.sms.url and upward.table")
	}
	r := rehearsal.Config{Clock: new(rehearsal.Clock), Seed: *seed, Full: *full}
	if *leave != "" {
		r.Leave = strings.Split(*leave, ",")
	}
	until := c.env.now()
	r.Clock.Set(directory.DayOf(until.AddDate(0, 0, -*days)).Start().Add(7 * time.Hour))
	return c.play(ctx, cfg, r, lines, until)
}

// play plays until a time, from where the clock stands.
func (c *command) play(ctx context.Context, cfg config, r rehearsal.Config, lines []directory.Line, until time.Time) (err error) {
	played := *c
	played.env.now = r.Clock.Now // all rooms go by it
	x, err := played.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	if r.Calendar, err = x.cfg.workingDays(); err != nil {
		return fmt.Errorf("deadline.calendars: %w", err)
	}
	x.background(ctx, x.books.Run)
	if r.Proposals, err = played.assessor(x, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	r.Journal, r.Fleet, r.Directory, r.Books, r.Deadlines, r.Orders = x.journal, x.fleet, x.directory, x.books, x.deadlines, x.orders
	r.Figures, r.Reports, r.Dossiers = x.reports, x.reports, x.dossiers
	if x.cfg.Deadline.SMS.sends() {
		texts, err := played.orderTexts(x, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		r.Write = texts.Once
	}
	end := cli.Waiting(ctx, c.env.stderr, "正在演练", "playing")
	defer end()
	err = rehearsal.Play(ctx, r, lines, r.Clock.Now(), until)
	if errors.Is(err, rehearsal.ErrWorked) {
		return cli.Error("这个中心已有数据，演练只写入空的中心；请另设 state", "this centre has data, and only an empty one is played into; name another state folder")
	}
	return err
}
