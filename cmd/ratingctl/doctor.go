package main

import (
	"context"
	"crypto/ed25519"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/store"
)

// errSick is returned when something needs a hand.
var errSick = cli.Error("有需要处理的问题，见 ✗ 各行", "something needs a hand; see the lines with ✗")

// doctorUsage is what help says of the command.
func doctorUsage() condition.Text {
	return condition.Text{
		ZH: `ratingctl doctor 逐项检查评价器的各部分，并给出处理办法。

ratingd 运行时，由它占用的部分（按键、屏幕、写入记录）向它询问；否则在此直接检查。
✓ 正常，! 需留意，✗ 需处理。退出状态：没有 ✗ 时为 0，否则为 1。`,
		EN: `ratingctl doctor looks at one part of the box after the other and says what to do.

While ratingd runs, it is asked about what it holds: keys, screen, the writing of the store. Else they are tried here.
✓ well, ! worth an eye, ✗ needs a hand. Exit status: 0 if no line has ✗, else 1.`,
	}
}

// mark says what a finding means for the box.
type mark string

// The marks.
const (
	well  mark = "✓"
	noted mark = "!" // worth an eye, or not to be found out from here
	sick  mark = "✗"
)

// finding is what was found out about a part: for all but a well one what it means and what to do.
type finding struct {
	mark
	found, means, todo condition.Text
}

func fine(zh, en string) finding { return finding{mark: well, found: condition.Text{ZH: zh, EN: en}} }

// trouble is a finding that is not well; the texts are Chinese, then English.
func trouble(m mark, foundZH, foundEN, meansZH, meansEN, todoZH, todoEN string) finding {
	return finding{m, condition.Text{ZH: foundZH, EN: foundEN}, condition.Text{ZH: meansZH, EN: meansEN},
		condition.Text{ZH: todoZH, EN: todoEN}}
}

// markOf returns the mark of a trouble.
func markOf(l condition.Level) mark {
	if l == condition.Note {
		return noted
	}
	return sick
}

// of returns what is known of a trouble, with what was seen of it here. What the doctor has tried itself does not wait for better days.
func of(c condition.Code, why error) finding {
	f := condition.Because(c, why)
	return finding{sick, f.What, f.Means, f.Do}
}

// partFinding returns what the daemon says of a part that is not well.
func partFinding(p opsapi.Part) finding { return finding{markOf(p.Level), p.What, p.Means, p.Do} }

// forbidden is the finding where the doctor may not look.
func forbidden(err error) finding {
	return trouble(sick, "无权查看："+err.Error(), "this may not be looked at: "+err.Error(), "这一项没有检查", "this part was not looked at",
		"以 root 运行，或 runuser -u ratingd -- ratingctl doctor", "run the doctor as root, or as the daemon's user: runuser -u ratingd -- "+
			"ratingctl doctor")
}

// patient is the box that is looked at.
type patient struct {
	config boxconfig.Config
	path   string         // of its configuration
	status *opsapi.Status // what the daemon says; nil if it does not
	silent error          // why not

	log    *store.Inspection // nil if it cannot be read
	logErr error
	press  func(context.Context) finding // asks to press each key; nil if that is not wanted
}

// part returns what the daemon says of a part.
func (p *patient) part(name string) (opsapi.Part, bool) {
	if p.status != nil {
		for _, part := range p.status.Parts {
			if part.Name == name {
				return part, true
			}
		}
	}
	return opsapi.Part{}, false
}

// check is one thing that the doctor looks at.
type check struct {
	zh, name string
	look     func(context.Context, *patient) finding
}

// checks returns all, in an order in which what comes first explains what comes later.
func checks() []check {
	return []check{
		{"程序", "daemon", checkDaemon}, {"配置", "config", checkConfig}, {"登记", "window", checkWindow}, {"按键", "keys", checkKeys},
		{"屏幕", "screen", checkScreen}, {"文字", "text", checkText}, {"存储", "store", checkLog}, {"损坏", "damage", checkAside},
		{"磁盘", "disk", checkDisk},
		{"密钥", "key", checkKey}, {"时钟", "clock", checkClock}, {"中心", "broker", checkBroker}, {"证书", "cert", checkCertificate},
	}
}

// doctor looks at one part of the box after the other and says what to do. It may run while ratingd does.
func doctor(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("ratingctl doctor", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cli.Describe(ctx, flags, doctorUsage())
	asJSON := flags.Bool("json", false, cli.Words("最后以 JSON 数组输出结果", "print what was found as a JSON array, at the end"))
	press := flags.Bool("keys", false,
		cli.Words("请人把每个键各按一次，显示收到的内容；ratingd 须停止", "ask to press each key once, and show what arrives; ratingd must not run"))
	c, err := parsedConfig(flags, args)
	if err != nil || c == nil {
		return err
	}
	p := &patient{config: *c, path: flags.Lookup("config").Value.String()}
	if *press {
		p.press = func(ctx context.Context) finding { return pressEach(ctx, p.config, stdout) }
	}
	if s, err := askBox(ctx, *c); err != nil {
		p.silent = err
	} else {
		p.status = &s
	}
	p.log, p.logErr = store.Inspect(logPath(*c))
	unwell, told, lang := false, []diagnosis{}, cli.LangOf(ctx)
	for _, k := range append(checks(), optionalChecks(p)...) {
		end := cli.Waiting(ctx, stderr, "正在检查"+k.zh, "looking at "+k.name)
		f := k.look(ctx, p)
		end()
		unwell = unwell || f.mark == sick
		told = append(told, diagnosis{k.name, f.mark, f.found, f.means, f.todo})
		if *asJSON {
			continue
		}
		if _, err := io.WriteString(stdout, f.text(k, lang)); err != nil {
			return err
		}
	}
	if *asJSON {
		if err := printJSON(stdout, told); err != nil {
			return err
		}
	}
	if unwell {
		return errSick
	}
	return nil
}

// diagnosis is a finding for programs.
type diagnosis struct {
	Part  string         `json:"part"`
	Mark  mark           `json:"mark"`
	Found condition.Text `json:"found"`
	Means condition.Text `json:"means,omitzero"`
	Do    condition.Text `json:"do,omitzero"`
}

// text returns the lines of a finding.
func (f finding) text(k check, lang cli.Lang) string {
	name := map[cli.Lang]string{cli.Chinese: k.zh, cli.English: k.name}[lang]
	if name == "" {
		name = k.zh + " " + k.name
	}
	const width = 15
	label, indent := wide(fmt.Sprintf("%s %s ", f.mark, name), width), strings.Repeat(" ", width)
	if f.mark == well {
		return fmt.Sprintf("%s%s\n", label, lang.Text(f.found))
	}
	zh := fmt.Sprintf("%s\n%s含义：%s\n%[2]s处理：%[4]s\n", f.found.ZH, indent, f.means.ZH, f.todo.ZH)
	en := fmt.Sprintf("%s\n%s= %s\n%[2]s→ %[4]s\n", f.found.EN, indent, f.means.EN, f.todo.EN)
	if lang == cli.Both {
		zh += indent
	}
	return label + map[cli.Lang]string{cli.Chinese: zh, cli.English: en, cli.Both: zh + en}[lang]
}

func logPath(c boxconfig.Config) string { return filepath.Join(c.State, "log.db") }

// known reports whether a centre's key is configured.
func known(k boxconfig.PublicKey) bool { return len(k) == ed25519.PublicKeySize }
