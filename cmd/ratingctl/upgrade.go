package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/internal/upgrade"
)

const updateUsage = `ratingctl update installs the version that the centre has asked for, or finishes an update that was interrupted.
The service haochaping-update runs it as root, at boot and when the daemon asks.

  ratingctl update                     do what is asked for
  ratingctl update -version VERSION    ask for a version by hand, and do it

The box keeps the version before, and has it back if it is not well with the new one within ten minutes.

`

// updateCommand updates the box.
func updateCommand(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("ratingctl update", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		_, _ = io.WriteString(stderr, updateUsage)
		flags.PrintDefaults()
	}
	config := flags.String("config", "/etc/ratingd.toml", "the box's configuration `file`")
	folder := flags.String("folder", updateFolder, "the `folder` of updates, which is root's")
	version := flags.String("version", "", "the `version` to install; empty: what the daemon asks for")
	patience := flags.Duration("patience", 10*time.Minute, "how `long` the box may take until it is well")
	steady := flags.Duration("steady", time.Minute, "for how `long` it must be")
	if err := cli.Parse(flags, args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if flags.NArg() > 0 {
		return cli.Unexpected(flags.Arg(0))
	}
	if os.Geteuid() != 0 {
		return cli.Hint(cli.Error("只有 root 能更新程序", "only root updates the programs"), "sudo ratingctl update", "sudo ratingctl update")
	}
	if err := os.MkdirAll(*folder, 0o755); err != nil {
		return fmt.Errorf("make the folder of updates: %w", err)
	}
	c, err := boxconfig.ForUpdates(*config, *folder)
	if err != nil {
		return err
	}
	u := upgrade.New(upgrade.Config{
		Package: "ratingd", Folder: *folder, Request: filepath.Join(c.State, upgrade.RequestFile),
		Source:   upgrade.Source{URL: c.Update.URL, Channel: c.Update.Channel, Key: c.Update.Key, Root: c.Enrol.Root},
		Troubles: func(ctx context.Context) ([]string, error) { return vitalTroubles(ctx, c.Operations.Socket) },
		Patience: *patience, Steady: *steady, Logger: slog.New(slog.NewTextHandler(stderr, nil)),
	})
	if *version != "" {
		return u.Do(ctx, upgrade.Request{Version: *version, WithinSec: int(time.Hour / time.Second)})
	}
	return u.Run(ctx)
}

// updateFolder is where the service keeps what belongs to updates.
const updateFolder = "/var/lib/haochaping-update"

// vital are the parts without which nobody can rate, or the centre gets nothing.
func vital() []string {
	return []string{"keys", "terminal", "store", "disk", "screen", "link", "certificate"}
}

// vitalTroubles returns what is wrong with those, as the daemon tells that runs what is installed now.
func vitalTroubles(ctx context.Context, socket string) (codes []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := runsInstalled(ctx); err != nil {
		return nil, err
	}
	s, err := opsapi.Ask(ctx, socket)
	if err != nil {
		return nil, cli.Because(err, "ratingd 没有回答", "ratingd does not answer")
	}
	if s.State == "starting" {
		return nil, cli.Error("ratingd 还在启动", "ratingd is still starting")
	}
	for _, p := range s.Parts {
		if p.Level == condition.Ill && slices.Contains(vital(), p.Name) {
			codes = append(codes, string(p.Code))
		}
	}
	return codes, nil
}

// runsInstalled reports why the daemon that runs is not the one that is installed: its program was replaced, or none runs.
func runsInstalled(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "systemctl", "show", "--property=MainPID", "--value", "ratingd.service").Output()
	if err != nil {
		return fmt.Errorf("ask systemd for the daemon: %w", err)
	}
	pid := strings.TrimSpace(string(out))
	if pid == "0" {
		return cli.Error("ratingd 没有运行", "ratingd does not run")
	}
	program, err := os.Readlink("/proc/" + pid + "/exe")
	if err != nil {
		return fmt.Errorf("look which program the daemon runs: %w", err)
	}
	if strings.HasSuffix(program, " (deleted)") {
		return cli.Error("运行的还是以前的 ratingd", "the daemon that runs is the one of before")
	}
	return nil
}
