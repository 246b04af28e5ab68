package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"

	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/rating"
	"haochaping/internal/supportfile"
	"haochaping/internal/tomlfile"
)

// configurationError says that the configuration or a file that it names is wrong: starting again helps only when somebody has changed it.
type configurationError struct{ err error }

func (e *configurationError) Error() string { return e.err.Error() }

// Unwrap returns what is wrong.
func (e *configurationError) Unwrap() error { return e.err }

// withoutFile adds what to do where there is no configuration at all.
func withoutFile(path string, err error) error {
	if _, missing := os.Stat(path); !errors.Is(missing, fs.ErrNotExist) {
		return err
	}
	return cli.Hint(err, "配置文件还不存在：ratingd -print-config > "+path+" 写出带说明的模板，再填写",
		"there is no configuration yet: ratingd -print-config > "+path+" writes one to fill in")
}

// run is the program: the daemon, or what it tells of itself.
func run(ctx context.Context, args []string, env environment) error {
	return program(env).Run(ctx, args)
}

// program returns what ratingd can do.
func program(env environment) cli.Program {
	return cli.Program{
		Name: "ratingd", Version: version(), Stdout: env.stdout, Stderr: env.stderr,
		About: condition.Text{ZH: "服务窗口评价器的守护程序。", EN: "The daemon of one service window."},
		Main: func(ctx context.Context, args []string, _, stderr io.Writer) error {
			env.stderr = stderr
			return daemonOrCheck(ctx, args, env)
		},
		Examples: []string{"ratingd -print-config > /etc/ratingd.toml", "ratingd -check-config", "ratingd -config /etc/ratingd.toml"},
	}
}

// daemonOrCheck is the daemon: it reads the configuration, joins the parts in the order in which a press passes through them, and
// runs them until ctx ends.
func daemonOrCheck(ctx context.Context, args []string, env environment) error {
	flags := flag.NewFlagSet("ratingd", flag.ContinueOnError)
	flags.SetOutput(env.stderr)
	cli.Describe(ctx, flags, condition.Text{})
	path := flags.String("config", "/etc/ratingd.toml", cli.Words("配置`文件`", "the configuration `file`"))
	printConfig := flags.Bool("print-config", false, cli.Words("打印带说明的默认配置后退出", "print the documented defaults and end"))
	check := flags.Bool("check-config", false,
		cli.Words("以服务用户的身份检查配置及其所指的文件后退出：守护程序会拒绝启动时状态为 78，某一部分不能工作时为 1",
			"check the configuration and what it names, as the service's user, and end: with status 78 if the daemon would refuse to start, 1 "+
				"if a part of it would not work"))
	asJSON := flags.Bool("json", false, cli.Words("与 -check-config 同用：以 JSON 输出", "with -check-config: print what is wrong as JSON"))
	if err := cli.Parse(flags, args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return cli.Unexpected(flags.Arg(0))
	case *asJSON && !*check:
		return cli.Usage("-json 与 -check-config 同用", "-json goes with -check-config")
	case *printConfig:
		_, err := io.WriteString(env.stdout, tomlfile.Described(boxconfig.DefaultTOML(), cli.LangOf(ctx)))
		return err
	}
	if *check {
		v := checkConfig(*path, env)
		if *asJSON {
			return errors.Join(v.err(), tomlfile.Judge(env.stdout, *path, v.faults()))
		}
		if err := v.err(); err != nil {
			return err
		}
		_, err := fmt.Fprintln(env.stdout, cli.LangOf(ctx).Say(*path+" 无误", *path+" is in order"))
		return err
	}
	err := runConfigured(ctx, *path, env)
	if errors.Is(err, errReborn) {
		return daemonOrCheck(ctx, args, env)
	}
	return err
}

// runConfigured runs the box of a configuration until ctx ends. Its error is errReborn if the box is to forget all.
func runConfigured(ctx context.Context, path string, env environment) error {
	cfg, err := boxconfig.Load(path)
	if err != nil {
		return &configurationError{withoutFile(path, err)}
	}
	erased, err := boxconfig.Erase(cfg.State)
	if err != nil {
		return err
	}
	if erased {
		if cfg, err = boxconfig.Load(path); err != nil {
			return &configurationError{err}
		}
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit(cfg.Screen))
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return err
	}
	if cfg.ClockSet {
		env.synced = func() bool { return true }
	}
	env.tail = new(supportfile.Tail)
	log := slog.New(slog.NewTextHandler(io.MultiWriter(env.tail, env.stderr), &slog.HandlerOptions{Level: level}))
	// Without its manager the box works as well; it is the manager that will be dissatisfied.
	supervised, err := env.manager()
	if err != nil {
		log.Error("the service manager cannot be told how the box is", "error", err)
	}
	env.supervised = supervised != nil
	if erased {
		log.Warn("the box has forgotten all, as it was asked to, and is born anew")
	}
	if cfg.SharedFault != nil {
		log.Error("the file that all boxes share is not taken; the box goes on with what it had", "error", cfg.SharedFault)
	}
	if err := cfg.Birth(rand.Reader); err != nil {
		return err
	}
	key, err := cfg.Identity()
	if err != nil {
		return err
	}
	if other := cfg.OtherAlgorithm(key); other != "" {
		log.Warn("the box goes on with the key that it has, of another algorithm than record_algorithm; docs/crypto.md says how to change it",
			"key", other, "record_algorithm", cfg.RecordAlgorithm)
	}
	return runBox(ctx, cfg, identity{cfg.Device, key}, env, supervised, log)
}

// errReborn says that the box is to begin anew, having forgotten all.
var errReborn = errors.New("the box is to forget all")

// memoryLimit is up to which garbage may stay, in bytes: nearly the double of what is in use on a screen of 1920×1200, whose two
// frames would else be there twice. Smaller screens never reach it. Where pixels are also kept and encoded for others, there is more.
func memoryLimit(c boxconfig.Screen) int64 {
	const most, more = 44 << 20, 24 << 20
	limit := int64(most)
	for _, other := range []string{c.Browser, c.Files} {
		if other != "" {
			limit += more
		}
	}
	return limit
}

// generation returns that of the window that the box knows, 0 if none.
func generation(w *rating.Window) uint32 {
	if w == nil {
		return 0
	}
	return w.Generation
}

func idle(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// version returns the version that the build was stamped with.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}
