package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/sdnotify"
	"haochaping/internal/tomlfile"
)

// environment is the machine that the centre runs on.
type environment struct {
	stdout, stderr io.Writer
	now            func() time.Time
	random         io.Reader
	manager        func() (*sdnotify.Manager, error)
}

// defaultConfig is read if no -config is given and it exists.
const defaultConfig = "/etc/centrald.toml"

// run is the program: it finds out what is asked for and does it until it is done or ctx ends.
func run(ctx context.Context, args []string, env environment) error {
	c := command{env: env}
	return c.program().Run(ctx, args)
}

// program returns what centrald can do.
func (c *command) program() cli.Program {
	return cli.Program{
		Name: "centrald", Version: version(), Stdout: c.env.stdout, Stderr: c.env.stderr, Commands: c.commands(), Main: c.begin,
		About: condition.Text{ZH: "接收评价的中心。", EN: "The receiving side."},
		Examples: []string{"centrald -print-config > /etc/centrald.toml", "centrald -check-config", "centrald findings",
			"centrald device list -json"},
	}
}

// begin runs the centre, or what its flags say, or the command behind them.
func (c *command) begin(ctx context.Context, args []string, _, stderr io.Writer) error {
	c.env.stderr, c.lang = stderr, cli.LangOf(ctx)
	flags := c.flags("centrald")
	printConfig := flags.Bool("print-config", false, cli.Words("打印带说明的默认配置后退出", "print the documented defaults and end"))
	checkConfig := flags.Bool("check-config", false,
		cli.Words("检查配置及其所指的文件，试连消息代理，指出问题后退出",
			"check the configuration and what it names, try the broker, say what is wrong, and end"))
	asJSON := flags.Bool("json", false, cli.Words("与 -check-config 同用：以 JSON 输出", "with -check-config: print what is wrong as JSON"))
	if err := cli.Parse(flags, args); err != nil {
		return err
	}
	switch {
	case *printConfig:
		_, err := io.WriteString(c.env.stdout, tomlfile.Described(defaultTOML, c.lang))
		return err
	case *checkConfig:
		return c.checkConfig(ctx, *asJSON)
	case *asJSON:
		return cli.Usage("-json 与 -check-config 同用", "-json goes with -check-config")
	case flags.NArg() > 0:
		return c.program().Run(ctx, flags.Args())
	}
	return c.serve(ctx)
}

// commands are what the program does besides running the centre.
func (c *command) commands() []cli.Command {
	does := func(name, zh, en string, do func(context.Context, []string) error, examples ...string) cli.Command {
		return cli.Command{Name: name, Summary: condition.Text{ZH: zh, EN: en}, Examples: examples,
			Run: func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
				c.env.stdout, c.env.stderr, c.lang = stdout, stderr, cli.LangOf(ctx)
				return do(ctx, args)
			}}
	}
	plain := func(f func([]string) error) func(context.Context, []string) error {
		return func(_ context.Context, args []string) error { return f(args) }
	}
	device := does("device", "登记、移动或列出评价器", "enrol a box or move it, enrol those of a file, list them", c.device,
		"centrald device add -id lz-0417 -key … -hall 市民中心 -window A12 -name 综合受理12号窗口", "centrald device import -csv boxes.csv",
		"centrald device list -json")
	device.Verbs = []string{"add", "import", "list"}
	account := does("account", "开通账号并打印一次性链接；管理账号", "open an account and print a one-time link for it; look after accounts", c.account,
		"centrald account list")
	account.Verbs = []string{"add", "link", "grant", "disable", "enable", "list"}
	directory := does("directory", "导入、导出或列出行政区划、单位、大厅、窗口和人员", "import, export or list areas, units, halls, windows and staff", c.directory)
	directory.Verbs = []string{"import", "export", "list"}
	directory.Examples = []string{"centrald directory import halls.csv", "centrald directory list window -hall SL-H1 -json"}
	orders := does("orders", "列出待办的差评工单；由日志重做工单", "list the orders on bad evaluations that are open; make them anew from the journal",
		c.orders, "centrald orders list")
	orders.Verbs = []string{"list", "rebuild"}
	figures := does("figures", "由账本重做统计；写出年度发布的结果", "make the figures anew from the books; write what is published of a year", c.figures,
		"centrald figures publish -year 2026 -out open")
	figures.Verbs = []string{"rebuild", "publish"}
	upward := does("upward", "打印上报所用的公钥，或一份接口对照表", "print the public key for the superior system, or a table of its interface", c.upward,
		"centrald upward key", "centrald upward table gansu > own.json")
	upward.Verbs = []string{"key", "table"}
	policy := does("policy", "起草、发布、导入和查看上级统一规定的目录、日历和设置", "draft, issue, import and show what a level sets for those below it",
		c.policy, "centrald policy draft > draft.json", "centrald policy issue draft.json", "centrald policy import policy.json")
	policy.Verbs = []string{"show", "draft", "issue", "export", "import"}
	return []cli.Command{
		does("key", "打印中心的公钥", "print the centre's public key, or the one that signs the journal's heads", c.printKey, "centrald key",
			"centrald key -seal"),
		account, device, directory, orders, figures, upward, policy,
		does("image-config", "写出所有评价器启动分区上的配置文件（已签名）", "write the signed file for the boot partition of all boxes", c.imageConfig,
			"centrald image-config -broker mqtts://mqtt.example.com:8883 -page https://admin.example.com -out haochaping.toml"),
		does("certify", "让手工登记的评价器（第一版）取证书，不用配对码", "let boxes that were entered by hand, as those of the "+
			"first version, have certificates without a code",
			c.certify, "centrald certify lz-0417", "centrald certify -all"),
		does("certificate", "为别处的消息服务器或本中心签发证书，写出根证书和吊销清单", "write a certificate for a broker elsewhere or for the centre there, the root, and "+
			"the list of revoked certificates",
			c.certificate, "centrald certificate -server mqtt.example.com -key mqtt.key -out mqtt.pem -root root.pem -revoked revoked.pem"),
		does("findings", "列出评价器发来的数据有何异常及处理办法", "list what is wrong with what the boxes have sent, and what to do", c.findings,
			"centrald findings", "centrald findings -all -json"),
		does("verify", "核对日志和账本；有改动时状态为 1", "check the journal and the books; status 1 if something was changed", c.verify, "centrald verify",
			"centrald verify -json"),
		does("rebuild", "由日志重做账本", "make the books anew from the journal", c.rebuild, "centrald rebuild"),
		does("backup", "运行中把日志写入新文件", "write the journal to a new file, while centrald runs", c.backup,
			"centrald backup /backup/journal-2026-11-26"),
		does("restore", "在空的位置由备份恢复日志", "make a journal from a backup, in an empty place", c.restore,
			"centrald restore /backup/journal-2026-11-26"),
		does("accept", "承认数据库比本机所记的旧，继续运行", "go on with a database that is older than the one this machine has kept", c.accept,
			"centrald accept"),
		does("prove", "打印日志中有某份评价的证明", "print the proof that the journal holds an evaluation", c.prove, "centrald prove 4711 > proof.json"),
		does("check-proof", "不用账本核对这样的证明", "verify such a proof, without the books", plain(c.checkProof),
			"centrald check-proof -seal-key … proof.json"),
		does("erase", "销毁市民所写的文字，评分保留", "destroy a citizen's text; its level stays", c.erase, "centrald erase -reason 本人要求 4711"),
		does("rehearse", "把一个机构过去几个月的评价、工单和发布写入空的中心，供演示和培训",
			"play the past months of an organisation into an empty centre, to show and to teach",
			c.rehearse, "centrald rehearse halls.csv"),
		does("witness", "跟踪另一个中心的日志", "follow another centre's journal", c.witness,
			"centrald witness -seal-key … https://centre.example.com/seal"),
		does("replica", "逐行复制另一个中心的日志，并可核对", "copy another centre's journal row by row, and verify the copy", c.replica,
			"centrald replica -seal-key … -token-file lanzhou.token -folder /srv/lanzhou https://centre.example.com/seal",
			"centrald replica -seal-key … -folder /srv/lanzhou -verify"),
	}
}

// command holds what all commands share.
type command struct {
	env  environment
	lang cli.Lang // that people read
	path string   // of the configuration, empty if none was named
}

// say prints a line for people. Both formats take the same arguments.
func (c *command) say(zh, en string, args ...any) error {
	_, err := fmt.Fprintln(c.env.stdout, c.lang.Say(fmt.Sprintf(zh, args...), fmt.Sprintf(en, args...)))
	return err
}

// printJSON prints a value for programs.
func (c *command) printJSON(v any) error {
	out := json.NewEncoder(c.env.stdout)
	out.SetIndent("", "  ")
	return out.Encode(v)
}

// flags returns a set of flags in which -config can be given too.
func (c *command) flags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(c.env.stderr)
	c.lang.Describe(f, condition.Text{})
	means := cli.Words("配置`文件`（默认 "+defaultConfig+"，如有）", "the configuration `file` (default "+defaultConfig+" if it exists)")
	f.Func("config", means, func(path string) error {
		c.path = path
		return nil
	})
	return f
}

// ignoreHelp makes a request for help no failure.
func ignoreHelp(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	return err
}

func (c *command) config() (config, error) { return loadConfig(c.configPath()) }

// configPath returns the configuration's file, empty where there is none.
func (c *command) configPath() string {
	if c.path == "" {
		if _, err := os.Stat(defaultConfig); err == nil {
			return defaultConfig
		}
	}
	return c.path
}

func (c *command) logger(cfg config) *slog.Logger {
	return slog.New(slog.NewTextHandler(c.env.stderr, &slog.HandlerOptions{Level: slog.Level(cfg.LogLevel)}))
}

// version returns the version that the build was stamped with.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
