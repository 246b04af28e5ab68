package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/windowapi"
	"haochaping/store"
)

// windowPCs is the box as the PCs of its window reach it.
type windowPCs struct {
	loopback, lan net.Listener // nil for none
	handler       http.Handler
	certificate   *certificate // of lan
	webhook       *windowapi.Webhook
	journal       *windowapi.Journal
	db            *store.Store
	log           *slog.Logger
}

// newWindowPCs binds the addresses, so that a wrong one ends the start and not the day.
func newWindowPCs(ctx context.Context, cfg boxconfig.Config, w windowapi.Terminal, journal *windowapi.Journal, db *store.Store, now func() time.Time, log *slog.Logger) (*windowPCs, error) {
	c := cfg.WindowAPI
	p := &windowPCs{journal: journal, db: db, log: log}
	p.handler = windowapi.New(windowapi.Config{
		Terminal: w, Journal: journal, Tokens: windowapi.NewTokens(filepath.Join(cfg.State, windowapi.TokensFile), log),
		LoopbackWithoutToken: c.LoopbackWithoutToken, Hosts: c.Hosts, Origins: c.Origins, PrintQR: c.PrintQR, Now: time.Now, Logger: log,
	})
	var err error
	if p.webhook, err = newWebhook(c, journal, db, now, log); err != nil {
		return nil, &configurationError{err}
	}
	if c.LANListen != "" {
		if p.certificate, err = loadCertificate(cfg.Uplink.CertFile, cfg.Uplink.KeyFile); err != nil {
			return nil, &configurationError{fmt.Errorf("window_api.lan_listen: %w", err)}
		}
	}
	if p.loopback, err = listen(c.Listen); err != nil {
		return nil, fmt.Errorf("window_api.listen: %w", err)
	}
	if p.lan, err = listenLAN(ctx, c.LANListen, log); err != nil {
		return nil, fmt.Errorf("window_api.lan_listen: %w", err)
	}
	return p, nil
}

// webhookNote is the name under which the store keeps the last event that the webhook took.
const webhookNote = "webhook"

func newWebhook(c boxconfig.WindowAPI, journal *windowapi.Journal, n notes, now func() time.Time, log *slog.Logger) (*windowapi.Webhook, error) {
	secret, err := webhookSecret(c)
	if err != nil || c.WebhookURL == "" {
		return nil, err
	}
	return &windowapi.Webhook{
		URL: c.WebhookURL, Secret: secret, Journal: journal,
		// Whoever answers a webhook with a redirection would have its body sent elsewhere.
		Client:   &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		Position: func() string { return string(n.Note(webhookNote)) },
		Keep:     func(id string) error { return n.SetNote(webhookNote, []byte(id)) },
		Now:      now, Random: mathrand.Float64, Logger: log,
	}, nil
}

// webhookSecret returns the secret that signs what is posted, nil where nothing is.
func webhookSecret(c boxconfig.WindowAPI) (windowapi.WebhookSecret, error) {
	if c.WebhookURL == "" {
		return nil, nil
	}
	b, err := os.ReadFile(c.WebhookSecretFile)
	if err != nil {
		return nil, fmt.Errorf("window_api.webhook_secret_file: %w", err)
	}
	secret, err := windowapi.ParseWebhookSecret(string(b))
	if err != nil {
		return nil, fmt.Errorf("window_api.webhook_secret_file: %w", err)
	}
	return secret, nil
}

// run serves until ctx ends.
func (p *windowPCs) run(ctx context.Context) error {
	// A log that cannot be read must not keep the window closed.
	if err := p.journal.Load(p.db); err != nil {
		p.log.Error("the visits of the time before this start cannot be read; their PCs learn nothing more of them", "error", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wait sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	start := func(f func() error) {
		wait.Go(func() {
			err := f()
			if ctx.Err() == nil && err != nil {
				cancel()
			}
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	if p.loopback != nil {
		start(func() error { return windowapi.Serve(ctx, p.loopback, nil, p.handler, p.log) })
	}
	if p.lan != nil {
		config := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: p.certificate.get}
		start(func() error { return windowapi.Serve(ctx, p.lan, config, p.handler, p.log) })
	}
	if p.webhook != nil {
		start(func() error { return p.webhook.Run(ctx) })
	}
	start(func() error { return idle(ctx) })
	wait.Wait()
	return errors.Join(errs...)
}

// certificate is a certificate and its key, read again when the file has changed: it is renewed while the daemon runs. It is
// safe for concurrent use.
type certificate struct {
	certFile, keyFile string

	mu   sync.Mutex
	info fs.FileInfo
	pair *tls.Certificate
}

func loadCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	_, err := c.get(nil)
	return c, err
}

// get returns the certificate, and the one before while the new one cannot be read.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(c.certFile)
	if err == nil && c.pair != nil && os.SameFile(info, c.info) && info.ModTime().Equal(c.info.ModTime()) {
		return c.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		if c.pair != nil {
			return c.pair, nil
		}
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	c.pair, c.info = &pair, info
	return c.pair, nil
}
