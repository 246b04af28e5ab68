// Command ratingctl is the administrators' tool of a box. "ratingctl help" lists what it does.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"haochaping/internal/cli"
	"haochaping/internal/condition"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		cli.Report(os.Stderr, "ratingctl", err)
		os.Exit(exitStatus(err))
	}
}

// exitStatus returns the status that the program ends with.
func exitStatus(err error) int {
	if e := new(exitError); errors.As(err, &e) {
		return e.status
	}
	return cli.Status(err)
}

// run does what the arguments say.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	return program(stdout, stderr).Run(ctx, args)
}

// program returns what ratingctl can do.
func program(stdout, stderr io.Writer) cli.Program {
	return cli.Program{
		Name: "ratingctl", Version: version(), Stdout: stdout, Stderr: stderr, Commands: commands(),
		About: condition.Text{ZH: "评价器管理员的工具。", EN: "The administrators' tool of a box."},
		Examples: []string{"ratingctl status", "ratingctl doctor", "ratingctl log -last 5",
			"ratingctl completion bash > /etc/bash_completion.d/ratingctl"},
	}
}

// version returns the version that the build was stamped with.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func commands() []cli.Command {
	text := func(zh, en string) condition.Text { return condition.Text{ZH: zh, EN: en} }
	return []cli.Command{
		{Name: "status", Summary: text("一屏显示评价器的状况", "print how the box is, on one screen"), Run: statusCommand,
			Examples: []string{"ratingctl status", "ratingctl status -json | jq .parts"}},
		{Name: "doctor", Summary: text("逐项检查并给出处理办法", "look at one part of the box after the other and say what to do"), Run: doctor,
			Examples: []string{"ratingctl doctor", "ratingctl doctor -keys"}},
		{Name: "bundle", Summary: text("收集技术支持所需的资料，不含市民信息和密钥", "collect what support needs, without anything about citizens and without "+
			"secrets"), Run: bundle,
			Examples: []string{"ratingctl bundle -out box.tar.gz"}},
		{Name: "keys", Summary: text("显示每次按键读到的代码；-learn 识别未知键盘", "print what each press reads as; -learn finds out an unknown keypad"),
			Run: func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
				return keys(ctx, args, os.Stdin, stdout, stderr)
			},
			Examples: []string{"ratingctl keys -list", "ratingctl keys -learn", "ratingctl keys -cards"}},
		{Name: "identity", Summary: text("显示本机的名称和公钥，供登记", "print who the box is, for enrolling it"), Run: identity,
			Examples: []string{"ratingctl identity"}},
		{Name: "log", Summary: text("列出、校验或导出记录", "list, verify or export what the box has recorded"), Run: logCommand,
			Examples: []string{"ratingctl log", "ratingctl log -verify", "ratingctl log -last 0 -format csv > records.csv"}},
		{Name: "token", Verbs: []string{"add", "list", "revoke"}, Summary: text("管理窗口电脑的令牌", "say which PCs may start evaluations"), Run: token,
			Examples: []string{`ratingctl token add -name "A12 PC"`, "ratingctl token list"}},
		{Name: "visit", Verbs: []string{"start", "wait", "cancel"}, Summary: text("像窗口电脑那样发起评价", "start an evaluation as the window's PC does"),
			Run: func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
				return visit(ctx, args, os.Getenv, os.Stdin, stdout, stderr)
			},
			Examples: []string{"HCP_TOKEN=… ratingctl visit start -case 620100-2 -task 11620100MB01 -task-name 身份证换领 -completed"}},
		{Name: "fleet", Verbs: []string{"boxes", "box", "ask", "bundle", "alerts", "acknowledge", "list", "show",
			"begin", "halt", "resume", "undo", "abandon"},
			Summary: text("在中心查看评价器，分步更改其设置", "ask the centre about its boxes, and change their settings in stages"),
			Run: func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
				return fleetCommand(ctx, args, os.Getenv, stdout, stderr)
			},
			Examples: []string{"ratingctl fleet boxes -state sick", "ratingctl fleet begin -hall SL-H2 -first SL-H2-B01 -wait 45s"}},
		{Name: "update", Summary: text("更新本机的程序（服务自动执行）", "update the box's programs; the service does it"),
			Run: func(ctx context.Context, args []string, _, stderr io.Writer) error {
				return updateCommand(ctx, args, stderr)
			}},
		{Name: "sound", Summary: text("播放市民听到的声音，说明为何听不到", "play what citizens hear, and say what keeps it from being heard"), Run: soundCommand,
			Examples: []string{"ratingctl sound -test"}},
		{Name: "console", Verbs: []string{"silent", "text"}, Summary: text("屏幕控制台的文字：隐藏或恢复（服务自动执行）", "keep text off the screen's console, or "+
			"let it back; the service does it"),
			Run: func(ctx context.Context, args []string, _, stderr io.Writer) error { return console(ctx, args, stderr) }},
		{Name: "clock", Summary: text("记录时钟是否同步（服务自动执行）", "keep a file that says whether the clock is right; the service does it"),
			Run: func(ctx context.Context, args []string, _, stderr io.Writer) error {
				return clockMark(ctx, args, stderr)
			}},
		{Name: "demo", Summary: text("在本机演示三台评价器和一个中心", "run three boxes and a centre on this machine, in a browser"), Run: demo,
			Examples: []string{"ratingctl demo -listen 127.0.0.1:8400"}},
	}
}
