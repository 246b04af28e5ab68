package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"haochaping/internal/sdnotify"
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
	flags := c.flags("centrald")
	printConfig := flags.Bool("print-config", false, "print the documented defaults and end")
	checkConfig := flags.Bool("check-config", false, "check the configuration, try the broker, say what is wrong, and end")
	printVersion := flags.Bool("version", false, "print the version and end")
	if err := flags.Parse(args); err != nil {
		return ignoreHelp(err)
	}
	rest := flags.Args()
	switch {
	case *printConfig:
		_, err := io.WriteString(env.stdout, defaultTOML)
		return err
	case *printVersion:
		_, err := fmt.Fprintln(env.stdout, "centrald", version())
		return err
	case *checkConfig:
		return c.checkConfig(ctx)
	case len(rest) == 0:
		return c.serve(ctx)
	}
	if do, ok := c.commands()[rest[0]]; ok {
		return do(ctx, rest[1:])
	}
	return fmt.Errorf("command %q is unknown; there are key, device add, device import, device list, findings, verify, rebuild, backup, restore, accept, prove, check-proof, erase and witness, and none to run the centre", rest[0])
}

// commands are what the program does besides running the centre, by their names.
func (c *command) commands() map[string]func(context.Context, []string) error {
	plain := func(f func([]string) error) func(context.Context, []string) error {
		return func(_ context.Context, args []string) error { return f(args) }
	}
	return map[string]func(context.Context, []string) error{
		"key": plain(c.printKey), "device": c.device, "findings": c.findings, "verify": c.verify, "rebuild": c.rebuild, "backup": c.backup,
		"restore": c.restore, "accept": c.accept, "prove": c.prove, "check-proof": plain(c.checkProof), "erase": c.erase, "witness": c.witness,
	}
}

// command holds what all commands share.
type command struct {
	env  environment
	path string // of the configuration, empty if none was named
}

// flags returns a set of flags in which -config can be given too.
func (c *command) flags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(c.env.stderr)
	f.StringVar(&c.path, "config", c.path, "the configuration `file` (default "+defaultConfig+" if it exists)")
	return f
}

// ignoreHelp makes a request for help no failure.
func ignoreHelp(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	return err
}

func (c *command) config() (config, error) {
	path := c.path
	if path == "" {
		if _, err := os.Stat(defaultConfig); err == nil {
			path = defaultConfig
		}
	}
	return loadConfig(path)
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
