package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"haochaping/device"
	"haochaping/display"
	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/keptfile"
	"haochaping/internal/kernelclock"
	"haochaping/internal/rating"
)

// checkDaemon says whether ratingd runs.
func checkDaemon(_ context.Context, p *patient) finding {
	if s := p.status; s != nil {
		up := sayer{cli.Chinese}.span(time.Duration(s.UptimeSec) * time.Second)
		return fine(fmt.Sprintf("ratingd 正在运行，版本 %s，已运行 %s", s.Version, up),
			fmt.Sprintf("ratingd %s runs since %s", s.Version, momentText(s.Started)))
	}
	switch status := exitStatus(p.silent); {
	case status == exitNotRunning:
		return trouble(sick, "ratingd 没有运行", "ratingd does not run", "窗口现在不能评价；以下各项由本程序直接检查",
			"nobody can rate at this window now; what follows is tried from here",
			"systemctl start ratingd 启动；如启动后又停止，journalctl -u ratingd 的最后几行说明原因",
			"systemctl start ratingd; if it ends again, the last lines of journalctl -u ratingd say why")
	case errors.Is(p.silent, fs.ErrPermission):
		return forbidden(p.silent)
	case status == exitSick:
		return trouble(sick, "ratingd 没有响应", "ratingd hangs", "窗口现在不能评价", "nobody can rate at this window now",
			"服务管理器会在半分钟内将其重启；否则 systemctl restart ratingd", "the service manager restarts it within half a minute; else systemctl restart ratingd")
	}
	return trouble(noted, "无法询问 ratingd 是否运行："+p.silent.Error(), "ratingd cannot be asked: "+p.silent.Error(), "按键和屏幕如被 ratingd 占用，以下检查会报告占用",
		"keys and screen may be reported as busy below, by ratingd itself", "设置 operations.socket，或 systemctl status ratingd 查看",
		"set operations.socket, or look with systemctl status ratingd")
}

// checkConfig reads the configuration as the daemon does, and looks at the files that it names. Only what the daemon refuses stops it;
// a file that cannot be used stops a part.
func checkConfig(ctx context.Context, p *patient) finding {
	_, wrong := boxconfig.Load(p.path)
	wrong = errors.Join(wrong, closed(p, p.path, filepath.Join(p.config.State, boxconfig.IdentityFile)))
	ails := unusable(p)
	if errors.Is(wrong, fs.ErrPermission) || errors.Is(ails, fs.ErrPermission) {
		return forbidden(errors.Join(wrong, ails))
	}
	said := condition.Text{}
	if wrong != nil {
		said = condition.Text{ZH: wrong.Error(), EN: wrong.Error()}
	} else {
		if ails != nil {
			said = condition.Text{ZH: ails.Error(), EN: ails.Error()}
		}
		daemon, err := daemonsCheck(ctx, p.path)
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			said = daemon
			if ails = err; exit.ExitCode() != ailingStatus {
				wrong = err
			}
		}
	}
	indent := strings.NewReplacer("\n", "\n"+strings.Repeat(" ", 17))
	said.ZH, said.EN = indent.Replace(said.ZH), indent.Replace(said.EN)
	switch {
	case wrong != nil:
		return trouble(sick, "配置有错："+said.ZH, "the configuration is wrong: "+said.EN, "ratingd 不会启动；正在运行的在下次启动时停止",
			"ratingd does not start; one that runs ends at its next start", "按上面各行修改 "+p.path+"，ratingd -check-config 再查一遍",
			"change "+p.path+" where the lines say so; ratingd -check-config looks again")
	case ails != nil:
		return trouble(sick, said.ZH, said.EN, "按键评价不受影响", "the keys do not need them",
			"按上面各行处理，ratingd -check-config 再查一遍", "do what the lines say; ratingd -check-config looks again")
	}
	return fine(p.path+" 无误", p.path+" is in order")
}

// ailingStatus is the status of ratingd -check-config where the daemon would run, and a part of it not.
const ailingStatus = 1

// unusable says which of the files that the configuration names for the way to the centre cannot be read.
func unusable(p *patient) error {
	var err error
	up := p.config.Uplink
	for _, f := range []struct{ key, path string }{{"uplink.password_file", up.PasswordFile}, {"uplink.ca_file", up.CAFile}} {
		if f.path == "" {
			continue
		}
		if _, e := keptfile.ReadSmall(f.path); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", f.key, e))
		}
	}
	return errors.Join(err, closed(p, up.PasswordFile, up.CAFile, up.CertFile, up.KeyFile))
}

// closed says which files the daemon's user may not read.
func closed(p *patient, paths ...string) error {
	var err error
	for _, path := range paths {
		if e := unreadable(path, p.config.State); e != nil && !errors.Is(err, fs.ErrPermission) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// checkWindow says whether the centre has given the box a window.
func checkWindow(_ context.Context, p *patient) finding {
	window := ""
	if p.status != nil {
		if w := p.status.Window; w != nil {
			window = w.Name
		}
	} else if p.log != nil {
		// Without the daemon the log tells; that it can be read is said elsewhere.
		_ = p.log.Records(0, func(r rating.Record, _ []byte) error {
			switch {
			case r.Kind == rating.KindVisit:
				window = r.Visit.Window.Name
			case r.Kind == rating.KindEvent && r.Event.Name == rating.EventConfigured:
				window = r.Event.Detail["window"]
			}
			return nil
		})
	}
	part, _ := p.part("window")
	switch {
	case window != "":
		return fine("窗口 "+window, "the window "+window)
	case part.Code == "window.waits":
		return partFinding(part)
	case p.status == nil && p.log == nil:
		return trouble(noted, "不知道是否已登记", "it is not known whether the box is enrolled", "没有可读的记录", "there are no records that can be read",
			"启动 ratingd 后再查", "start ratingd and look again")
	}
	return trouble(sick, "本机尚未在中心登记", "the box is not enrolled at the centre", "窗口不能评价，屏幕显示设备名和指纹",
		"nobody can rate; the screen shows name and fingerprint",
		"ratingctl identity 显示公钥；在中心运行 centrald device add -id "+string(p.config.Device)+" -key …",
		"ratingctl identity prints the key; at the centre run centrald device add -id "+string(p.config.Device)+" -key …")
}

// keysLook is how long the keys are watched for being lost at once.
const keysLook = 500 * time.Millisecond

// checkKeys asks the daemon about the keys, or opens them.
func checkKeys(ctx context.Context, p *patient) finding {
	if part, ok := p.part("keys"); ok {
		switch {
		case p.press != nil:
			return trouble(noted, "没有逐键测试：ratingd 占用键盘", "the keys were not pressed: ratingd holds them", "同一时间只有一个程序能读键盘",
				"only one program can read them",
				"systemctl stop ratingd，测试后再 start", "systemctl stop ratingd, and start it afterwards")
		case !part.OK:
			return partFinding(part)
		case p.status.UnknownKeys > 0:
			return trouble(noted, fmt.Sprintf("有 %d 次按下了未配置的键", p.status.UnknownKeys),
				fmt.Sprintf("keys without a level were pressed %d times", p.status.UnknownKeys),
				"这些按键不计入评价", "such presses count for nothing", "如五个键中有这样的键，用 ratingctl keys 查看其代码并写入 keys.map",
				"if it is one of the five, ratingctl keys prints its code for keys.map")
		}
		return fine(part.What.ZH, "they are read")
	}
	if p.config.Keys.Source == boxconfig.Simulated {
		return fine("模拟按键", "they are simulated")
	}
	if p.press != nil {
		return p.press(ctx)
	}
	run, err := openKeys(p.config, kernelclock.SinceBoot)
	if err == nil {
		err = watchKeys(ctx, run, keysLook)
	}
	if err != nil {
		return of("keys.lost", err)
	}
	return fine(fmt.Sprintf("可以打开（%s）；逐键测试用 ratingctl doctor -keys", p.config.Keys.Source),
		fmt.Sprintf("they can be opened (%s); ratingctl doctor -keys tests each", p.config.Keys.Source))
}

// watchKeys returns why the keys are lost, nil if they are not within the time given.
func watchKeys(ctx context.Context, run func(context.Context, func(device.Event)) error, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var mu sync.Mutex
	var lost error
	err := run(ctx, func(e device.Event) {
		mu.Lock()
		defer mu.Unlock()
		switch e.Action {
		case device.ActionLost:
			if lost = e.Err; lost == nil {
				lost = errors.New("the keypad is lost")
			}
		case device.ActionBack:
			lost = nil
		}
	})
	mu.Lock()
	defer mu.Unlock()
	return errors.Join(err, lost)
}

// pressLimit is how long the citizen's part is waited for in a test of the keys.
const pressLimit = time.Minute

// pressEach asks to press each key once and shows what arrives.
func pressEach(ctx context.Context, c boxconfig.Config, stdout io.Writer) finding {
	run, err := openKeys(c, kernelclock.SinceBoot)
	if err != nil {
		return of("keys.lost", err)
	}
	shown := newReport(ctx, c, stdout)
	shown.say("请从左到右各按一次五个键（一分钟内）", "press each of the five keys once, within a minute")
	ctx, cancel := context.WithTimeout(ctx, pressLimit)
	defer cancel()
	if err := watchKeys(ctx, func(ctx context.Context, emit func(device.Event)) error {
		return run(ctx, func(e device.Event) {
			emit(e)
			shown.event(e)
			if shown.complete() {
				cancel()
			}
		})
	}, pressLimit); err != nil {
		return of("keys.lost", err)
	}
	if missing := shown.missing(); len(missing) > 0 {
		list := strings.Join(missing, "、")
		return trouble(sick, "没有收到："+list, "not seen: "+list, "这些键按下无效", "these keys do nothing",
			"检查这些键的接线；按下后显示“没有等级”的，把代码写入 keys.map", "look at their wires; write the code of one that has \"no level\" into keys.map")
	}
	return fine("五个键都收到了", "all five were seen")
}

// checkScreen asks the daemon about the screen, or opens it.
func checkScreen(_ context.Context, p *patient) finding {
	if part, ok := p.part("screen"); ok {
		if !part.OK {
			return partFinding(part)
		}
		return fine(part.What.ZH, part.What.EN)
	}
	c := p.config.Screen
	if c.Panel == "none" {
		return fine("未配置屏幕", "no screen is configured")
	}
	cards := display.Cards()
	if c.Card != "" {
		cards = []string{c.Card}
	}
	screen, err := display.OpenPanel(display.PanelConfig{
		Kind: display.Kind(c.Panel), Cards: cards, Mode: c.Mode, Framebuffer: c.Framebuffer, Rotation: display.Rotation(c.Rotation),
	})
	if err != nil {
		return of("screen.lost", err)
	}
	name, size := screen.String(), screen.Bounds().Size()
	if err := errors.Join(screen.Check(), screen.Halt()); err != nil {
		return of("screen.lost", err)
	}
	return fine(fmt.Sprintf("%s，%d×%d", name, size.X, size.Y), "it can be opened")
}
