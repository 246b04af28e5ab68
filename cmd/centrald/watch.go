package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"haochaping/internal/central/fleet"
	"haochaping/internal/central/ingest"
	"haochaping/internal/central/journal"
	"haochaping/internal/cli"
	"haochaping/internal/webhook"
)

// watch returns what looks at the boxes, writes what changes of them, and opens and ends alerts.
func (c *command) watch(x *rooms, in *ingest.Ingest, log *slog.Logger) (*fleet.Watch, error) {
	days, err := x.cfg.workingDays()
	if err != nil {
		return nil, fmt.Errorf("deadline.calendars: %w", err)
	}
	return fleet.NewWatch(fleet.WatchConfig{
		Fleet: x.fleet, Organisation: x.directory, Leases: journal.Leases{Journal: x.journal, Holder: x.holder}, Days: days,
		Hears: func() bool { return in.Trouble().Since.IsZero() }, Now: c.env.now, Random: c.env.random, Logger: log,
	}), nil
}

// updatesAtOnce is how many boxes update at a time: packages of some megabytes, from a centre that serves its boxes meanwhile.
const updatesAtOnce = 100

// stager returns what takes changes of the boxes' settings and programs from stage to stage.
func (c *command) stager(x *rooms, in *ingest.Ingest, log *slog.Logger) (*fleet.Stager, error) {
	days, err := x.cfg.workingDays()
	if err != nil {
		return nil, fmt.Errorf("deadline.calendars: %w", err)
	}
	rules, err := x.boxRules()
	if err != nil {
		return nil, fmt.Errorf("what boxes are told: %w", err)
	}
	return fleet.NewStager(fleet.StagerConfig{
		Fleet: x.fleet, Organisation: x.directory, Leases: journal.Leases{Journal: x.journal, Holder: x.holder}, Days: days,
		Hears: func() bool { return in.Trouble().Since.IsZero() }, Send: in.Command, Updating: updatesAtOnce, Now: c.env.now, Logger: log,
		Rules: rules, RulesHold: time.Duration(x.cfg.Boxes.HoldMin) * time.Minute,
	}), nil
}

// alertsConfig says where alerts are posted.
type alertsConfig struct {
	URL        string `toml:"webhook_url"` // empty: nowhere
	SecretFile string `toml:"webhook_secret_file"`
}

// checkHook reports what is wrong with the address of a webhook, empty for none. What lies in files is read when the centre starts.
func checkHook(address, secretFile string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "":
		return cli.Error("不是地址；请写成 https://server.example.com/hook，不带用户名和密码",
			"it is no address; write it as https://server.example.com/hook, without user and password")
	case u.Scheme != "https" && (u.Scheme != "http" || new(loopback).UnmarshalText([]byte(u.Hostname()+":1")) != nil):
		return cli.Errorf("%q 会以明文经过网络；请写 https，或本机地址", "%q goes over the network in plain text; write https, or a loopback address", address)
	case secretFile == "":
		return cli.Error("没有写 webhook_secret_file，收到的人不知道是谁发的；请写签名密钥所在的文件",
			"webhook_secret_file is missing, and what is not signed could be anybody's; write the file with the secret")
	}
	return nil
}

// alertHook returns what posts alerts until its context ends.
func (c *command) alertHook(x *rooms, log *slog.Logger) (func(context.Context) error, error) {
	if x.cfg.Alerts.URL == "" {
		return idle, nil
	}
	secret, err := hookSecret("alerts", x.cfg.Alerts.SecretFile)
	if err != nil {
		return nil, err
	}
	h := fleet.Hook{Fleet: x.fleet, Leases: journal.Leases{Journal: x.journal, Holder: x.holder}, URL: x.cfg.Alerts.URL, Secret: secret,
		Now: c.env.now, Logger: log}
	return h.Run, nil
}

// hookSecret reads the secret of a webhook.
func hookSecret(part, file string) (webhook.Secret, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s.webhook_secret_file: %w", part, err)
	}
	secret, err := webhook.ParseSecret(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s.webhook_secret_file: %w", part, err)
	}
	return secret, nil
}

func idle(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
