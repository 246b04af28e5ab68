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
	flags.Usage = func() {
		_, _ = io.WriteString(flags.Output(), usage) // nobody is left to tell
		flags.PrintDefaults()
	}
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
	case rest[0] == "help":
		flags.SetOutput(env.stdout)
		flags.Usage()
		return nil
	}
	if do, ok := c.commands()[rest[0]]; ok {
		return do(ctx, rest[1:])
	}
	return fmt.Errorf("command %q is unknown; \"centrald help\" lists what there is, and the centre runs without one", rest[0])
}

const usage = `centrald is the receiving side. Without a command it runs.

  centrald key [-seal]              print the centre's public key, or the one that signs the journal's heads
  centrald account add|link|list    open an account and print a one-time link for it; "centrald account" names the others
  centrald device add|import|list   enrol a box or move it, enrol those of a file, list them
  centrald directory WORD           import, export or list areas, units, halls, windows and staff
  centrald findings                 list what is wrong with what the boxes have sent, and what to do
  centrald verify                   check the journal and the books; status 1 if something was changed
  centrald rebuild                  make the books anew from the journal
  centrald backup FILE              write the journal to a new file, while centrald runs
  centrald restore FILE             make a journal from it, in an empty place
  centrald accept                   go on with a database that is older than the one this machine has kept
  centrald prove ID                 print the proof that the journal holds an evaluation
  centrald check-proof FILE         verify such a proof, without the books
  centrald erase -reason WHY ID     destroy a citizen's text; its level stays
  centrald witness URL              follow another centre's journal

"centrald COMMAND -h" lists a command's flags. Without a command there are:

`

// commands are what the program does besides running the centre, by their names.
func (c *command) commands() map[string]func(context.Context, []string) error {
	plain := func(f func([]string) error) func(context.Context, []string) error {
		return func(_ context.Context, args []string) error { return f(args) }
	}
	return map[string]func(context.Context, []string) error{
		"key": plain(c.printKey), "account": c.account, "device": c.device, "directory": c.directory, "findings": c.findings,
		"verify": c.verify, "rebuild": c.rebuild, "backup": c.backup,
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
	f.Func("config", "the configuration `file` (default "+defaultConfig+" if it exists)", func(path string) error {
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
