package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"haochaping/internal/central/broker/probe"
	"haochaping/internal/central/ingest"
)

// errBrokerLacks ends -check-config where evaluations would not arrive.
var errBrokerLacks = errors.New("the broker lacks what the centre needs")

// checkConfig checks the configuration, and tries the broker if that is not the built-in one.
func (c *command) checkConfig(ctx context.Context) error {
	cfg, err := c.config()
	if err != nil {
		return &configurationError{err}
	}
	if cfg.Broker.URL == "" {
		_, err := fmt.Fprintln(c.env.stdout, "配置正确，使用内置代理 · the configuration is right; the built-in broker is used")
		return err
	}
	in, _, err := c.broker(cfg.Broker, c.logger(cfg))
	if err != nil {
		return &configurationError{err}
	}
	r, err := probe.Run(ctx, probeOf(in))
	if err != nil {
		return fmt.Errorf("broker.url: %w", err)
	}
	faulty := false
	for _, f := range r.Findings() {
		mark := "!"
		if f.Fault {
			mark, faulty = "✗", true
		}
		if _, err := fmt.Fprintf(c.env.stdout, "%s %s\n  → %s\n  %s\n  → %s\n", mark, f.Found.ZH, f.Todo.ZH, f.Found.EN, f.Todo.EN); err != nil {
			return err
		}
	}
	if faulty {
		return errBrokerLacks
	}
	_, err = fmt.Fprintf(c.env.stdout, "配置正确，代理 %s 可用（%s） · the configuration is right, and the broker serves\n", r.Address, divides(r))
	return err
}

// divides says how the broker divides the boxes' records among the instances of the centre.
func divides(r probe.Result) string {
	if r.Partitions > 0 {
		return fmt.Sprintf("%d partitions", r.Partitions)
	}
	return "$share: " + string(r.Shared)
}

func probeOf(in ingest.Config) probe.Config {
	return probe.Config{Broker: in.Broker, Username: in.Username, Password: in.Password, TLS: in.TLS}
}

// brokerCheckPause is between two tries to reach a broker that is to be tried.
const brokerCheckPause = 30 * time.Second

// watchBroker tries the broker once it can be reached, says what it lacks, and waits for the end.
func watchBroker(ctx context.Context, c probe.Config, log *slog.Logger) error {
	for ctx.Err() == nil {
		r, err := probe.Run(ctx, c)
		if err != nil { // the ingest says so
			select {
			case <-ctx.Done():
			case <-time.After(brokerCheckPause):
			}
			continue
		}
		for _, f := range r.Findings() {
			level := slog.LevelWarn
			if f.Fault {
				level = slog.LevelError
			}
			log.Log(ctx, level, f.Found.ZH+"："+f.Todo.ZH, "broker", r.Address, "found", f.Found.EN, "do", f.Todo.EN)
		}
		if len(r.Findings()) == 0 {
			log.Info("the broker has what the centre needs", "broker", r.Address, "records by", divides(r))
		}
		break
	}
	<-ctx.Done()
	return nil
}
