package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"haochaping/device"
	"haochaping/device/evdev"
	"haochaping/device/keypad"
	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/kernelclock"
	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
)

// keys prints what each press reads as, until ctx ends, and which of the five levels were seen: as ratingd tells, if it runs, so that
// no citizen's press is taken. It works with a map of keys that is incomplete or absent: it is how the map is found out.
func keys(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("ratingctl keys", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cli.Describe(ctx, flags, condition.Text{})
	learns := flags.Bool("learn", false, cli.Words("识别未知键盘发送的内容，写出其描述文件", "find out what an unknown keypad sends, and write its profile"))
	out := flags.String("out", "keypad.toml",
		cli.Words("与 -learn 同用：描述`文件`的名称", "with -learn: the `file` that the profile is written to"))
	times := flags.Int("times", 2,
		cli.Words("与 -learn 同用：每个键须收到的`次数`；2 次可区分按键与干扰", "with -learn: how often each key must be heard; 2 tells keys from noise"))
	untouched := flags.Duration("untouched", 5*time.Second,
		cli.Words("与 -learn 同用：开始时先听键盘自行发送内容的`时长`", "with -learn: how long to listen first for what the keypad sends by itself"))
	cards := flags.Bool("cards", false,
		cli.Words("读刷卡器而不是键盘；与 -learn 同用：识别其发送的内容，写出描述文件",
			"read the card reader instead of the keypad; with -learn: find out what it sends, and write its profile"))
	number := flags.String("number", "",
		cli.Words("与 -learn -cards 同用：最先刷的那张卡上印的`卡号`",
			"with -learn -cards: the `number` that is printed on the card that is held to the reader first"))
	scans := flags.Bool("scan", false, cli.Words("与 -learn 同用：串口速率未知，逐一尝试", "with -learn: the line's speed is unknown, try them all"))
	pause := flags.Bool("pause", false,
		cli.Words("ratingd 运行时：其间暂停窗口，用于随时可评价的窗口",
			"while ratingd runs: pause the window meanwhile, for one at which citizens are always asked"))
	list := flags.Bool("list", false,
		cli.Words("列出可能是 USB 键盘的输入设备和串口键盘描述", "list the input devices that a USB keypad may be, and the serial profiles"))
	asJSON := flags.Bool("json", false,
		cli.Words("与 -list 同用：以 JSON 输出；否则每次按键输出一行 JSON", "with -list: print it as JSON; else each press as a line of JSON"))
	c, err := parsedConfig(flags, args)
	if err != nil || c == nil {
		return err
	}
	switch {
	case *list:
		return listKeypads(ctx, *asJSON, stdout)
	case *learns:
		return learn(ctx, *c, learning{out: *out, times: *times, scan: *scans, cards: *cards, number: *number, untouched: *untouched,
			stdin: stdin}, stdout)
	case *cards:
		return showCards(ctx, *c, stdout)
	}
	shown := newReport(ctx, *c, stdout)
	shown.json = *asJSON
	running, err := throughDaemon(ctx, *c, *pause, shown)
	if !running && err == nil {
		err = ofItself(ctx, *c, shown)
	}
	if err != nil {
		return err
	}
	shown.summary()
	return shown.err
}

// throughDaemon prints what ratingd tells of its keys. It reports whether ratingd runs.
func throughDaemon(ctx context.Context, c boxconfig.Config, pause bool, shown *report) (running bool, err error) {
	if c.Operations.Socket == "" {
		return false, nil
	}
	err = opsapi.WatchKeys(ctx, c.Operations.Socket, pause, shown.told)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return false, nil
	case errors.Is(err, fs.ErrPermission):
		return true, cli.Hint(cli.Because(err, "本用户无权查询", "this user may not ask"), "以 root 运行，或 runuser -u ratingd -- ratingctl keys",
			"run it as root, or: runuser -u ratingd -- ratingctl keys")
	}
	return true, err
}

// ofItself reads the keypad.
func ofItself(ctx context.Context, c boxconfig.Config, shown *report) error {
	run, err := openKeys(c, kernelclock.SinceBoot)
	if err != nil {
		return err
	}
	shown.ask()
	err = run(ctx, shown.event)
	if err != nil {
		return readingHint(err)
	}
	return nil
}

// readingHint says what to do where a keypad or a card reader cannot be read.
func readingHint(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return cli.Hint(err, "接好设备，并核对配置中的名称：ls /dev/serial/by-id /dev/input/by-id",
			"plug it in, and look whether the configuration names it: ls /dev/serial/by-id /dev/input/by-id")
	}
	return cli.Hint(err, "先停止 ratingd（systemctl stop ratingd）：键盘和读卡器同一时间只能由一个程序读取",
		"stop ratingd first (systemctl stop ratingd): only one program can read a keypad or a card reader")
}

// keypads is what keys.usb.device and keys.serial.profile may be.
type keypads struct {
	Profiles []keypadProfile `json:"serial_profiles"`
	Inputs   []keypadInput   `json:"input_devices"`
	Failed   string          `json:"input_devices_error,omitempty"` // why they could not be listed
}

type keypadProfile struct {
	Name  string `json:"name"`
	About string `json:"about"`
}

type keypadInput struct {
	Path string `json:"path"`
	Name string `json:"name"`
}

func knownKeypads() (keypads, error) {
	k := keypads{Inputs: []keypadInput{}}
	for _, name := range keypad.Names() {
		p, _, err := keypad.Shipped(name)
		if err != nil {
			return k, err
		}
		k.Profiles = append(k.Profiles, keypadProfile{name, p.About})
	}
	all, err := evdev.List()
	if err != nil {
		k.Failed = err.Error()
	}
	for _, i := range all {
		k.Inputs = append(k.Inputs, keypadInput{i.Path, i.Name})
	}
	return k, nil
}

// listKeypads prints them.
func listKeypads(ctx context.Context, asJSON bool, stdout io.Writer) error {
	k, err := knownKeypads()
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(stdout, k)
	}
	out := &report{w: stdout, lang: cli.LangOf(ctx)}
	out.say("串口键盘和读卡器（keys.serial.profile）：", "Serial keypads and card readers (keys.serial.profile):")
	for _, p := range k.Profiles {
		out.printf("  %-12s %s\n", p.Name, out.lang.Written(p.About))
	}
	out.say("有按键的输入设备（keys.usb.device；/dev/input/by-id 中的名称不变）：",
		"Input devices with keys (keys.usb.device; a name of /dev/input/by-id stays the same):")
	if k.Failed != "" {
		out.say("  没有：%s", "  none: %s", k.Failed)
	}
	for _, i := range k.Inputs {
		out.printf("  %s  \"name:%s\"\n", i.Path, i.Name)
	}
	return out.err
}

// openKeys returns the run function of the configured keypad.
func openKeys(c boxconfig.Config, now func() time.Duration) (func(context.Context, func(device.Event)) error, error) {
	quiet := slog.New(slog.DiscardHandler)
	switch c.Keys.Source {
	case boxconfig.Serial:
		profile, err := keypad.Find(c.Keys.Serial.Profile)
		if err != nil {
			return nil, err
		}
		return device.NewSerial(device.SerialConfig{Port: c.Keys.Serial.Port, Baud: c.Keys.Serial.Baud, Profile: profile, Now: now, Logger: quiet,
			AtOnce: true}).Run, nil
	case boxconfig.USB:
		return device.NewUSB(device.USBConfig{Device: c.Keys.USB.Device, Now: now}).Run, nil
	case boxconfig.GPIO:
		var refs []string
		for _, k := range c.Keys.Map {
			refs = append(refs, k.Key)
		}
		if len(refs) == 0 {
			return nil, cli.Hint(cli.Error("没有写 GPIO 线路", "no GPIO line is named"), "把线路写入 keys.map，次序和等级随意；本命令显示每个键是哪条线路",
				"write the lines into keys.map, in any order and with any levels; this command shows which one each key is")
		}
		lines, closer, err := device.NewChips().Open(refs)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, emit func(device.Event)) error {
			g := device.NewGPIO(device.GPIOConfig{Lines: lines, Debounce: time.Duration(c.Keys.GPIO.Debounce), ActiveHigh: c.Keys.GPIO.ActiveHigh,
				Now: now, Logger: quiet})
			return errors.Join(g.Run(ctx, emit), closer.Close())
		}, nil
	}
	return nil, cli.Hint(cli.Errorf("keys.source 是 %q，没有可读的键盘", "keys.source is %q: there is no keypad to read", c.Keys.Source),
		"写成 gpio、serial 或 usb", "set it to gpio, serial or usb")
}

// report prints events.
type report struct {
	mu     sync.Mutex
	w      io.Writer
	lang   cli.Lang
	json   bool          // presses are lines of JSON, and nothing else is printed
	began  time.Duration // since the machine started
	asked  bool
	err    error // of the first print that failed
	levels map[device.Code]rating.Level
	seen   map[rating.Level]bool
}

func newReport(ctx context.Context, c boxconfig.Config, stdout io.Writer) *report {
	r := &report{w: stdout, lang: cli.LangOf(ctx), began: kernelclock.SinceBoot(), levels: make(map[device.Code]rating.Level),
		seen: make(map[rating.Level]bool)}
	for _, k := range c.Keys.Map {
		r.levels[device.Code(k.Key)] = k.Level
	}
	return r
}

// ask asks for the keys, once.
func (r *report) ask() {
	if !r.asked {
		r.asked = true
		r.say("请从左到右各按一次。按 Ctrl-C 结束。", "Press each key once, from left to right. End with Ctrl-C.")
	}
}

// told prints what ratingd tells.
func (r *report) told(e opsapi.KeyEvent) {
	actions := map[string]device.Action{opsapi.KeyDown: device.Down, opsapi.KeyTogether: device.Down, opsapi.KeyStuck: device.HeldStuck,
		opsapi.KeyReleased: device.Up, opsapi.KeypadLost: device.ActionLost, opsapi.KeypadBack: device.ActionBack}
	switch e.What {
	case opsapi.KeyShown:
		r.say("ratingd 正在运行；没有市民在评价时，它会报告按键。", "ratingd runs, and tells what its keys do while no citizen is asked.")
		r.ask()
	case opsapi.KeyHidden:
		r.say("正在请市民评价，结束之前 ratingd 不报告按键。一直请市民评价的窗口请用 -pause。",
			"A citizen is asked: ratingd tells nothing until that is over. At a window that always asks, use -pause.")
	default:
		r.event(device.Event{Action: actions[e.What], Code: device.Code(e.Code), At: time.Duration(e.At) * time.Millisecond,
			Beside: e.What == opsapi.KeyTogether, Err: errors.New(e.Why)})
	}
}

func (r *report) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(r.w, format, args...); err != nil && r.err == nil {
		r.err = err
	}
}

// say prints a line in the language, unless programs read. Both formats take the same arguments.
func (r *report) say(zh, en string, args ...any) {
	if !r.json {
		r.printf("%s\n", r.lang.Say(fmt.Sprintf(zh, args...), fmt.Sprintf(en, args...)))
	}
}

// seenKey is an event of a key as a line of JSON.
type seenKey struct {
	AtMS  int64        `json:"at_ms"` // since the command began
	What  string       `json:"what"`  // down, together, stuck, lost or back
	Code  device.Code  `json:"code,omitempty"`
	Level rating.Level `json:"level,omitzero"` // of keys.map
}

// row prints an event.
func (r *report) row(at time.Duration, e device.Event, zh, en string) {
	if !r.json {
		r.printf("%10s  %-20s %s\n", at, e.Code, r.lang.Say(zh, en))
		return
	}
	what := map[device.Action]string{device.Down: "down", device.HeldStuck: "stuck", device.ActionLost: "lost",
		device.ActionBack: "back"}[e.Action]
	if e.Beside {
		what = "together"
	}
	if err := json.NewEncoder(r.w).Encode(seenKey{at.Milliseconds(), what, e.Code, r.levels[e.Code]}); err != nil && r.err == nil {
		r.err = err
	}
}

func (r *report) event(e device.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := (e.At - r.began).Round(time.Millisecond)
	switch e.Action {
	case device.Down:
		level, ok := r.levels[e.Code]
		if e.Code.IsNoKey() {
			r.row(at, e, "不是按键：干扰，或速率、描述与键盘不符；用 ratingctl keys -learn 识别",
				"no key: noise, or another speed or profile than the keypad's; ratingctl keys -learn finds it out")
			return
		}
		if !ok {
			r.row(at, e, "没有等级：请写入 keys.map", "no level: add it to keys.map")
			return
		}
		if e.Beside {
			r.row(at, e, level.String()+"，与另一键同时按下，都不计入", level.String()+", together with another key: neither counts")
			return
		}
		r.seen[level] = true
		r.row(at, e, level.String(), level.String())
	case device.HeldStuck:
		r.row(at, e, "卡住：已按下或重复 10 秒，松开前不计入", "stuck: it has been down, or has repeated, for 10 s; it is ignored until it is let go")
	case device.ActionLost:
		r.row(at, e, "读不到键盘："+cli.Chinese.Error(e.Err), "the keypad cannot be read: "+cli.English.Error(e.Err))
	case device.ActionBack:
		r.row(at, e, "又能读到键盘", "the keypad can be read again")
	}
}

// complete reports whether each of the five levels was seen.
func (r *report) complete() bool { return len(r.missing()) == 0 }

// missing returns the levels that were not seen.
func (r *report) missing() (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range rating.Levels() {
		if !r.seen[l] {
			out = append(out, l.String())
		}
	}
	return out
}

func (r *report) summary() {
	if r.json {
		return
	}
	r.printf("\n")
	for _, l := range rating.Levels() {
		word := r.lang.Say("未按下", "not pressed")
		if r.seen[l] {
			word = r.lang.Say("已收到", "seen")
		}
		r.printf("%s  %s\n", l, word)
	}
}
