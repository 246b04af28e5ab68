package web

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/fleet"
	"haochaping/internal/rating"
)

//go:embed page.html
var pages embed.FS

//go:embed style.css live.js
var assets embed.FS

const (
	shown  = 50  // evaluations on the page
	listed = 5   // findings on the page; the command lists all
	boxes  = 200 // devices on the page
	told   = 100 // findings in the JSON
)

// Device is a box as the page shows it.
type Device struct {
	ID     rating.DeviceID `json:"device"`
	Window rating.Window   `json:"window"`
	// Presence is what was heard of it last, as fleet.State.Says has it.
	Presence string `json:"presence,omitempty"`
}

// Books is what the page needs of the books. Its methods are called from many goroutines at once.
type Books interface {
	// Latest returns the last n entries, newest first.
	Latest(ctx context.Context, n int) ([]books.Entry, error)
	Findings(context.Context, books.Filter) ([]books.Finding, error)
	FindingCounts(context.Context) (open, resolved int64, err error)
	// Subscribe returns a channel that gets a value after a change of the books, and a function that ends this.
	Subscribe() (<-chan struct{}, func())
}

// Fleet is what the page needs to know of the boxes.
type Fleet interface {
	Known(context.Context, rating.DeviceID) (fleet.Device, error)
	States(ctx context.Context, after rating.DeviceID, n int) ([]fleet.State, error)
}

// Trouble is why the centre takes no records at present.
type Trouble struct {
	Since time.Time // zero: it takes them
	Books bool      // the books cannot be written; else the broker cannot be reached
	Err   error
}

// Config holds what a Page needs. Books, Fleet, Logger and Now are mandatory.
type Config struct {
	Books  Books
	Fleet  Fleet
	Logger *slog.Logger
	Now    func() time.Time
	// Reason returns the words of a reason's code. Without it, codes are shown.
	Reason func(code string) string
	// Trouble returns why nothing is taken at present. Without it, nothing is said.
	Trouble func() Trouble
	// Late returns why what is shown is old, nil if it is not. Without it, nothing is said.
	Late func() error
	// Hosts are names by which the page may be asked for, besides localhost and IP addresses.
	Hosts []string
	// FrameAncestors are the origins that may show the page in a frame.
	FrameAncestors []string
}

// Page is the centre's page, an http.Handler that is safe for concurrent use.
type Page struct {
	cfg  Config
	mux  *http.ServeMux
	tmpl *template.Template
	csp  string
	zone *time.Location
	live chan struct{} // a place for each live connection
}

// New returns the page.
func New(cfg Config) (*Page, error) {
	// China has one zone and no summer time, so the page needs no zone database.
	p := &Page{cfg: cfg, mux: http.NewServeMux(), zone: time.FixedZone("Asia/Shanghai", 8*60*60), live: make(chan struct{}, maxLive)}
	if p.cfg.Reason == nil {
		p.cfg.Reason = func(code string) string { return code }
	}
	if p.cfg.Late == nil {
		p.cfg.Late = func() error { return nil }
	}
	if p.cfg.Trouble == nil {
		p.cfg.Trouble = func() Trouble { return Trouble{} }
	}
	var err error
	if p.tmpl, err = template.ParseFS(pages, "page.html"); err != nil {
		return nil, fmt.Errorf("centre's page: %w", err)
	}
	frames := "'none'"
	if len(cfg.FrameAncestors) > 0 {
		frames = strings.Join(cfg.FrameAncestors, " ")
	}
	p.csp = "default-src 'none'; img-src data:; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors " + frames
	p.mux.HandleFunc("GET /{$}", p.index)
	p.mux.HandleFunc("GET /live", p.stream)
	p.mux.HandleFunc("GET /api/latest", p.latest)
	p.mux.HandleFunc("GET /healthz", p.health)
	files := http.FileServerFS(assets)
	p.mux.Handle("GET /style.css", files)
	p.mux.Handle("GET /live.js", files)
	return p, nil
}

// ServeHTTP answers one request.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", p.csp)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	if !p.hostAllowed(r.Host) {
		http.Error(w, "This page is not served under this host name. Ask for it by its address, or add the name to admin.hosts.",
			http.StatusMisdirectedRequest)
		return
	}
	p.mux.ServeHTTP(w, r)
}

func (p *Page) hostAllowed(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	return host == "localhost" || net.ParseIP(host) != nil || slices.Contains(p.cfg.Hosts, strings.ToLower(host))
}

// view is what the page shows.
type view struct {
	Body  template.HTML // the changing part, rendered by the same templates
	Shown int
}

// body is the page's changing part.
type body struct {
	Trouble  *troubleView
	Count    int64 // of open findings
	Open     []findingView
	More     int64 // open ones that are not listed
	Resolved int64
	Devices  []Device
	Rows     []rowView
}

type troubleView struct {
	What, When, Err string
}

type findingView struct {
	books.Finding
	Window rating.Window
	Kind   string
	Advice string
	When   string
}

// rowView is an Entry in words.
type rowView struct {
	books.Entry
	Day, Clock string
	Bounds     string // of the time, if that is only estimated
	Late       string // when it was received, if that is much later
	Subject    string
	Level      string
	Channel    string
	Opener     string // empty for the usual one
	Status     string
	StatusKind string
	Reasons    []string
}

// render returns the changing part as HTML.
func (p *Page) render(ctx context.Context) (template.HTML, error) {
	entries, err := p.cfg.Books.Latest(ctx, shown)
	if err != nil {
		return "", fmt.Errorf("read the latest evaluations: %w", err)
	}
	v := body{Trouble: p.trouble()}
	if v.Devices, err = p.devices(ctx); err != nil {
		return "", err
	}
	if err := p.findings(ctx, &v); err != nil {
		return "", err
	}
	for _, e := range entries {
		v.Rows = append(v.Rows, p.row(e))
	}
	var b bytes.Buffer
	if err := p.tmpl.ExecuteTemplate(&b, "body", v); err != nil {
		return "", fmt.Errorf("render: %w", err)
	}
	return template.HTML(b.String()), nil
}

// devices returns the first of the boxes.
func (p *Page) devices(ctx context.Context) ([]Device, error) {
	states, err := p.cfg.Fleet.States(ctx, "", boxes)
	if err != nil {
		return nil, fmt.Errorf("read the boxes: %w", err)
	}
	all := []Device{}
	for _, s := range states {
		all = append(all, Device{s.ID, s.Window, s.Says()})
	}
	return all, nil
}

// findings fills in the findings.
func (p *Page) findings(ctx context.Context, v *body) error {
	some, err := p.cfg.Books.Findings(ctx, books.Filter{Open: true, Limit: listed})
	if err == nil {
		v.Count, v.Resolved, err = p.cfg.Books.FindingCounts(ctx)
	}
	if err != nil {
		return fmt.Errorf("read the findings: %w", err)
	}
	v.More = max(0, v.Count-int64(len(some)))
	for _, f := range some {
		kind, advice := kindWords(string(f.Kind))
		view := findingView{Finding: f, Kind: kind, Advice: advice, When: f.Found.In(p.zone).Format("01-02 15:04")}
		if d, err := p.cfg.Fleet.Known(ctx, f.Device); err == nil { // else the box is no longer enrolled
			view.Window = d.Window
		}
		v.Open = append(v.Open, view)
	}
	return nil
}

// trouble returns the words for why nothing is taken at present, nil if it is.
func (p *Page) trouble() *troubleView {
	t := p.cfg.Trouble()
	if t.Since.IsZero() {
		return nil
	}
	v := &troubleView{What: "与消息代理的连接中断，正在重试。", When: t.Since.In(p.zone).Format("01-02 15:04:05")}
	if t.Books {
		v.What = "账本写不进去，正在重试。请检查磁盘空间、账本文件和是否有别的程序占用它。"
	}
	if t.Err != nil {
		v.Err = t.Err.Error()
	}
	return v
}

func (p *Page) row(e books.Entry) rowView {
	at := e.At.In(p.zone)
	row := rowView{Entry: e, Day: at.Format("2006-01-02"), Clock: at.Format("15:04:05"),
		Subject: e.Subject.Chinese(), Level: e.Level.Chinese(), Channel: channelWords(e.Channel), Opener: openerWords(e.Opener)}
	if e.Quality == rating.TimeEstimated {
		row.Bounds = fmt.Sprintf("%s 至 %s 之间", e.Earliest.In(p.zone).Format("2006-01-02 15:04"), e.Latest.In(p.zone).Format("2006-01-02 15:04"))
	}
	if received := e.ReceivedAt.In(p.zone); e.ReceivedAt.Sub(e.At) > time.Minute {
		row.Late = received.Format("01-02 15:04:05")
	}
	row.Status, row.StatusKind = statusWords(string(e.Status))
	for _, code := range e.Reasons {
		row.Reasons = append(row.Reasons, p.cfg.Reason(code))
	}
	return row
}

func (p *Page) index(w http.ResponseWriter, r *http.Request) {
	part, err := p.render(r.Context())
	var b bytes.Buffer
	if err == nil {
		err = p.tmpl.ExecuteTemplate(&b, "page", view{part, shown})
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// A failing write means that the reader is gone.
	_, _ = w.Write(b.Bytes())
}

// latest is the JSON of what the page shows.
func (p *Page) latest(w http.ResponseWriter, r *http.Request) {
	entries, err := p.cfg.Books.Latest(r.Context(), shown)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	findings, err := p.cfg.Books.Findings(r.Context(), books.Filter{Limit: told})
	if err != nil {
		p.fail(w, r, err)
		return
	}
	devices, err := p.devices(r.Context())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	out, err := json.MarshalIndent(struct {
		Entries  []books.Entry   `json:"entries"`
		Findings []books.Finding `json:"findings"`
		Devices  []Device        `json:"devices"`
	}{orEmpty(entries), orEmpty(findings), devices}, "", " ")
	if err != nil {
		p.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(out, '\n'))
}

// orEmpty makes JSON's null an empty list.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func (p *Page) health(w http.ResponseWriter, r *http.Request) {
	if _, err := p.cfg.Books.Latest(r.Context(), 1); err != nil {
		p.fail(w, r, err)
		return
	}
	if t := p.cfg.Trouble(); !t.Since.IsZero() {
		http.Error(w, fmt.Sprintf("nothing is taken since %s: %v", t.Since.UTC().Format(time.RFC3339), t.Err), http.StatusServiceUnavailable)
		return
	}
	if err := p.cfg.Late(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

func (p *Page) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		p.cfg.Logger.Error("centre's page", "path", r.URL.Path, "err", err)
	}
	http.Error(w, "账本暂时不可读，请稍后刷新。 The books cannot be read at the moment; reload in a while.", http.StatusServiceUnavailable)
}
