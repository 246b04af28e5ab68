package openpage

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"haochaping/internal/central/dossier"
	"haochaping/internal/central/pdf"
	"haochaping/internal/central/report"
)

//go:embed *.html style.css
var files embed.FS

// Config holds what the page needs. All fields are mandatory.
type Config struct {
	Dossiers *dossier.Dossiers
	Logger   *slog.Logger
	Now      func() time.Time
}

// Page is an http.Handler for what lies under /published, safe for concurrent use.
type Page struct {
	cfg  Config
	mux  *http.ServeMux
	tmpl *template.Template

	mu   sync.Mutex
	kept map[string]answer // guarded by mu; by path, for a while: whoever asks often does not ask the database
}

// answer is an answer that was given.
type answer struct {
	kind, name string // of a file that is downloaded, empty: it is shown
	body       []byte
	until      time.Time
}

// fresh is how long an answer is given again. What is published is seen after that.
const fresh = time.Minute

// New returns the page.
func New(cfg Config) (*Page, error) {
	tmpl, err := template.New("").ParseFS(files, "*.html")
	if err != nil {
		return nil, fmt.Errorf("the open page: %w", err)
	}
	p := &Page{cfg: cfg, mux: http.NewServeMux(), tmpl: tmpl, kept: make(map[string]answer)}
	p.mux.HandleFunc("GET /published", p.serve(p.list))
	p.mux.HandleFunc("GET /published/{id}", p.serve(p.one))
	p.mux.HandleFunc("GET /published/{id}/data.csv", p.serve(p.csv))
	p.mux.HandleFunc("GET /published/{id}/data.json", p.serve(p.json))
	p.mux.HandleFunc("GET /published/{id}/data.pdf", p.serve(p.pdf))
	p.mux.HandleFunc("GET /published/style.css", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "style.css") })
	return p, nil
}

// ServeHTTP answers one request.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy",
		"default-src 'none'; img-src data:; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "public, max-age=60")
	p.mux.ServeHTTP(w, r)
}

// serve answers by what make returns, or by what it has returned a moment ago.
func (p *Page) serve(make func(*http.Request) (answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		a, ok := p.kept[r.URL.Path]
		p.mu.Unlock()
		if now := p.cfg.Now(); !ok || !now.Before(a.until) {
			var err error
			if a, err = make(r); err != nil {
				p.fail(w, err)
				return
			}
			a.until = now.Add(fresh)
			p.mu.Lock()
			p.kept[r.URL.Path] = a // as many as there are results: what is not there is not kept
			p.mu.Unlock()
		}
		w.Header().Set("Content-Type", a.kind)
		if a.name != "" {
			w.Header().Set("Content-Disposition", `attachment; filename="`+a.name+`"`)
		}
		_, _ = w.Write(a.body) // a failing write means that the reader is gone
	}
}

func (p *Page) fail(w http.ResponseWriter, err error) {
	w.Header().Set("Cache-Control", "no-store")
	if errors.Is(err, dossier.ErrNone) {
		http.Error(w, "没有这份已发布的结果。There is no such result.", http.StatusNotFound)
		return
	}
	p.cfg.Logger.Error("what was published cannot be shown", "error", err)
	http.Error(w, "暂时无法显示，请稍后再试。It cannot be shown at present.", http.StatusServiceUnavailable)
}

// released is a result that was published.
type released struct {
	report.Release
	ID        int64
	Title     string
	Text      string // the office's words
	Day       string // on which it was published
	Instead   int64  // the version that has taken its place, 0: none
	InsteadOf int64  // the version whose place it has taken
}

// all returns what was published, the newest first, without numbers.
func (p *Page) all(ctx context.Context) (all []released, err error) {
	some, err := p.cfg.Dossiers.Begun(ctx, dossier.Publication, "")
	if err != nil {
		return nil, err
	}
	last := make(map[string]int)
	for _, k := range some {
		if k.State != dossier.Published {
			continue
		}
		x := released{ID: k.ID, Title: k.Title, Text: k.Draft, Day: day(k.Since)}
		if x.Area, x.Days, x.Version, err = report.ParseKey(k.Name); err != nil {
			return nil, fmt.Errorf("dossier %d: %w", k.ID, err)
		}
		of := x.Area + x.Days.String()
		if i, ok := last[of]; ok {
			all[i].Instead, x.InsteadOf = k.ID, all[i].ID
		}
		last[of] = len(all)
		all = append(all, x)
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all, nil
}

func day(ms int64) string {
	return time.UnixMilli(ms).In(time.FixedZone("Asia/Shanghai", 8*60*60)).Format(time.DateOnly)
}

// released returns the result that an address names, or dossier.ErrNone.
func (p *Page) released(r *http.Request) (released, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || strconv.FormatInt(id, 10) != r.PathValue("id") {
		return released{}, dossier.ErrNone
	}
	k, err := p.cfg.Dossiers.Dossier(r.Context(), id)
	if err == nil && (k.Kind != dossier.Publication || k.State != dossier.Published) {
		err = dossier.ErrNone
	}
	if err != nil {
		return released{}, err // without a look at the others: anybody may ask for what is not there
	}
	all, err := p.all(r.Context())
	for _, x := range all {
		if x.ID == id {
			x.Release, err = report.ReleaseOf(k)
			return x, err
		}
	}
	return released{}, err
}

func (p *Page) html(name string, data any) (answer, error) {
	var b bytes.Buffer
	if err := p.tmpl.ExecuteTemplate(&b, name, data); err != nil {
		return answer{}, err
	}
	return answer{kind: "text/html; charset=utf-8", body: b.Bytes()}, nil
}

func (p *Page) list(r *http.Request) (answer, error) {
	all, err := p.all(r.Context())
	if err != nil {
		return answer{}, err
	}
	return p.html("list.html", all)
}

// shown is what the page of a result shows.
type shown struct {
	released
	Heads       []string
	Rows        []report.Line
	Bars        []report.Bar
	Definitions []report.Figure
	Least       int
}

func (p *Page) one(r *http.Request) (answer, error) {
	x, err := p.released(r)
	if err != nil {
		return answer{}, err
	}
	return p.html("one.html", shown{x, report.Yearly{}.Heads(), x.Lines(), x.Whole.Bars(), report.Yearly{}.Definitions(),
		report.LeastPublished})
}

func (p *Page) csv(r *http.Request) (answer, error) {
	x, err := p.released(r)
	if err != nil {
		return answer{}, err
	}
	var b bytes.Buffer
	err = report.WriteCSV(&b, x.Lines())
	return answer{kind: "text/csv; charset=utf-8", name: fmt.Sprintf("haochaping-%d.csv", x.ID), body: b.Bytes()}, err
}

// pdf returns the result on paper.
func (p *Page) pdf(r *http.Request) (answer, error) {
	x, err := p.released(r)
	if err != nil {
		return answer{}, err
	}
	f := &pdf.Flow{}
	f.Title(x.Title)
	f.Lines(0, x.Day+" 发布。按《甘肃省政务服务好差评管理办法（试行）》第十九条发布。不含任何个人信息；小于 "+strconv.Itoa(report.LeastPublished)+
		" 的数以及可由其他数推得它们的数以 * 代替，不公布。")
	if x.Text != "" {
		f.Lines(0, x.Text)
	}
	var rows [][]string
	for _, l := range x.Lines() {
		rows = append(rows, append([]string{strings.Repeat("　", l.Depth) + l.Name}, l.Cells...))
	}
	f.Table(append([]string{"地区、大厅"}, report.Yearly{}.Heads()...), 42, rows)
	f.Head("说明")
	for _, d := range (report.Yearly{}).Definitions() {
		f.Lines(0, d.Chinese+"："+d.Means+"（"+d.Source+"）")
	}
	return answer{kind: "application/pdf", name: fmt.Sprintf("haochaping-%d.pdf", x.ID), body: f.Bytes()}, nil
}

// told is a result as programs read it.
type told struct {
	ID        int64       `json:"id"`
	Title     string      `json:"title"`
	Area      string      `json:"area"`
	From      string      `json:"from"`
	To        string      `json:"to"` // the last day
	Version   int         `json:"version"`
	Published string      `json:"published"`
	Instead   int64       `json:"instead,omitempty"`    // id of the version that has taken its place
	InsteadOf int64       `json:"instead_of,omitempty"` // id of the version whose place it has taken
	Text      string      `json:"text,omitempty"`
	Least     int         `json:"least"` // smaller numbers are withheld: null
	Parts     []toldParts `json:"parts"`
}

type toldParts struct {
	Depth  int       `json:"depth"` // 0: the whole, each part follows what it is in
	Name   string    `json:"name"`
	Total  *int64    `json:"total"`
	Levels *[6]int64 `json:"levels"` // from 非常满意 on, and what silence has become
}

func (p *Page) json(r *http.Request) (answer, error) {
	x, err := p.released(r)
	if err != nil {
		return answer{}, err
	}
	out := told{ID: x.ID, Title: x.Title, Area: x.Area, From: x.Days.From.String(), To: (x.Days.To - 1).String(), Version: x.Version,
		Published: x.Day, Instead: x.Instead, InsteadOf: x.InsteadOf, Text: x.Text, Least: report.LeastPublished}
	for _, l := range x.Lines() {
		out.Parts = append(out.Parts, toldParts{l.Depth, l.Name, l.Total, l.Levels})
	}
	b, err := json.MarshalIndent(out, "", " ")
	return answer{kind: "application/json", name: fmt.Sprintf("haochaping-%d.json", x.ID), body: append(b, '\n')}, err
}
