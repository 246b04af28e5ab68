package ratepage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/link"
	"haochaping/internal/rating"
	"haochaping/qrcode"
)

// Fleet is what the page needs to know of the boxes.
type Fleet interface {
	// Known returns fleet.ErrNoDevice for a device that is not enrolled.
	Known(context.Context, rating.DeviceID) (fleet.Device, error)
	// Online reports whether a device is connected, as far as was heard.
	Online(context.Context, rating.DeviceID) (bool, error)
}

// Journal is where the page writes.
type Journal interface {
	// Rate commits the evaluations. One with the same name again adds nothing.
	Rate(context.Context, journal.Rating) (journal.Receipt, error)
	// Answer does the same for answers about a case, and about the person at a window without a box.
	Answer(ctx context.Context, source, name string, answers []journal.Answer, texts []string) (journal.Receipt, error)
	Entry(ctx context.Context, pos int64) (journal.Entry, error)
}

// Books is what the page reads of the books. Its methods are called from many goroutines at once.
type Books interface {
	// Visit returns an empty view of a visit of which nothing has arrived.
	Visit(context.Context, rating.DeviceID, rating.VisitID) (books.VisitView, error)
	// Wait returns when the books hold a row of the journal.
	Wait(ctx context.Context, pos int64) error
	Case(context.Context, rating.CaseKey) (books.Case, bool, error)
	// Answers returns what the answers of a row have come to.
	Answers(ctx context.Context, pos int64) ([]books.Answer, error)
}

// Terminals knows what self-service terminals have just finished.
type Terminals interface {
	// Last returns the case that was finished last, empty if none was just now, and for how long another opener has it to themselves.
	Last(ctx context.Context, terminal, opener string, now time.Time) (k rating.CaseKey, wait time.Duration, err error)
}

// Config holds what a Page needs. Every field but Base, FrameAncestors, Complain, Phoned, Orders and Receipt is mandatory.
type Config struct {
	Fleet   Fleet
	Journal Journal
	Books   Books
	Links   *link.Keeper // of cases
	// Terminals knows what self-service terminals have just finished.
	Terminals Terminals
	// Notify tells the box that a question was answered by phone, so that it stops asking. It is called after the commit and
	// must not wait for the network: the citizen waits for it.
	Notify func(context.Context, rating.DeviceID, rating.VisitID, rating.Question) error
	// Heard waits until the box has answered that it knows of these, at most until the context is done, and says whether it has.
	Heard   func(context.Context, rating.DeviceID, rating.VisitID, []rating.Question) bool
	Reasons rating.Catalogue
	// Complain takes what a citizen complains of, and returns its row of the journal, 0 if nobody may follow it; nil: there is no
	// form for it.
	Complain func(context.Context, Complaint) (row int64, err error)
	// Phoned is told which request brought a rating that was entered, by its visit and row of the journal; nil: nobody is.
	Phoned func(r *http.Request, d rating.DeviceID, v rating.VisitID, pos int64)
	Orders Orders // nil: nobody is told of work on ratings
	// Receipt names a row of the journal to Orders; nil: nobody keeps a receipt.
	Receipt func(row int64) string
	Logger  *slog.Logger
	Now     func() time.Time // the centre's clock
	Random  io.Reader        // usually crypto/rand.Reader
	// Base is the origin at which phones find the page, as "https://rate.example.com"; empty: that which they ask for.
	Base string
	// FrameAncestors are the origins that may show the page in a frame, as "http://127.0.0.1:8400". Usually none.
	FrameAncestors []string
}

// Page is the rating page, an http.Handler that is safe for concurrent use.
type Page struct {
	cfg        Config
	mux        *http.ServeMux
	tmpl       templates
	csp        string
	lim        *limit // of ratings
	complaints *limit
	foreign    sync.Once     // says that another site's form was refused
	late       chan struct{} // a place for each rating whose standing is waited for
}

// New returns the page.
func New(cfg Config) (*Page, error) {
	tmpl, err := parseTemplates()
	if err != nil {
		return nil, fmt.Errorf("rating page: %w", err)
	}
	p := &Page{cfg: cfg, mux: http.NewServeMux(), tmpl: tmpl, csp: tmpl.policy(cfg.FrameAncestors),
		lim: newLimit(maxSubmissions, Life), complaints: newLimit(maxComplaints, complaintLife), late: make(chan struct{}, maxLate)}
	for _, root := range []string{"/R/", "/r/"} {
		p.mux.HandleFunc("GET "+root+"{token}", p.show)
		p.mux.HandleFunc("POST "+root+"{token}", p.submit)
		p.mux.HandleFunc("GET "+root+"{token}/thanks", p.thanks)
		p.mux.HandleFunc("GET "+root+"{token}/kept", p.thanks)
		p.mux.HandleFunc("GET "+root+"{token}/saved", p.saved)
		p.mux.HandleFunc("GET "+root+"{token}/complaint", p.showComplaint)
		p.mux.HandleFunc("POST "+root+"{token}/complaint", p.complain)
	}
	for _, root := range []string{link.Path, strings.ToLower(link.Path)} {
		p.mux.HandleFunc("GET "+root+"{token}", p.showCase)
		p.mux.HandleFunc("POST "+root+"{token}", p.submitCase)
		p.mux.HandleFunc("GET "+root+"{token}/thanks", p.thankForCase)
	}
	for _, root := range []string{link.ToldPath, strings.ToLower(link.ToldPath)} {
		p.mux.HandleFunc("GET "+root+"{token}", p.showTold)
		p.mux.HandleFunc("POST "+root+"{token}", p.judge)
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

// opened is a link whose signature is good, with what the books know about it.
type opened struct {
	token  string // in capitals
	claim  qrcode.Claim
	device fleet.Device
	visit  books.VisitView
}

// path returns the canonical path of the link's pages.
func (l opened) path(rest string) string { return qrcode.Path + l.token + rest }

// find reads the request's link. If it returns false it has answered.
func (p *Page) find(w http.ResponseWriter, r *http.Request) (opened, bool) {
	raw := r.PathValue("token")
	token, err := qrcode.ParseToken(raw)
	if err != nil {
		p.say(w, damaged)
		return opened{}, false
	}
	l := opened{token: strings.ToUpper(raw)}
	l.device, err = p.cfg.Fleet.Known(r.Context(), token.Claim.Device)
	switch {
	case errors.Is(err, fleet.ErrNoDevice):
		p.say(w, unknownDevice)
		return opened{}, false
	case err != nil:
		p.fail(w, r, "look up the device", token.Claim, err)
		return opened{}, false
	}
	if l.claim, err = token.Verify(l.device.Key); err != nil {
		p.say(w, forged)
		return opened{}, false
	}
	if l.visit, err = p.cfg.Books.Visit(r.Context(), l.claim.Device, l.claim.Visit); err != nil {
		p.fail(w, r, "look up the visit", l.claim, err)
		return opened{}, false
	}
	if l.device.Retired != nil && l.visit.Visit == nil { // whoever has the card of a box that was replaced can sign visits that never were
		p.say(w, unknownDevice)
		return opened{}, false
	}
	return l, true
}

// todo returns the questions that the link can still be used for. If it returns false it has answered.
func (p *Page) todo(w http.ResponseWriter, l opened) ([]question, bool) {
	state, todo := stateOf(l.claim, l.visit, p.cfg.Now())
	switch state {
	case used:
		n := alreadyRated
		n.Next, n.NextZh, n.NextEn = p.complainAt(l), "我要投诉", "Complain"
		p.say(w, n)
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
	if !p.posted(w, r) {
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
	state, _ := stateOf(l.claim, l.visit, p.cfg.Now())
	switch {
	case state == expired:
		p.say(w, tooLate)
		return
	case formErr != nil && state == used:
		p.say(w, alreadyRated)
		return
	case formErr != nil:
		p.ask(w, http.StatusUnprocessableEntity, l, open(l.visit, f.again(l.claim, l.visit.Visit)), f, formErr)
		return
	}
	if !p.lim.allow(visitKey{l.claim.Device, l.claim.Visit}, p.cfg.Now()) {
		p.say(w, tooMany)
		return
	}
	// What was rated meanwhile is submitted all the same: the journal tells a repetition of this submission from a
	// second opinion, and the books keep the latter beside the first.
	sub := journal.Rating{Device: l.claim.Device, Received: p.cfg.Now().UnixMilli(),
		Answers: f.evaluations(l.claim.Visit, questions, p.cfg.Reasons)}
	var receipt journal.Receipt
	if sub.Name, err = f.id(l.claim.Device, l.claim.Visit, sub.Answers); err == nil {
		receipt, err = p.cfg.Journal.Rate(r.Context(), sub)
	}
	if err != nil {
		p.log(r, "store the evaluation", l.claim, err)
		p.ask(w, http.StatusServiceUnavailable, l, f.again(l.claim, l.visit.Visit), f, errNotStored)
		return
	}
	if receipt.Entered && p.cfg.Phoned != nil {
		p.cfg.Phoned(r, l.claim.Device, l.claim.Visit, receipt.Pos)
	}
	http.Redirect(w, r, l.path(p.kept(p.outcome(r, l, receipt.Pos), receipt.Pos)), http.StatusSeeOther)
}

// Patience with the books, which are made from the journal behind it.
const (
	waitShort = 2 * time.Second // the citizen waits
	waitBox   = 2 * time.Second // for the box's answer
	waitLong  = 5 * time.Minute // nobody does, but the box, which asks on
	maxLate   = 256             // ratings whose standing is waited for, at once
)

// outcome tells the box of what counts, and returns the page that says what a committed rating has come to.
func (p *Page) outcome(r *http.Request, l opened, pos int64) string {
	ctx, cancel := context.WithTimeout(r.Context(), waitShort)
	defer cancel()
	counts, err := p.tell(ctx, l, pos)
	switch {
	case err == nil && counts:
		return "/thanks"
	case err == nil:
		return "/kept"
	}
	select {
	case p.late <- struct{}{}:
		go func() {
			defer func() { <-p.late }()
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), waitLong)
			defer cancel()
			if _, err := p.tell(ctx, l, pos); err != nil {
				p.cfg.Logger.Error("rating page: the box is not told that a phone has rated", "device", l.claim.Device, "visit", l.claim.Visit, "err",
					err)
			}
		}()
	default: // the box asks on until its time is over
	}
	return fmt.Sprintf("/saved?row=%d", pos)
}

// tell waits until the books hold a rating, tells the box of each question whose answer counts, and reports whether all do.
func (p *Page) tell(ctx context.Context, l opened, pos int64) (counts bool, err error) {
	if err := p.cfg.Books.Wait(ctx, pos); err != nil {
		return false, err
	}
	answers, err := p.cfg.Books.Answers(ctx, pos)
	if err != nil {
		return false, err
	}
	counts = true
	for _, a := range answers {
		if a.Standing != rating.Counted {
			counts = false
			continue
		}
		if err := p.cfg.Notify(ctx, l.claim.Device, l.claim.Visit, a.Question); err != nil {
			// The evaluation is committed and counts. The box asks on until its time is over.
			p.cfg.Logger.Error("rating page: tell the box", "device", l.claim.Device, "visit", l.claim.Visit, "err", err)
		}
	}
	return counts, nil
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
	n := keptBeside
	if !kept {
		var err error
		if n, err = p.countsFor(r.Context(), l); err != nil {
			p.fail(w, r, "look up whether the box is online", l.claim, err)
			return
		}
	}
	if state, todo := stateOf(l.claim, l.visit, p.cfg.Now()); state == asking {
		n.Next, n.NextZh, n.NextEn = l.path(""), "继续评价"+todo[0].titleZh(), "Rate "+todo[0].titleEn()+" too"
	}
	p.say(w, p.withReceipt(r, n))
}

// countsFor returns what may be said of answers that count as far as the centre knows. What a box has not sent yet may go before them, so
// that nothing is promised before the box has answered.
func (p *Page) countsFor(ctx context.Context, l opened) (notice, error) {
	online, err := p.cfg.Fleet.Online(ctx, l.claim.Device)
	switch {
	case err != nil:
		return notice{}, err
	case !online:
		return storedAhead, nil
	}
	var told []rating.Question
	for q, e := range l.visit.Counted {
		if e.Channel == rating.Phone {
			told = append(told, q)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, waitBox)
	defer cancel()
	if !p.cfg.Heard(ctx, l.claim.Device, l.claim.Visit, told) {
		return storedUnheard, nil
	}
	return stored, nil
}

// saved answers the page that a submission ends on whose standing the books do not know yet.
func (p *Page) saved(w http.ResponseWriter, r *http.Request) {
	l, ok := p.find(w, r)
	if !ok {
		return
	}
	pos, err := strconv.ParseInt(r.URL.Query().Get("row"), 10, 64)
	if err == nil {
		var e journal.Entry
		e, err = p.cfg.Journal.Entry(r.Context(), pos)
		if err == nil && (e.Kind != journal.Phone || e.Source != string(l.claim.Device)) {
			err = journal.ErrNoEntry
		}
	}
	if err != nil {
		http.Redirect(w, r, l.path(""), http.StatusSeeOther)
		return
	}
	p.say(w, p.withReceipt(r, storedOnly))
}
