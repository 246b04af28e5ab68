package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/cases"
	"haochaping/internal/central/deadline"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/intake"
	"haochaping/internal/central/link"
	"haochaping/internal/rating"
)

// cases returns the door of business systems and other channels on its listener.
func (c *command) cases(cfg casesConfig, x *rooms, log *slog.Logger) (site, error) {
	tokens := tokens{cfg.TokensFile, log}
	if _, err := tokens.read(); err != nil {
		return site{}, fmt.Errorf("cases.tokens_file: %w", err)
	}
	door := cases.Door{Tokens: tokens, Logger: log}
	silence, err := x.cfg.silence()
	if err != nil {
		return site{}, err
	}
	pages := http.NewServeMux()
	pages.Handle("/", cases.Handler(cases.Config{Door: door, Journal: x.journal, Books: x.books, Awaited: x.awaited, Silence: silence}))
	pages.Handle("POST /v1/answers", intake.Handler(intake.Config{Door: door, Journal: x.journal}))
	links, err := c.links(x)
	if err != nil {
		return site{}, err
	}
	pages.Handle("POST /v1/links", intake.LinksHandler(door, links))
	hotline := x.hotline(door, cfg.VoiceKeys)
	pages.Handle("POST /v1/sms/replies", hotline.SMSHandler())
	pages.Handle("POST /v1/voice/keys", hotline.VoiceHandler())
	terminals := intake.Terminals{Door: door, Room: x.intake, Links: links, Books: x.books}.Handler()
	pages.Handle("/v1/visits", terminals)
	pages.Handle("/v1/visits/", terminals)
	pages.Handle("/v1/posted-code", terminals)
	pages.Handle("POST /v1/messages/stop", deadline.StopHandler(door, x.deadlines))
	s := site{handler: pages, logger: log}
	if s.listener, err = x.shown.listen("cases.cert_file", string(cfg.Listen), cfg.CertFile, cfg.KeyFile); err != nil {
		return site{}, fmt.Errorf("cases.listen: %w", err)
	}
	return s, nil
}

// links returns what writes links for cases, and reads them.
func (c *command) links(x *rooms) (intake.Links, error) {
	secret, err := hkdf.Key(sha256.New, x.key.Seed(), nil, "haochaping links", 32)
	if err != nil {
		return intake.Links{}, err
	}
	keeper, err := link.New(secret)
	return intake.Links{Keeper: keeper, Base: x.cfg.Rate.Base, Now: c.env.now}, err
}

// hotline returns what takes the answers of 12345.
func (x *rooms) hotline(door cases.Door, keys map[string]rating.Level) intake.Hotline {
	return intake.Hotline{Door: door, Journal: x.journal, Requests: x.deadlines, Cases: x.books, Keys: keys,
		Judge: x.orders.Judge}
}

// awaited returns the boxes that may still hold an answer in time for a case whose silence has become 基本满意.
func (x *rooms) awaited(ctx context.Context, k books.Case) ([]rating.DeviceID, error) {
	if k.State() != books.CaseDefault {
		return nil, nil
	}
	boxes, err := x.states(ctx)
	return deadline.Awaited(k, boxes, time.UnixMilli(x.journal.Now())), err
}

// states returns what is known of all boxes.
func (x *rooms) states(ctx context.Context) ([]fleet.State, error) {
	const step = 500
	var all []fleet.State
	for after := rating.DeviceID(""); ; {
		some, err := x.fleet.States(ctx, after, step)
		all = append(all, some...)
		if err != nil || len(some) < step {
			return all, err
		}
		after = some[step-1].ID
	}
}

// openDeadlines opens the room of deadlines and reminders.
func (c *command) openDeadlines(ctx context.Context, x *rooms, log *slog.Logger) (*deadline.Deadlines, error) {
	days, err := x.cfg.workingDays()
	if err != nil {
		return nil, fmt.Errorf("deadline.calendars: %w", err)
	}
	gateway, err := x.cfg.Deadline.SMS.gateway()
	if err != nil {
		return nil, fmt.Errorf("deadline.sms: %w", err)
	}
	secret, err := hkdf.Key(sha256.New, x.key.Seed(), nil, "haochaping numbers", 32)
	if err != nil {
		return nil, err
	}
	links, err := c.links(x)
	if err != nil {
		return nil, err
	}
	var address func(rating.CaseKey) (string, error)
	if strings.Contains(x.cfg.Deadline.SMS.Text, "{link}") {
		address = func(k rating.CaseKey) (string, error) {
			url, _, err := links.Write(link.Claim{Case: k, Channel: rating.SMS, Source: "reminder"})
			return url, err
		}
	}
	return deadline.Open(ctx, deadline.Config{Journal: x.journal, Books: x.books, Calendar: days, Defaults: x.cfg.Deadline.Defaults,
		LateHolds: x.cfg.Deadline.LateHolds, Gateway: gateway, Text: x.cfg.Deadline.SMS.Text, Link: address, Secret: secret,
		SilentDays: x.cfg.Deadline.SilentDays, Unit: x.unitOf, Hours: x.cfg.Deadline.SMS.hours(),
		Holder: x.holder, Now: c.env.now, Logger: log})
}

// hours returns when short messages go. What they are was checked.
func (c smsConfig) hours() deadline.Hours {
	minutes := func(s string) int {
		t, _ := time.Parse("15:04", s)
		return t.Hour()*60 + t.Minute()
	}
	return deadline.Hours{From: minutes(c.From), Until: minutes(c.Until)}
}

// sends reports whether short messages go anywhere.
func (c smsConfig) sends() bool { return c.URL != "" || c.File != "" }

// gateway returns where short messages go, nil if nowhere.
func (c smsConfig) gateway() (deadline.Gateway, error) {
	switch {
	case c.URL != "":
		g, err := deadline.NewHTTP(c.URL, c.Headers, c.Body, c.Accept)
		if err == nil && c.Status != "" {
			err = g.Asks(c.Status, c.Taken, c.Unknown)
		}
		return g, err
	case c.File != "":
		return &deadline.File{Path: c.File}, nil
	}
	return nil, nil
}

// workingDays returns the calendar of the notices that the program brings, of those in a folder, which go before, and of the policy's,
// which go before all.
func (c config) workingDays() (rating.Calendar, error) {
	return workingDays(c.Deadline.Calendars, c.policy.Calendars...)
}

func workingDays(folder string, set ...rating.Notice) (rating.Calendar, error) {
	notices, err := rating.BuiltInNotices()
	if err != nil {
		return rating.Calendar{}, err
	}
	years := make(map[int]rating.Notice)
	for _, n := range notices {
		years[n.Year] = n
	}
	if folder != "" {
		if _, err := os.Stat(folder); err != nil {
			return rating.Calendar{}, err
		}
		files, err := filepath.Glob(filepath.Join(folder, "*.json"))
		if err != nil {
			return rating.Calendar{}, err
		}
		for _, path := range files {
			b, err := os.ReadFile(path)
			if err != nil {
				return rating.Calendar{}, err
			}
			n, err := rating.ParseNotice(b)
			if err != nil {
				return rating.Calendar{}, fmt.Errorf("%s: %w", path, err)
			}
			years[n.Year] = n
		}
	}
	for _, n := range set {
		years[n.Year] = n
	}
	notices = notices[:0]
	for _, n := range years {
		notices = append(notices, n)
	}
	return rating.NewCalendar(notices...)
}
