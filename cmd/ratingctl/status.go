package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/store"
)

// The exit statuses of status.
const (
	exitSick       = 1
	exitNotRunning = 2
	exitUnknown    = 3
)

// exitError is an error with the status that the program ends with.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// statusUsage is what help says of the command.
func statusUsage() condition.Text {
	return condition.Text{
		ZH: `ratingctl status 显示 ratingd 所报告的评价器状况。

退出状态：0 正常，1 有需要处理的，2 ratingd 没有运行，3 无法得知（包括命令写错）。`,
		EN: `ratingctl status prints how the box is, as ratingd tells.

Exit status: 0 well, 1 something needs a hand, 2 ratingd does not run, 3 that cannot be found out, as when the command is misspelt.`,
	}
}

// statusCommand prints one screen about the box.
func statusCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("ratingctl status", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cli.Describe(ctx, flags, statusUsage())
	asJSON := flags.Bool("json", false, cli.Words("以 JSON 输出 ratingd 的答复", "print what ratingd answers, as JSON"))
	c, err := parsedConfig(flags, args)
	if err != nil {
		return &exitError{exitUnknown, err}
	}
	if c == nil {
		return nil
	}
	s, err := askBox(ctx, *c)
	if err != nil {
		return err
	}
	if *asJSON {
		err = printJSON(stdout, s)
	} else {
		_, err = io.WriteString(stdout, statusScreen(s, cli.LangOf(ctx)))
	}
	if err != nil {
		return err
	}
	if ill, _ := sickest(s); len(ill) > 0 {
		return &exitError{exitSick, cli.Hint(cli.Error("评价器需要处理，见 ✗ 各行", "the box needs a hand; see the lines with ✗"),
			"ratingctl doctor 逐项检查并给出处理办法", "ratingctl doctor looks closer and says what to do")}
	}
	return nil
}

// askBox asks the daemon. Its errors say what it means that there is no answer.
func askBox(ctx context.Context, c boxconfig.Config) (opsapi.Status, error) {
	if c.Operations.Socket == "" {
		return opsapi.Status{}, &exitError{exitUnknown, cli.Hint(cli.Error("operations.socket 为空：无法询问 ratingd", "operations.socket is empty: "+
			"ratingd answers nobody"), "在配置中设置 operations.socket 并重启 ratingd", "set operations.socket in the configuration and restart ratingd")}
	}
	s, err := opsapi.Ask(ctx, c.Operations.Socket)
	switch {
	case err == nil:
		nameHolders(c, s.Parts)
		return s, nil
	case unheard(err) && store.InUse(filepath.Join(c.State, "log.db")):
		return s, &exitError{exitUnknown, cli.Hint(cli.Because(err, "ratingd 在运行，但在 operations.socket 处问不到它，状况不明", "ratingd runs and cannot be "+
			"asked at operations.socket, so that nobody knows how it is"), "journalctl -u ratingd 说明原因；改过配置则 systemctl restart ratingd",
			"journalctl -u ratingd says why; if the configuration was changed: systemctl restart ratingd")}
	case unheard(err):
		return s, &exitError{exitNotRunning, cli.Hint(cli.Because(err, "ratingd 没有运行，窗口不能评价", "ratingd does not run, nobody can rate at this "+
			"window"), "systemctl start ratingd 启动；systemctl status ratingd 和 journalctl -u ratingd 说明原因",
			"systemctl start ratingd starts it; systemctl status ratingd and journalctl -u ratingd say why it had ended")}
	case errors.Is(err, fs.ErrPermission):
		return s, &exitError{exitUnknown, cli.Hint(cli.Because(err, "本用户无权查询", "this user may not ask"),
			"用 root 运行，或 runuser -u ratingd -- ratingctl status", "run it as root, or: runuser -u ratingd -- ratingctl status")}
	case errors.Is(err, context.DeadlineExceeded):
		return s, &exitError{exitSick, cli.Hint(cli.Because(err, "ratingd 没有响应", "ratingd hangs"), "服务管理器会在半分钟内将其重启；否则 systemctl restart ratingd",
			"the service manager restarts it within half a minute; else systemctl restart ratingd")}
	}
	return s, &exitError{exitUnknown, err}
}

// unheard reports whether nobody listens at a socket.
func unheard(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// sickest returns the parts that need a hand, or an eye, those that need a hand first.
func sickest(s opsapi.Status) (ill, noted []opsapi.Part) {
	for _, p := range s.Parts {
		switch p.Level {
		case condition.Ill:
			ill = append(ill, p)
		case condition.Note:
			noted = append(noted, p)
		}
	}
	return ill, noted
}

// statusScreen returns the screen, in English or Chinese. Both would be more than a screen; then it is Chinese, and says so.
func statusScreen(s opsapi.Status, lang cli.Lang) string {
	b := &screen{s: s, l: sayer{lang}, width: 10}
	l := &b.l
	switch lang {
	case cli.Both:
		l.Lang = cli.Chinese
	case cli.English:
		b.width = 14
	}
	b.head()
	for _, p := range s.Parts {
		// Of the many that the window can do without, those that work are not worth a line.
		if !slices.Contains(ownLines(), p.Name) && (!optional(p.Name) || !p.OK) {
			b.part(p.Name, l.finding(p, s.Clock.Now))
		}
	}
	if s.Disk.SizeBytes > 0 {
		b.part("disk", fmt.Sprintf(l.Say("剩余 %s，共 %s（%s）", "%s free of %s (%s)"), bytesText(s.Disk.FreeBytes),
			bytesText(s.Disk.SizeBytes), s.Disk.Folder))
	}
	b.part("clock", l.clock(s.Clock))
	if c := s.Certificate; c != nil {
		b.part("certificate", l.certificate(*c))
	} else {
		b.line(l.part("certificate"), " ", l.Text(s.Part("certificate").What), "")
	}
	if s.TemperatureC != nil {
		b.part("temperature", fmt.Sprintf("%d °C", *s.TemperatureC))
	}
	if s.UnknownKeys > 0 || s.StuckKeys > 0 {
		b.line(l.Say("按键异常", "odd keys"), " ", fmt.Sprintf(l.Say("未配置的键 %d 次，卡住 %d 次（启动以来）", "%d presses without a level, stuck %d times, since "+
			"the start"), s.UnknownKeys, s.StuckKeys), "")
	}
	b.line(l.Say("版本", "version"), " ", fmt.Sprintf(l.Say("%s，已运行 %s", "%s, up for %s"), s.Version,
		l.span(time.Duration(s.UptimeSec)*time.Second)), "")
	b.line(l.Say("最近故障", "last fault"), " ", l.fault(s.LastFault), "")
	if lang == cli.Both {
		b.WriteString("\nIn English: ratingctl status -lang en\n")
	}
	return b.String()
}

// screen is what statusScreen has written so far.
type screen struct {
	strings.Builder
	s     opsapi.Status
	l     sayer
	width int // columns of a label
}

// head writes whether the box is well, and what a window needs first.
func (b *screen) head() {
	l, s := b.l, b.s
	head := l.Say("正常", "is well")
	if ill, noted := sickest(s); len(ill) > 0 {
		head = l.Say("需要处理", "needs a hand")
	} else if len(noted) > 0 {
		head = l.Say("正常，有提示", "is well, with notes")
	}
	_, _ = fmt.Fprintf(b, "%s %s  %s\n\n", l.Say("评价器", "box"), s.Device, head)
	window := l.Say("尚未分配", "none is assigned")
	if w := s.Window; w != nil {
		window = fmt.Sprintf(l.Say("%s（%s），%s", "%s (%s), %s"), w.Name, w.ID, w.Hall)
	}
	b.line(l.Say("窗口", "window"), " ", window, "")
	b.labelled(l.Say("状态", "state"), "window", l.state(s))
	b.part("link", l.centre(s))
	b.line(l.Say("待上传", "waiting"), " ", l.queue(s.Queue), "")
}

func (b *screen) line(label, mark, text, advice string) {
	_, _ = fmt.Fprintf(b, "%s%s %s\n", wide(label, b.width), mark, text)
	if advice != "" {
		_, _ = fmt.Fprintf(b, "%s  → %s\n", wide("", b.width), advice)
	}
}

// part writes the line of a part, with what to do if it is not well.
func (b *screen) part(name, text string) { b.labelled(b.l.part(name), name, text) }

func (b *screen) labelled(label, name, text string) {
	mark, advice := "✓", ""
	if p := b.s.Part(name); p.Code != "" {
		mark, advice = string(markOf(p.Level)), b.l.Text(p.Do)
	}
	b.line(label, mark, text, advice)
}
