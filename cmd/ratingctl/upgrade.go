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

// updateUsage is what help says of the command.
func updateUsage() condition.Text {
	return condition.Text{
		ZH: `ratingctl update 安装中心要求的版本，或完成中断了的更新。
由服务 haochaping-update 以 root 运行：开机时，以及守护程序要求时。

  ratingctl update                     按要求更新
  ratingctl update -version 版本       手工指定版本并更新

原来的版本保留在评价器上；十分钟内不能恢复正常时退回原来的版本。`,
		EN: `ratingctl update installs the version that the centre has asked for, or finishes an update that was interrupted.
The service haochaping-update runs it as root, at boot and when the daemon asks.

  ratingctl update                     do what is asked for
  ratingctl update -version VERSION    ask for a version by hand, and do it

The box keeps the version before, and has it back if it is not well with the new one within ten minutes.`,
	}
}

// updateCommand updates the box.
func updateCommand(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("ratingctl update", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cli.Describe(ctx, flags, updateUsage())
	config := flags.String("config", "/etc/ratingd.toml", cli.Words("评价器的配置`文件`", "the box's configuration `file`"))
	folder := flags.String("folder", updateFolder, cli.Words("更新所用的`文件夹`，属 root", "the `folder` of updates, which is root's"))
	version := flags.String("version", "",
		cli.Words("要安装的`版本`；不写则为守护程序所要求的", "the `version` to install; empty: what the daemon asks for"))
	patience := flags.Duration("patience", 10*time.Minute, cli.Words("评价器恢复正常最多可用的`时长`", "how `long` the box may take until it is well"))
	steady := flags.Duration("steady", time.Minute, cli.Words("须保持正常的`时长`", "for how `long` it must be"))
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
