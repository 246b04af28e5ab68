package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
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

const statusUsage = `ratingctl status prints how the box is, as ratingd tells.

Exit status: 0 well, 1 something needs a hand, 2 ratingd does not run, 3 that cannot be found out.

`

// statusCommand prints one screen about the box.
func statusCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("ratingctl status", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		_, _ = io.WriteString(stderr, statusUsage)
		flags.PrintDefaults()
	}
	asJSON := flags.Bool("json", false, "print what ratingd answers, as JSON")
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
		_, err = io.WriteString(stdout, statusScreen(s))
	}
	if err != nil {
		return err
	}
	if ill, _ := sickest(s); len(ill) > 0 {
		return &exitError{exitSick, &hinted{errors.New("评价器需要处理，见 ✗ 各行 / the box needs a hand; see the lines with ✗"), "ratingctl doctor 逐项检查并给出处理办法 / ratingctl doctor looks closer and says what to do"}}
	}
	return nil
}

// askBox asks the daemon. Its errors say what it means that there is no answer.
func askBox(ctx context.Context, c boxconfig.Config) (opsapi.Status, error) {
	if c.Operations.Socket == "" {
		return opsapi.Status{}, &exitError{exitUnknown, &hinted{errors.New("operations.socket is empty: ratingd answers nobody"),
			"在配置中设置 operations.socket 并重启 ratingd / set operations.socket in the configuration and restart ratingd"}}
	}
	s, err := opsapi.Ask(ctx, c.Operations.Socket)
	switch {
	case err == nil:
		nameHolders(c, s.Parts)
		return s, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return s, &exitError{exitNotRunning, &hinted{fmt.Errorf("ratingd 没有运行，窗口不能评价 / ratingd does not run, nobody can rate at this window: %w", err),
			"systemctl start ratingd 启动；systemctl status ratingd 和 journalctl -u ratingd 说明原因 / start it, and see there why it had ended"}}
	case errors.Is(err, fs.ErrPermission):
		return s, &exitError{exitUnknown, &hinted{fmt.Errorf("本用户无权查询 / this user may not ask: %w", err), "用 root 运行，或 runuser -u ratingd -- ratingctl status / run it as root, or so"}}
	case errors.Is(err, context.DeadlineExceeded):
		return s, &exitError{exitSick, &hinted{fmt.Errorf("ratingd 没有响应 / ratingd hangs: %w", err),
			"服务管理器会在半分钟内将其重启；否则 systemctl restart ratingd / the service manager restarts it within half a minute; else do it"}}
	}
	return s, &exitError{exitUnknown, err}
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

// statusScreen returns the screen.
func statusScreen(s opsapi.Status) string {
	var b strings.Builder
	print := func(label, mark, text, advice string) {
		_, _ = fmt.Fprintf(&b, "%s%s %s\n", wide(label, 10), mark, text)
		if advice != "" {
			_, _ = fmt.Fprintf(&b, "%s  → %s\n", wide("", 10), advice)
		}
	}
	line := func(label, name, text string) {
		for _, p := range s.Parts {
			if p.Name == name && p.Code != "" {
				print(label, string(markOf(p.Level)), text, p.Do.ZH)
				return
			}
		}
		print(label, "✓", text, "")
	}
	head := "正常"
	if ill, noted := sickest(s); len(ill) > 0 {
		head = "需要处理"
	} else if len(noted) > 0 {
		head = "正常，有提示"
	}
	_, _ = fmt.Fprintf(&b, "评价器 %s  %s\n\n", s.Device, head)
	window := "尚未分配"
	if w := s.Window; w != nil {
		window = fmt.Sprintf("%s（%s），%s", w.Name, w.ID, w.Hall)
	}
	print("窗口", " ", window, "")
	line("状态", "window", stateText(s))
	line("中心", "link", centreText(s))
	print("待上传", " ", queueText(s.Queue), "")
	for _, p := range s.Parts {
		// Of the many that the window can do without, those that work are not worth a line.
		if !slices.Contains(ownLines(), p.Name) && (!optional(p.Name) || !p.OK) {
			line(partLabel(p.Name), p.Name, partText(p, s.Clock.Now))
		}
	}
	if s.Disk.SizeBytes > 0 {
		line("磁盘", "disk", fmt.Sprintf("剩余 %s，共 %s（%s）", bytesText(s.Disk.FreeBytes), bytesText(s.Disk.SizeBytes), s.Disk.Folder))
	}
	line("时钟", "clock", clockText(s.Clock))
	if c := s.Certificate; c != nil {
		text := fmt.Sprintf("还有 %d 天（到 %s）", c.Days, c.NotAfter.In(beijing()).Format(time.DateOnly))
		if c.Days < 0 {
			text = fmt.Sprintf("已于 %s 过期", c.NotAfter.In(beijing()).Format(time.DateOnly))
		}
		line("证书", "certificate", text)
	} else {
		print("证书", " ", "未配置（用密码连接中心）", "")
	}
	if s.TemperatureC != nil {
		line("温度", "temperature", fmt.Sprintf("%d °C", *s.TemperatureC))
	}
	if s.UnknownKeys > 0 || s.StuckKeys > 0 {
		print("按键异常", " ", fmt.Sprintf("未配置的键 %d 次，卡住 %d 次（启动以来）", s.UnknownKeys, s.StuckKeys), "")
	}
	print("版本", " ", fmt.Sprintf("%s，已运行 %s", s.Version, spanText(time.Duration(s.UptimeSec)*time.Second)), "")
	print("最近故障", " ", faultText(s.LastFault), "")
	return b.String()
}
