package ratepage

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"haochaping/internal/rating"
	"haochaping/qrcode"
)

// ErrNoDevice is what Books.Device returns, possibly wrapped, for a device that is not enrolled.
var ErrNoDevice = errors.New("no such device")

// Device is what the page must know of a box.
type Device struct {
	Key    ed25519.PublicKey // with which the box signs its links
	Window rating.Window     // which the box serves now
}

// Submission is one filled-in form.
type Submission struct {
	Device      rating.DeviceID
	Visit       rating.VisitID
	Evaluations []rating.Evaluation
	// ID is the same when the same form with the same answers is sent again, 32 hexadecimal digits.
	ID string
	At time.Time
}

// Result says what became of one evaluation of a submission.
type Result struct {
	Question rating.Question
	Counted  bool // false: an earlier one counts, this one is kept beside it
}

// Books is what the page needs of the centre's ledger. Its methods are called from many goroutines at once.
type Books interface {
	// Device returns ErrNoDevice for a device that is not enrolled.
	Device(context.Context, rating.DeviceID) (Device, error)
	// Visit returns an empty Visit for one of which nothing has arrived.
	Visit(context.Context, rating.DeviceID, rating.VisitID) (Visit, error)
	// Rate commits the evaluations. The same submission again has the same results and adds nothing.
	Rate(context.Context, Submission) ([]Result, error)
}

// Config holds what a Page needs. Every field but FrameAncestors is mandatory.
type Config struct {
	Books Books
	// Notify tells the box that a question was answered by phone, so that it stops asking. It is called after the commit and
	// must not wait for the network: the citizen waits for it.
	Notify  func(context.Context, rating.DeviceID, rating.VisitID, rating.Question) error
	Reasons rating.Catalogue
	Logger  *slog.Logger
	Now     func() time.Time // the centre's clock
	Random  io.Reader        // usually crypto/rand.Reader
	// FrameAncestors are the origins that may show the page in a frame, as "http://127.0.0.1:8400". Usually none.
	FrameAncestors []string
}

// Page is the rating page, an http.Handler that is safe for concurrent use.
type Page struct {
	cfg  Config
	mux  *http.ServeMux
	tmpl templates
	csp  string
	lim  limit
}

// New returns the page.
func New(cfg Config) (*Page, error) {
	tmpl, err := parseTemplates()
	if err != nil {
		return nil, fmt.Errorf("rating page: %w", err)
	}
	p := &Page{cfg: cfg, mux: http.NewServeMux(), tmpl: tmpl, csp: tmpl.policy(cfg.FrameAncestors),
		lim: limit{counts: make(map[visitKey]count)}}
	for _, root := range []string{"/R/", "/r/"} {
		p.mux.HandleFunc("GET "+root+"{token}", p.show)
		p.mux.HandleFunc("POST "+root+"{token}", p.submit)
		p.mux.HandleFunc("GET "+root+"{token}/thanks", p.thanks)
		p.mux.HandleFunc("GET "+root+"{token}/kept", p.thanks)
	}
	p.mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { p.say(w, noLink) })
	return p, nil
}

// ServeHTTP answers one request.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", p.csp)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	p.mux.ServeHTTP(w, r)
}

// link is a link whose signature is good, with what the books know about it.
type link struct {
	token  string // in capitals
	claim  qrcode.Claim
	device Device
	visit  Visit
}

// path returns the canonical path of the link's pages.
func (l link) path(rest string) string { return qrcode.Path + l.token + rest }

// find reads the request's link. If it returns false it has answered.
func (p *Page) find(w http.ResponseWriter, r *http.Request) (link, bool) {
	raw := r.PathValue("token")
	token, err := qrcode.ParseToken(raw)
	if err != nil {
		p.say(w, damaged)
		return link{}, false
	}
	l := link{token: strings.ToUpper(raw)}
	l.device, err = p.cfg.Books.Device(r.Context(), token.Claim.Device)
	switch {
	case errors.Is(err, ErrNoDevice):
		p.say(w, unknownDevice)
		return link{}, false
	case err != nil:
		p.fail(w, r, "look up the device", token.Claim, err)
		return link{}, false
	}
	if l.claim, err = token.Verify(l.device.Key); err != nil {
		p.say(w, forged)
		return link{}, false
	}
	if l.visit, err = p.cfg.Books.Visit(r.Context(), l.claim.Device, l.claim.Visit); err != nil {
		p.fail(w, r, "look up the visit", l.claim, err)
		return link{}, false
	}
	return l, true
}

// todo returns the questions that the link can still be used for. If it returns false it has answered.
func (p *Page) todo(w http.ResponseWriter, l link) ([]question, bool) {
	state, todo := stand(l.claim, l.visit, p.cfg.Now())
	switch state {
	case used:
		p.say(w, alreadyRated)
		return nil, false
	case expired:
		p.say(w, tooLate)
		return nil, false
	}
	return todo, true
}

func (p *Page) show(w http.ResponseWriter, r *http.Request) {
	l, ok := p.find(w, r)
	if !ok {
		return
	}
	todo, ok := p.todo(w, l)
	if !ok {
		return
	}
	f, err := newForm(p.cfg.Random)
	if err != nil {
		p.fail(w, r, "show the form", l.claim, err)
		return
	}
	p.ask(w, http.StatusOK, l, todo, f, nil)
}

func (p *Page) submit(w http.ResponseWriter, r *http.Request) {
	if !sameSite(r) {
		p.say(w, elsewhere)
		return
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		p.say(w, notOurForm)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		p.say(w, notOurForm)
		return
	}
	l, ok := p.find(w, r)
	if !ok {
		return
	}
	questions := accepted(l.claim, l.visit.Visit)
	f, err := readForm(r.PostForm, questions, p.cfg.Reasons)
	if errors.Is(err, errForm) {
		p.say(w, notOurForm)
		return
	}
	formErr := err
	state, _ := stand(l.claim, l.visit, p.cfg.Now())
	switch {
	case state == expired:
		p.say(w, tooLate)
		return
	case formErr != nil && state == used:
		p.say(w, alreadyRated)
		return
	case formErr != nil:
		p.ask(w, http.StatusUnprocessableEntity, l, l.visit.open(f.again(l.claim, l.visit.Visit)), f, formErr)
		return
	}
	if !p.lim.allow(visitKey{l.claim.Device, l.claim.Visit}, p.cfg.Now()) {
		p.say(w, tooMany)
		return
	}
	// What was rated meanwhile is submitted all the same: the books tell a repetition of this submission from a
	// second opinion, and keep the latter beside the first.
	sub := Submission{Device: l.claim.Device, Visit: l.claim.Visit, At: p.cfg.Now(),
		Evaluations: f.evaluations(l.claim.Visit, questions, p.cfg.Reasons)}
	var results []Result
	if sub.ID, err = f.id(sub.Device, sub.Visit, sub.Evaluations); err == nil {
		results, err = p.cfg.Books.Rate(r.Context(), sub)
	}
	if err != nil {
		p.log(r, "store the evaluation", l.claim, err)
		p.ask(w, http.StatusServiceUnavailable, l, f.again(l.claim, l.visit.Visit), f, errNotStored)
		return
	}
	rest := "/thanks"
	for _, res := range results {
		if !res.Counted {
			rest = "/kept"
			continue
		}
		if err := p.cfg.Notify(r.Context(), l.claim.Device, l.claim.Visit, res.Question); err != nil {
			// The evaluation is committed and counts. The box asks on until its time is over.
			p.log(r, "tell the box", l.claim, err)
		}
	}
	http.Redirect(w, r, l.path(rest), http.StatusSeeOther)
}

// thanks answers both pages that a submission ends on. They say what was committed and are shown only if something was.
func (p *Page) thanks(w http.ResponseWriter, r *http.Request) {
	l, ok := p.find(w, r)
	if !ok {
		return
	}
	kept := strings.HasSuffix(r.URL.Path, "/kept")
	if len(l.visit.Rated) == 0 || !kept && !ratedByPhone(l.claim, l.visit) {
		http.Redirect(w, r, l.path(""), http.StatusSeeOther)
		return
	}
	n := stored
	if kept {
		n = keptBeside
	}
	if state, todo := stand(l.claim, l.visit, p.cfg.Now()); state == open {
		n.Next, n.NextZh, n.NextEn = l.path(""), "继续评价"+todo[0].titleZh(), "Rate "+todo[0].titleEn()+" too"
	}
	p.say(w, n)
}

// sameSite reports whether the form was sent from a page of ours. The link itself is the permission, so this only keeps
// other sites from using a link that they got hold of through somebody's browser. Browsers send "Origin: null" with a form
// on a page whose Referrer-Policy is no-referrer, which is ours; then Sec-Fetch-Site tells, where the browser knows it.
func sameSite(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin" || site == "none"
	}
	origin := r.Header.Get("Origin")
	if origin == "" || origin == "null" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == r.Host
}

// log reports a failure. The token is left out: whoever reads the log could rate with it.
func (p *Page) log(r *http.Request, doing string, c qrcode.Claim, err error) {
	if r.Context().Err() != nil {
		return // the phone went away
	}
	p.cfg.Logger.Error("rating page: "+doing, "device", c.Device, "visit", c.Visit, "err", err)
}

func (p *Page) fail(w http.ResponseWriter, r *http.Request, doing string, c qrcode.Claim, err error) {
	p.log(r, doing, c, err)
	p.say(w, outOfOrder)
}
