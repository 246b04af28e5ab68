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
	"haochaping/internal/keptfile"
	"haochaping/internal/webhook"
	"haochaping/internal/windowapi"
	"haochaping/store"
)

// windowPCs is the box as the PCs of its window reach it.
type windowPCs struct {
	cfg     boxconfig.Config
	handler http.Handler
	tokens  *windowapi.Tokens
	journal *windowapi.Journal
	db      *store.Store
	now     func() time.Time
	log     *slog.Logger
	parts   []*extra
}

// newWindowPCs adds what is configured to the optional parts. It opens nothing before run.
func newWindowPCs(cfg boxconfig.Config, w windowapi.Terminal, journal *windowapi.Journal, db *store.Store, now func() time.Time,
	x *extras, book *addressBook, log *slog.Logger) *windowPCs {
	c := cfg.WindowAPI
	p := &windowPCs{cfg: cfg, journal: journal, db: db, now: now, log: log,
		tokens: windowapi.NewTokens(filepath.Join(cfg.State, windowapi.TokensFile), log)}
	p.handler = windowapi.New(windowapi.Config{
		Terminal: w, Journal: journal, Tokens: p.tokens,
		LoopbackWithoutToken: c.LoopbackWithoutToken, Hosts: c.Hosts, Origins: c.Origins, PrintQR: c.PrintQR, Now: time.Now, Logger: log,
	})
	if c.Listen != "" {
		p.parts = append(p.parts, x.add("window_api", "window_api.address", door{
			name: "window_api", field: "window_api.listen", address: c.Listen, book: book.expect("window_api"),
			open:  func(context.Context) (net.Listener, error) { return net.Listen("tcp", c.Listen) },
			serve: func(ctx context.Context, l net.Listener) error { return windowapi.Serve(ctx, l, nil, p.handler, log) },
		}.run))
	}
	if c.LANListen != "" {
		p.parts = append(p.parts, x.add("window_api_lan", "window_api_lan.address", p.lan(book.expect("window_api_lan"))))
	}
	if c.Listen != "" || c.LANListen != "" {
		p.parts = append(p.parts, x.add("window_tokens", "window_tokens.file", p.watchTokens))
	}
	if c.WebhookURL != "" {
		p.parts = append(p.parts, x.add("webhook", "webhook.undelivered", p.callWebhook))
	}
	return p
}

// lan returns what serves the hall's network, with the box's certificate.
func (p *windowPCs) lan(book *addressBook) func(context.Context, func(error)) error {
	c := p.cfg.WindowAPI
	certFile, keyFile := p.cfg.Uplink.CertFile, p.cfg.Uplink.KeyFile
	if p.cfg.Enrols() {
		certFile, keyFile = filepath.Join(p.cfg.State, boxconfig.WindowCertFile), filepath.Join(p.cfg.State, boxconfig.WindowKeyFile)
	}
	var pair *certificate
	return door{
		name: "window_api_lan", field: "window_api.lan_listen", address: c.LANListen, book: book,
		open: func(ctx context.Context) (net.Listener, error) {
			var err error
			pair, err = loadCertificate(certFile, keyFile)
			if errors.Is(err, fs.ErrNotExist) && p.cfg.Enrols() {
				err = errNotKnown
			}
			if err != nil {
				return nil, err
			}
			return listenLAN(ctx, c.LANListen, p.log)
		},
		serve: func(ctx context.Context, l net.Listener) error {
			// A session that goes on where another one was would not look at the certificate, and outlive it.
			config := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get, SessionTicketsDisabled: true}
			return windowapi.Serve(ctx, l, config, p.handler, p.log)
		},
	}.run
}

// tokensPause is how often the list of tokens is looked at when no PC comes.
const tokensPause = 10 * time.Second

// watchTokens returns when the list of tokens cannot be read.
func (p *windowPCs) watchTokens(ctx context.Context, report func(error)) error {
	for {
		if err := p.tokens.Trouble(); err != nil {
			return err
		}
		report(nil)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(tokensPause):
		}
	}
}

// webhookNote is the name under which the store keeps the last event that the webhook took.
const webhookNote = "webhook"

// callWebhook posts what happens to the hall's server until ctx ends.
func (p *windowPCs) callWebhook(ctx context.Context, report func(error)) error {
	secret, err := webhookSecret(p.cfg.WindowAPI)
	if err != nil {
		return err
	}
	report(nil)
	hook := windowapi.Webhook{
		URL: p.cfg.WindowAPI.WebhookURL, Secret: secret, Journal: p.journal,
		// Whoever answers a webhook with a redirection would have its body sent elsewhere.
		Client:   &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		Position: func() string { return string(p.db.Note(webhookNote)) },
		Keep:     func(id string) error { return p.db.SetNote(webhookNote, []byte(id)) },
		Now:      p.now, Random: mathrand.Float64, Report: report, Logger: p.log,
	}
	return hook.Run(ctx)
}

// run serves until ctx ends.
func (p *windowPCs) run(ctx context.Context) error {
	// A log that cannot be read must not keep the window closed.
	if err := p.journal.Load(p.db); err != nil {
		p.log.Error("the visits of the time before this start cannot be read; their PCs learn nothing more of them", "error", err)
	}
	return together(ctx, p.parts...)
}

// webhookSecret returns the secret that signs what is posted, nil where nothing is.
func webhookSecret(c boxconfig.WindowAPI) (webhook.Secret, error) {
	if c.WebhookURL == "" {
		return nil, nil
	}
	b, err := keptfile.ReadSmall(c.WebhookSecretFile)
	if err != nil {
		return nil, fmt.Errorf("window_api.webhook_secret_file: %w", err)
	}
	secret, err := webhook.ParseSecret(string(b))
	if err != nil {
		return nil, fmt.Errorf("window_api.webhook_secret_file: %w", err)
	}
	return secret, nil
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
