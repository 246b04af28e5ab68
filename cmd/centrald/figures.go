package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/report"
	"haochaping/internal/cli"
)

// figures makes the aggregates anew, or writes what is published of a year.
func (c *command) figures(ctx context.Context, args []string) error {
	return c.oneOf(ctx, "centrald figures", args, []word{{"rebuild", c.rebuildFigures}, {"publish", c.publishFigures}})
}

func (c *command) rebuildFigures(ctx context.Context, args []string) error {
	return c.onWritten(ctx, c.flags("centrald figures rebuild"), args, func(x *rooms) error {
		if err := x.caughtUp(ctx, c.env.stderr); err != nil {
			return err
		}
		if err := x.reports.Rebuild(ctx); err != nil {
			return err
		}
		return c.say("统计从头重做；centrald 运行时由它做完", "the figures are made anew from the books; where centrald runs, it does the rest")
	})
}

// publishFigures writes the yearly result as a page and as open data (article 19). Who may publish them is not this program's to say.
func (c *command) publishFigures(ctx context.Context, args []string) error {
	flags := c.flags("centrald figures publish")
	year := flags.Int("year", 0, cli.Words("公历`年份`，须已结束三十天以上", "the calendar `year`, which ended thirty days ago or earlier"))
	folder := flags.String("out", "",
		cli.Words("写入的`文件夹`；其中不能已有这些文件", "the `folder` in which the files are written; they must not be there yet"))
	return c.onWritten(ctx, flags, args, func(x *rooms) error {
		if *year < 2000 || *year > 9999 || *folder == "" {
			return cli.Usage("请写年份和输出文件夹：centrald figures publish -year 2026 -out 文件夹",
				"say which year, and where to: centrald figures publish -year 2026 -out FOLDER")
		}
		if err := x.caughtUp(ctx, c.env.stderr); err != nil {
			return err
		}
		if err := x.reports.Once(ctx); err != nil {
			return err
		}
		if p, err := x.reports.Progress(ctx); err != nil {
			return err
		} else if p.Counting || p.Pos < p.Books {
			return cli.Errorf("统计还没有跟上账本（日志第 %d 行，共 %d 行），完成后再发布", "the figures are at row %d of %d of the journal; publish them when they are "+
				"whole", p.Pos, p.Books)
		}
		if err := x.notPublished(ctx, *year); err != nil {
			return err
		}
		y, err := x.reports.Publish(ctx, *year)
		if err != nil {
			return err
		}
		return c.writeYear(y, *folder)
	})
}

// notPublished refuses a year of which a part was published on the page: what has arrived since would show in the difference.
func (x *rooms) notPublished(ctx context.Context, year int) error {
	all, err := report.Publications{Reports: x.reports, Dossiers: x.dossiers}.Published(ctx)
	if err != nil {
		return err
	}
	from, to := directory.Date(year, time.January, 1), directory.Date(year+1, time.January, 1)
	for _, p := range all {
		if p.Days.From < to && from < p.Days.To {
			return cli.Errorf("这一年的结果已在“发布”页发布过（卷宗 %d），两种方式只能用一种：请在该页起草全年的结果", "a part of this year was published on the "+
				"page 发布 (dossier %d); use one of the two ways, and draft the year there", p.ID)
		}
	}
	return nil
}

func (c *command) writeYear(y report.Yearly, folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, write := range map[string]func(io.Writer) error{fmt.Sprintf("figures-%d.csv", y.Year): y.CSV,
		fmt.Sprintf("figures-%d.html", y.Year): y.HTML} {
		path := filepath.Join(folder, name)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		if err := errors.Join(write(f), f.Close()); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		if _, err := fmt.Fprintln(c.env.stdout, path); err != nil {
			return err
		}
	}
	return nil
}
