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

	"haochaping/internal/rating"
)

//go:embed page.html
var pages embed.FS

//go:embed style.css live.js
var assets embed.FS

const (
	shown  = 50 // evaluations on the page
	listed = 5  // findings on the page; the command lists all
)

// Entry is one evaluation in the books.
type Entry struct {
	Cursor     int64           `json:"cursor"` // grows with each entry
	Device     rating.DeviceID `json:"device"`
	Epoch      string          `json:"epoch,omitempty"` // empty for one that came by phone
	Seq        uint64          `json:"seq,omitempty"`   // 0 for one that came by phone
	Visit      rating.VisitID  `json:"visit"`
	Window     rating.Window   `json:"window"`
	Staff      rating.Staff    `json:"staff,omitzero"`
	Matter     string          `json:"matter,omitempty"`
	Subject    rating.Subject  `json:"subject"`
	Level      rating.Level    `json:"level"`
	Channel    rating.Channel  `json:"channel"`
	Opener     rating.Opener   `json:"opener,omitempty"` // empty while the visit's record has not arrived
	Reasons    []string        `json:"reasons,omitempty"`
	Text       string          `json:"text,omitempty"`
	At         time.Time       `json:"at"`
	Quality    rating.Quality  `json:"quality"` // how well At is known
	Earliest   time.Time       `json:"earliest"`
	Latest     time.Time       `json:"latest"`
	ReceivedAt time.Time       `json:"received_at"`
	Status     string          `json:"status"` // counted, replaced or later
}

// Finding is something wrong with a box's log.
type Finding struct {
	Device   rating.DeviceID `json:"device"`
	Epoch    string          `json:"epoch"`
	From     uint64          `json:"from"`
	To       uint64          `json:"to"`
	Kind     string          `json:"kind"`
	Detail   string          `json:"detail"`
	Found    time.Time       `json:"found_at"`
	Resolved time.Time       `json:"resolved_at,omitzero"`
}

// Device is an enrolled box.
type Device struct {
	ID     rating.DeviceID `json:"device"`
	Window rating.Window   `json:"window"`
	// Presence is what the box or the broker said last: online, offline, or empty if nothing was heard; unenrolled for a
	// box that nobody has enrolled, refused for one whose last batch was not believed.
	Presence string `json:"presence,omitempty"`
}

// Books is what the page needs of the ledger. Its methods are called from many goroutines at once.
type Books interface {
	// Latest returns the last n entries, newest first.
	Latest(ctx context.Context, n int) ([]Entry, error)
	// State returns the findings and the boxes.
	State(context.Context) ([]Finding, []Device, error)
	// Subscribe returns a channel that gets a value after a change of the books, and a function that ends this.
	Subscribe() (<-chan struct{}, func())
}

// Trouble is why the centre takes no records at present.
type Trouble struct {
	Since time.Time // zero: it takes them
	Books bool      // the books cannot be written; else the broker cannot be reached
	Err   error
}

// Config holds what a Page needs. Books, Logger and Now are mandatory.
type Config struct {
	Books  Books
	Logger *slog.Logger
	Now    func() time.Time
	// Reason returns the words of a reason's code. Without it, codes are shown.
	Reason func(code string) string
	// Trouble returns why nothing is taken at present. Without it, nothing is said.
	Trouble func() Trouble
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
	Count    int // of open findings
	Open     []findingView
	More     int // open ones that are not listed
	Resolved int
	Devices  []Device
	Rows     []rowView
}

type troubleView struct {
	What, When, Err string
}

type findingView struct {
	Finding
	Window rating.Window
	Kind   string
	Advice string
	When   string
}

// rowView is an Entry in words.
type rowView struct {
	Entry
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
	findings, devices, err := p.cfg.Books.State(ctx)
	if err != nil {
		return "", fmt.Errorf("read the findings: %w", err)
	}
	v := body{Devices: devices, Trouble: p.trouble()}
	windows := make(map[rating.DeviceID]rating.Window)
	for _, d := range devices {
		windows[d.ID] = d.Window
	}
	for _, f := range findings {
		if !f.Resolved.IsZero() {
			v.Resolved++
			continue
		}
		v.Count++
		if len(v.Open) == listed {
			v.More++
			continue
		}
		kind, advice := kindWords(f.Kind)
		v.Open = append(v.Open, findingView{f, windows[f.Device], kind, advice, f.Found.In(p.zone).Format("01-02 15:04")})
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

func (p *Page) row(e Entry) rowView {
	at := e.At.In(p.zone)
	row := rowView{Entry: e, Day: at.Format("2006-01-02"), Clock: at.Format("15:04:05"),
		Subject: e.Subject.Chinese(), Level: e.Level.Chinese(), Channel: channelWords(e.Channel), Opener: openerWords(e.Opener)}
	if e.Quality == rating.TimeEstimated {
		row.Bounds = fmt.Sprintf("%s 至 %s 之间", e.Earliest.In(p.zone).Format("2006-01-02 15:04"), e.Latest.In(p.zone).Format("2006-01-02 15:04"))
	}
	if received := e.ReceivedAt.In(p.zone); e.ReceivedAt.Sub(e.At) > time.Minute {
		row.Late = received.Format("01-02 15:04:05")
	}
	row.Status, row.StatusKind = statusWords(e.Status)
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
	findings, devices, err := p.cfg.Books.State(r.Context())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	out, err := json.MarshalIndent(struct {
		Entries  []Entry   `json:"entries"`
		Findings []Finding `json:"findings"`
		Devices  []Device  `json:"devices"`
	}{orEmpty(entries), orEmpty(findings), orEmpty(devices)}, "", " ")
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
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

func (p *Page) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		p.cfg.Logger.Error("centre's page", "path", r.URL.Path, "err", err)
	}
	http.Error(w, "账本暂时不可读，请稍后刷新。 The books cannot be read at the moment; reload in a while.", http.StatusServiceUnavailable)
}
