package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/keptfile"
	"haochaping/internal/upgrade"
	"haochaping/sync/wire"
)

// updates is the folder of root's in which the service that updates the programs says how that goes.
const updates = "/var/lib/haochaping-update"

// errNoRepository says that nothing can be asked for.
var errNoRepository = cli.Error("update.url 为空，程序只能手工更新", "update.url is empty; the programs are updated by hand alone")

// askForPrograms returns what asks whoever updates the box's programs for a version: a file, which the service haochaping-update notices.
// The daemon can do no more than that.
func askForPrograms(c boxconfig.Config) func(upgrade.Request) error {
	return func(r upgrade.Request) error {
		if c.Update.URL == "" {
			return errNoRepository
		}
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		return keptfile.Replace(filepath.Join(c.State, upgrade.RequestFile), b)
	}
}

// installedPrograms returns what that service says, nil where it has never run.
func installedPrograms(folder string) *wire.Programs {
	r, err := upgrade.ReadReport(folder)
	if err != nil || r.Installed == "" {
		return nil
	}
	const most = 300 // bytes of a reason
	return &wire.Programs{Installed: r.Installed, Asked: r.Version, Outcome: string(r.Outcome), Why: r.Why[:min(len(r.Why), most)],
		Command: r.Command}
}

// updatePause is how often is looked whether an update has gone further.
const updatePause = 2 * time.Second

// followUpdates calls tell until ctx ends, each time that service says something new: a rollout waits for it, and who began one looks on.
func followUpdates(ctx context.Context, folder string, tell func()) {
	look := time.NewTicker(updatePause)
	defer look.Stop()
	var before time.Time
	if info, err := os.Stat(filepath.Join(folder, upgrade.ReportFile)); err == nil {
		before = info.ModTime()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if info, err := os.Stat(filepath.Join(folder, upgrade.ReportFile)); err == nil && !info.ModTime().Equal(before) {
			before = info.ModTime()
			tell()
		}
	}
}
