package live

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"slices"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/web"
	"haochaping/internal/condition"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

//go:embed live.html live.css live.js
var files embed.FS

const (
	shown  = 50     // evaluations on the page
	looked = 500    // latest ones among which those are looked for that somebody may see
	listed = 5      // findings on the page; the command lists all
	boxes  = 200    // devices on the page
	step   = 500    // devices that are read at once
	few    = 6      // so many of them stand before the evaluations
	told   = 100    // findings in the JSON
	walked = 60_000 // devices among which those are looked for
)

// Device is a box as the page shows it.
type Device struct {
	ID     rating.DeviceID `json:"device"`
	Window rating.Window   `json:"window"`
	// Presence is what was heard of it last, as fleet.State.Says has it.
	Presence string `json:"presence,omitempty"`
	// What the box said of itself in its last health report, nil if it sent none, and when a batch of it was acknowledged last.
	HealthAt  *time.Time  `json:"health_at,omitempty"`
	AckedAt   *time.Time  `json:"acked_at,omitempty"`
	Pending   uint64      `json:"pending,omitempty"`    // records that wait for an acknowledgement
	OldestSec int64       `json:"oldest_sec,omitempty"` // age of the oldest of them, -1 if no clock tells
	Troubles  []string    `json:"troubles,omitempty"`   // codes, as docs/operations.md lists them
	TooLarge  *wire.Stuck `json:"too_large,omitempty"`  // the oldest record that the broker does not take
}

// Late reports whether records have waited for so long that somebody should look.
func (d Device) Late() bool { return d.Pending > 0 && (d.OldestSec > lateSec || d.OldestSec < 0) }

// sick reports whether somebody should look after the box.
func (d Device) sick() bool {
	ill := func(k condition.Kind) bool { return k.Level == condition.Ill }
	return d.Late() || d.TooLarge != nil || slices.ContainsFunc(d.Ails(), ill) || d.Presence == "refused" || d.Presence == "unenrolled"
}

// lateSec is how long a record may wait on a box that is online, in seconds.
const lateSec = 300

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
	What  string    // in Chinese, of a broker that lacks something; empty for the two
	Err   error
}

// Config holds what the pages need. Books, Fleet, Logger and Now are mandatory.
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
	// Place returns where a box stood with its window at a moment. Without it, what comes in lies nowhere but in the province.
	Place func(context.Context, rating.DeviceID, rating.Window, time.Time) account.Object
}

// Pages are the pages. Their methods are safe for concurrent use.
type Pages struct {
	cfg   Config
	live  chan struct{} // a place for each live connection
	turns web.Turns
}

// Section returns the pages' routes.
func Section(cfg Config) web.Section {
	p := &Pages{cfg: cfg, live: make(chan struct{}, maxLive)}
	if p.cfg.Reason == nil {
		p.cfg.Reason = func(code string) string { return code }
	}
	if p.cfg.Late == nil {
		p.cfg.Late = func() error { return nil }
	}
	if p.cfg.Trouble == nil {
		p.cfg.Trouble = func() Trouble { return Trouble{} }
	}
	if p.cfg.Place == nil {
		p.cfg.Place = func(context.Context, rating.DeviceID, rating.Window, time.Time) account.Object {
			return account.Object{}
		}
	}
	return web.Section{Name: "live", Files: files, Routes: []web.Route{
		{Method: "GET", Path: "/live", Action: account.SeeLive, Before: true, Nav: "实时列表", Do: p.index},
		{Method: "GET", Path: "/live/events", Action: account.SeeLive, Before: true, Do: p.stream},
		{Method: "GET", Path: "/api/latest", Action: account.SeeLive, Before: true, Do: p.latest},
		{Method: "GET", Path: "/healthz", Public: true, Do: p.health},
	}, Needs: p.needs}
}

// body is the page's changing part.
type body struct {
	Trouble  *troubleView
	Count    int64 // of open findings
	Open     []findingView
	More     int64 // open ones that are not listed
	Page     bool  // that lists all of them, for whoever is signed in
	Resolved int64
	// Above are the boxes before the evaluations: all where they are few, else those that need somebody. Below are the others.
	Above, Below boxList
	Rows         []rowView
}

// boxList is boxes side by side.
type boxList struct {
	Devices  []Device
	Whole    bool // no finding stands, which is said after the last box
	Resolved int64
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

// render returns the changing part as HTML, with boxes that were read.
func (p *Pages) render(c *web.Call, all []Device) (template.HTML, error) {
	v := body{Trouble: p.trouble()}
	entries, err := p.entries(c)
	if err != nil {
		return "", err
	}
	if err := p.findings(c, &v); err != nil {
		return "", err
	}
	v.lay(all)
	for _, e := range entries {
		v.Rows = append(v.Rows, p.row(e))
	}
	return c.Part("live/live", "body", v)
}

// lay divides the boxes, so that many do not push the evaluations off the screen.
func (v *body) lay(all []Device) {
	last := &v.Above
	if len(all) > few {
		last = &v.Below
	}
	for _, d := range all {
		if len(all) <= few || d.sick() {
			v.Above.Devices = append(v.Above.Devices, d)
		} else {
			v.Below.Devices = append(v.Below.Devices, d)
		}
	}
	if len(last.Devices) > 0 {
		last.Whole, last.Resolved = len(v.Open) == 0, v.Resolved
	}
}

// entries returns the latest evaluations that whoever asks may see. Texts are not among what a list shows: each look at one has a reason.
func (p *Pages) entries(c *web.Call) ([]books.Entry, error) {
	n := looked
	if c.May(account.SeeLive, account.Object{}) {
		n = shown // whoever sees what has no place sees all
	}
	all, err := p.cfg.Books.Latest(c.R.Context(), n)
	if err != nil {
		return nil, fmt.Errorf("read the latest evaluations: %w", err)
	}
	some := []books.Entry{}
	for _, e := range all {
		if len(some) < shown && c.May(account.SeeLive, p.lies(c, e)) {
			e.Text = ""
			some = append(some, e)
		}
	}
	return some, nil
}

// lies returns where an evaluation was given, as scope.Object does.
func (p *Pages) lies(c *web.Call, e books.Entry) account.Object {
	if post, ok := e.Post(); ok && post.Area != "" {
		return account.Object{Area: post.Area}
	}
	return p.cfg.Place(c.R.Context(), e.Device, e.Window, e.Moment())
}

// devices returns the boxes that whoever asks may see, by their names: of more than the page has room for those that need somebody, and the
// first of the others.
func (p *Pages) devices(c *web.Call) ([]Device, error) {
	var sick, well []Device
	for after, at := rating.DeviceID(""), 0; at < walked && len(sick) < boxes; at += step {
		states, err := p.cfg.Fleet.States(c.R.Context(), after, step)
		if err != nil {
			return nil, fmt.Errorf("read the boxes: %w", err)
		}
		for _, s := range states {
			after = s.ID
			if s.Retired || !c.May(account.SeeBoxes, p.cfg.Place(c.R.Context(), s.ID, s.Window, p.cfg.Now())) {
				continue
			}
			if d := device(s); d.sick() {
				sick = append(sick, d)
			} else if len(well) < boxes {
				well = append(well, d)
			}
		}
		if len(states) < step {
			break
		}
	}
	sick = sick[:min(len(sick), boxes)]
	all := append([]Device{}, sick...)
	all = append(all, well[:min(len(well), boxes-len(sick))]...)
	slices.SortFunc(all, func(a, b Device) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// device returns what is shown of a box.
func device(s fleet.State) Device {
	d := Device{ID: s.ID, Window: s.Window, Presence: s.Says()}
	if !s.AckedAt.IsZero() {
		d.AckedAt = &s.AckedAt
	}
	if h := s.Health; h != nil {
		d.HealthAt, d.Pending, d.OldestSec, d.Troubles, d.TooLarge = &s.HealthAt, h.Pending, h.OldestSec, h.Troubles, h.Stuck
	}
	return d
}

// open returns findings that whoever asks may see.
func (p *Pages) open(c *web.Call, f books.Filter) (some []books.Finding, err error) {
	all, err := p.cfg.Books.Findings(c.R.Context(), f)
	if err != nil {
		return nil, fmt.Errorf("read the findings: %w", err)
	}
	for _, x := range all {
		var o account.Object
		if d, err := p.cfg.Fleet.Known(c.R.Context(), x.Device); err == nil { // else the box is no longer enrolled
			o = p.cfg.Place(c.R.Context(), d.ID, d.Window, p.cfg.Now())
		}
		if c.May(account.SeeFindings, o) {
			some = append(some, x)
		}
	}
	return some, nil
}

// findings fills in the findings.
func (p *Pages) findings(c *web.Call, v *body) error {
	everything := c.May(account.SeeFindings, account.Object{})
	filter := books.Filter{Open: true, Limit: looked}
	if everything {
		filter.Limit = listed
	}
	some, err := p.open(c, filter)
	if err != nil {
		return err
	}
	v.Count = int64(len(some))
	if everything {
		if v.Count, v.Resolved, err = p.cfg.Books.FindingCounts(c.R.Context()); err != nil {
			return fmt.Errorf("count the findings: %w", err)
		}
	}
	some = some[:min(listed, len(some))]
	v.More, v.Page = max(0, v.Count-int64(len(some))), !c.Everybody
	for _, f := range some {
		kind, advice := f.Kind.Chinese()
		view := findingView{Finding: f, Kind: kind, Advice: advice, When: f.Found.In(web.Zone()).Format("01-02 15:04")}
		if d, err := p.cfg.Fleet.Known(c.R.Context(), f.Device); err == nil { // else the box is no longer enrolled
			view.Window = d.Window
		}
		v.Open = append(v.Open, view)
	}
	return nil
}

// needs returns why nothing is taken at present. Boxes and findings have pages of their own.
func (p *Pages) needs(c *web.Call) (all []web.Need, err error) {
	if !c.Ever(account.SeeLive) {
		return nil, nil
	}
	if t := p.trouble(); t != nil {
		all = append(all, web.Need{Words: "中心暂时收不进记录：" + t.What, Path: "/live", Grave: true})
	}
	return all, nil
}

// trouble returns the words for why nothing is taken at present, nil if it is.
func (p *Pages) trouble() *troubleView {
	t := p.cfg.Trouble()
	if t.Since.IsZero() {
		return nil
	}
	v := &troubleView{What: "与消息代理的连接中断，正在重试。", When: t.Since.In(web.Zone()).Format("01-02 15:04:05")}
	if t.What != "" {
		v.What = t.What + "。"
	}
	if t.Books {
		v.What = "账本写不进去，正在重试。请检查磁盘空间、账本文件和是否有别的程序占用它。"
	}
	if t.Err != nil {
		v.Err = t.Err.Error()
	}
	return v
}

func (p *Pages) row(e books.Entry) rowView {
	at := e.At.In(web.Zone())
	row := rowView{Entry: e, Day: at.Format("2006-01-02"), Clock: at.Format("15:04:05"),
		Subject: e.Subject.Chinese(), Level: e.Level.Chinese(), Channel: e.Channel.Chinese(), Opener: openerWords(e.Opener)}
	if e.Quality == rating.TimeEstimated {
		row.Bounds = since(e.Earliest.In(web.Zone()), e.Latest.In(web.Zone()))
	}
	if received := e.ReceivedAt.In(web.Zone()); e.ReceivedAt.Sub(e.At) > time.Minute {
		row.Late = received.Format("01-02 15:04:05")
	}
	row.Status, row.StatusKind = statusWords(string(e.Status))
	for _, code := range e.Reasons {
		row.Reasons = append(row.Reasons, p.cfg.Reason(code))
	}
	return row
}

// view is what the page shows.
type view struct {
	Body  template.HTML // the changing part, rendered by the same templates
	Shown int
}

func (p *Pages) index(c *web.Call) error {
	all, err := p.devices(c)
	if err != nil {
		return err
	}
	part, err := p.render(c, all)
	if err != nil {
		return err
	}
	return c.Show("live/live", view{part, shown})
}
