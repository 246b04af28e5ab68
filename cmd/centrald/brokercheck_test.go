package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/broker/probe"
	"haochaping/internal/central/ingest"
	"haochaping/internal/cli"
	"haochaping/internal/proof/mosquitto"
)

// The configuration is checked with its broker, before boxes wait in vain.
func TestCheckConfig(t *testing.T) {
	dir := t.TempDir()
	c := &centre{t: t, config: writeConfig(t, dir)}
	if out, err := c.command("-config", c.config, "-check-config"); err != nil || !strings.Contains(out, "内置代理") {
		t.Errorf("with the built-in broker: %q, %v", out, err)
	}
	with := func(broker string) (string, error) {
		text := fmt.Sprintf("state = %q\nbroker.url = \"mqtt://%s\"\n", dir, broker)
		if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return c.command("-config", c.config, "-check-config")
	}
	if out, err := with("127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "broker.url") {
		t.Errorf("with nobody there: %q, %v", out, err)
	}
	good := startMosquitto(t)
	if out, err := with(good); err != nil || !strings.Contains(out, "$share: yes") {
		t.Errorf("with mosquitto: %q, %v", out, err)
	}
	bad := mosquitto.Start(t, mosquitto.Open+"retain_available false\n")
	if out, err := with(bad); !errors.Is(err, errBrokerLacks) || !strings.Contains(out, "✗ 该代理不保存保留消息") ||
		!strings.Contains(out, "retain_available true") {
		t.Errorf("with one that retains nothing: %q, %v", out, err)
	}
}

// A broker that lacks something is no silence: page, /healthz and systemd say so until it has it.
func TestABrokerThatLacksSomethingIsATrouble(t *testing.T) {
	now := time.Unix(1000, 0)
	b := &brokerCheck{now: func() time.Time { return now }, log: slog.New(slog.DiscardHandler)}
	if got := b.trouble(ingest.Trouble{}); !got.Since.IsZero() {
		t.Errorf("before the broker was tried: %+v", got)
	}
	lacking := probe.Result{Shared: probe.No, Delivers: probe.Yes}
	said := b.tell(lacking, "")
	now = now.Add(time.Hour)
	b.tell(lacking, said)
	if got := b.trouble(ingest.Trouble{}); got.Since.Unix() != 1000 || !strings.Contains(got.What, "$share") ||
		!strings.Contains(got.Err.Error(), "$share") {
		t.Errorf("without shared subscriptions: %+v", got)
	}
	away := errors.New("the broker is away")
	if got := b.trouble(ingest.Trouble{Since: now, Err: away}); !errors.Is(got.Err, away) || got.What != "" {
		t.Errorf("a broker that is away: %+v", got)
	}
	b.tell(probe.Result{Shared: probe.Yes, Retained: probe.Yes, Large: probe.Yes, Delivers: probe.Yes}, said)
	if got := b.trouble(ingest.Trouble{}); !got.Since.IsZero() {
		t.Errorf("once it has all: %+v", got)
	}
}

// What is found again at a later try is not logged again; a right that is taken away later is.
func TestABrokerIsTriedAgain(t *testing.T) {
	var log strings.Builder
	b := &brokerCheck{now: time.Now, log: slog.New(slog.NewTextHandler(&log, nil))}
	well := probe.Result{Shared: probe.Yes, Retained: probe.Yes, Large: probe.Yes, Delivers: probe.Yes}
	said := b.tell(well, "")
	said = b.tell(well, said)
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines of a broker that has all, want 1: %s", n, &log)
	}
	well.Retained = probe.No
	b.tell(well, said)
	if got := b.trouble(ingest.Trouble{}); got.Since.IsZero() || !strings.Contains(log.String(), "ERROR") {
		t.Errorf("after a change for the worse: %+v, %s", got, &log)
	}
}

// A broker that has the built-in one's address is named with both ways out, at the check and at the start.
func TestBesideAnotherBroker(t *testing.T) {
	dir, taken := t.TempDir(), mosquitto.Start(t, mosquitto.Open)
	c := &centre{t: t, config: writeConfig(t, dir)}
	text := fmt.Sprintf("state = %q\nrate.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\nbroker.listen = %q\n", dir, taken)
	if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("broker.url = \"mqtt://%s\"", taken)
	if out, err := c.command("-config", c.config, "-check-config"); err != nil || !strings.Contains(out, want) {
		t.Errorf("the check: %q, %v", out, err)
	}
	if out, err := c.command("-config", c.config); err == nil || !strings.Contains(cli.HintOf(err).ZH, want) {
		t.Errorf("the start: %q, %v", out, err)
	}
}
