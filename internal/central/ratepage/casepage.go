package ratepage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"haochaping/internal/central/books"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/link"
	"haochaping/internal/rating"
)

// caseLink is a link for a case that can be used, with what the books know about it.
type caseLink struct {
	token string // in capitals
	claim link.Claim
	file  books.Case // empty while nothing is known of the case
	staff bool       // the person has been rated
}

func (l caseLink) path(rest string) string { return link.Path + l.token + rest }

// sum names the link.
func (l caseLink) sum() [sha256.Size]byte { return sha256.Sum256([]byte(l.token)) }

// limited returns under what submissions are counted: the link, or the case where a posted code gives whoever asks a new link for it.
func (l caseLink) limited() visitKey {
	sum := l.sum()
	if l.claim.Channel == rating.Kiosk {
		sum = sha256.Sum256([]byte("kiosk " + l.claim.Case.String())) // no token has a space
	}
	return visitKey{device: rating.DeviceID(hex.EncodeToString(sum[:]))}
}

// source and name say in the journal where an answer comes from. No business system's name has a colon.
func (l caseLink) source() string { return "page:" + l.claim.Source }

func (l caseLink) name(id string) string {
	s := l.sum()
	return hex.EncodeToString(s[:8]) + "-" + id
}

// asks returns what a link lets be rated: 全程网上办理的事项办结后,评价人对服务事项进行一次评价; at a window also the person at that visit, and the matter
// once (article 14).
func asks(c link.Claim, handling rating.Handling) []question {
	var out []question
	if c.Visit != nil && (c.Case == rating.CaseKey{} || slices.Contains(handling.Subjects(), rating.StaffSubject)) {
		out = append(out, overall(rating.StaffSubject))
	}
	if c.Case != (rating.CaseKey{}) {
		out = append(out, overall(rating.MatterSubject))
	}
	return out
}

// todo returns the questions that an answer could still count for.
func (l caseLink) todo() []question {
	return slices.DeleteFunc(asks(l.claim, l.file.Handling), func(q question) bool {
		if q.Subject == rating.StaffSubject {
			return l.staff
		}
		return l.file.State() == books.CaseRated
	})
}

// findCase reads the request's link. If it returns false it has answered.
func (p *Page) findCase(w http.ResponseWriter, r *http.Request) (caseLink, bool) {
	l := caseLink{token: strings.ToUpper(r.PathValue("token"))}
	var err error
	if l.claim, err = p.cfg.Links.Read(l.token); err != nil {
		p.say(w, damagedLink)
		return l, false
	}
	if l.claim.Terminal {
		p.lead(w, r, l.claim)
		return l, false
	}
	if l.file, _, err = p.cfg.Books.Case(r.Context(), l.claim.Case); err == nil && l.claim.Visit != nil {
		var v books.VisitView
		v, err = p.cfg.Books.Visit(r.Context(), rating.DeviceID("@"+l.claim.Channel), l.claim.Visit.ID)
		_, l.staff = v.Rated[rating.Question{Subject: rating.StaffSubject}]
	}
	if err != nil {
		p.failCase(w, r, "look up a case", err)
		return l, false
	}
	return l, true
}

// opener tells phones apart as far as they show themselves without cookies: by address and browser. It is kept as a hash for a day.
func opener(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return strings.Join([]string{host, r.Header.Get("X-Forwarded-For"), r.UserAgent(), r.Header.Get("Accept-Language")}, "\n")
}

// looks reports whether a request is that of a program which only looks what a link is, or of a browser that may show it later. Neither
// is a citizen who has what was finished to themselves.
func looks(r *http.Request) bool {
	return r.Method == http.MethodHead || strings.Contains(r.Header.Get("Sec-Purpose")+r.Header.Get("Purpose"), "prefetch")
}

// lead answers the code that is posted at a terminal: with what was finished there last, if that was just now.
func (p *Page) lead(w http.ResponseWriter, r *http.Request, c link.Claim) {
	if looks(r) {
		w.WriteHeader(http.StatusServiceUnavailable) // so that a browser asks once more when it is shown
		return
	}
	now := p.cfg.Now()
	k, wait, err := p.cfg.Terminals.Last(r.Context(), c.Source, opener(r), now)
	var known books.Case
	if err == nil && wait > 0 {
		known, _, err = p.cfg.Books.Case(r.Context(), k)
	}
	switch {
	case err != nil:
		p.failCase(w, r, "look what a terminal has finished", err)
		return
	case k == rating.CaseKey{}:
		p.say(w, nothingFinished)
		return
	case wait > 0 && known.State() != books.CaseRated: // of one that was rated the page says so
		p.say(w, openedElsewhere)
		return
	}
	token, err := p.cfg.Links.Write(link.Claim{Case: k, Channel: rating.Kiosk, Source: c.Source, Completed: true,
		Expires: now.Add(Life).Unix() / 60})
	if err != nil {
		p.failCase(w, r, "write a link", err)
		return
	}
	http.Redirect(w, r, link.Path+token, http.StatusSeeOther)
}

// failCase reports a failure. It names neither link nor case.
func (p *Page) failCase(w http.ResponseWriter, r *http.Request, doing string, err error) {
	if r.Context().Err() == nil {
		p.cfg.Logger.Error("rating page of a case: "+doing, "err", err)
	}
	p.say(w, outOfOrder)
}

func (p *Page) askCase(w http.ResponseWriter, status int, l caseLink, todo []question, f form, why error) {
	v := askView{Path: l.path(""), Known: true, Matters: l.file.TaskName}
	if v.Matters == "" && l.claim.Case != (rating.CaseKey{}) {
		v.Matters = "您办理的事项"
	}
	if l.claim.Visit != nil {
		v.Window, v.Staff = l.claim.Visit.Window, l.claim.Visit.Staff
	}
	p.askWith(w, status, v, todo, f, why)
}

func (p *Page) showCase(w http.ResponseWriter, r *http.Request) {
	l, ok := p.findCase(w, r)
	if !ok {
		return
	}
	todo := l.todo()
	switch {
	case l.claim.Expired(p.cfg.Now()):
		p.say(w, expiredLink)
		return
	case len(todo) == 0:
		p.sayOf(w, l, ratedCase)
		return
	}
	f, err := newForm(p.cfg.Random)
	if err != nil {
		p.failCase(w, r, "show the form", err)
		return
	}
	p.askCase(w, http.StatusOK, l, todo, f, nil)
}

func (p *Page) submitCase(w http.ResponseWriter, r *http.Request) {
	if !p.posted(w, r) {
		return
	}
	l, ok := p.findCase(w, r)
	if !ok {
		return
	}
	all := asks(l.claim, l.file.Handling)
	f, err := readForm(r.PostForm, all, p.cfg.Reasons)
	switch {
	case errors.Is(err, errForm):
		p.say(w, notOurForm)
		return
	case l.claim.Expired(p.cfg.Now()):
		p.say(w, expiredLink)
		return
	case err != nil && len(l.todo()) == 0:
		p.sayOf(w, l, ratedCase)
		return
	case err != nil:
		p.askCase(w, http.StatusUnprocessableEntity, l, l.todo(), f, err)
		return
	case !p.lim.allow(l.limited(), p.cfg.Now()):
		p.say(w, tooMany)
		return
	}
	pos, err := p.enterCase(r, l, f, all)
	if err != nil {
		p.cfg.Logger.Error("rating page of a case: store the evaluation", "err", err)
		p.askCase(w, http.StatusServiceUnavailable, l, all, f, errNotStored)
		return
	}
	http.Redirect(w, r, l.path(p.kept(fmt.Sprintf("/thanks?row=%d", pos), pos)), http.StatusSeeOther)
}

// enterCase commits what a form says. The same form with the same answers is entered once.
func (p *Page) enterCase(r *http.Request, l caseLink, f form, asked []question) (pos int64, err error) {
	var answers []journal.Answer
	var texts []string
	for _, e := range f.evaluations(1, asked, p.cfg.Reasons) {
		a := journal.Answer{Level: e.Level, Channel: l.claim.Channel, At: p.cfg.Now().UnixMilli(), Reasons: e.Reasons, Catalogue: e.Catalogue}
		if e.Subject == rating.StaffSubject {
			record := l.claim.Visit.Record()
			a.Visit = &record
		} else {
			a.Case, a.Completed = l.claim.Case, l.claim.Completed
		}
		answers, texts = append(answers, a), append(texts, e.Text)
	}
	named := slices.Clone(answers)
	for i := range named {
		named[i].At = 0
	}
	b, err := json.Marshal([]any{f.Submission, named, texts})
	if err != nil {
		return 0, err
	}
	id := sha256.Sum256(b)
	receipt, err := p.cfg.Journal.Answer(r.Context(), l.source(), l.name(hex.EncodeToString(id[:16])), answers, texts)
	return receipt.Pos, err
}

// thankForCase answers the page that a submission ends on. It says what has become of the answers, and is shown only if there are any.
func (p *Page) thankForCase(w http.ResponseWriter, r *http.Request) {
	l, ok := p.findCase(w, r)
	if !ok {
		return
	}
	pos, err := strconv.ParseInt(r.URL.Query().Get("row"), 10, 64)
	var e journal.Entry
	if err == nil {
		e, err = p.cfg.Journal.Entry(r.Context(), pos)
	}
	if err != nil || e.Kind != journal.Answered || e.Source != l.source() || !strings.HasPrefix(e.Name, l.name("")) {
		http.Redirect(w, r, l.path(""), http.StatusSeeOther)
		return
	}
	n := storedOnly
	if all, err := p.standings(r, pos); err == nil {
		n = caseNotice(all)
	}
	p.sayOf(w, l, p.withReceipt(r, n))
}

// standings waits a little for what the answers of a row have come to.
func (p *Page) standings(r *http.Request, pos int64) ([]books.Answer, error) {
	ctx, cancel := context.WithTimeout(r.Context(), waitShort)
	defer cancel()
	if err := p.cfg.Books.Wait(ctx, pos); err != nil {
		return nil, err
	}
	return p.cfg.Books.Answers(ctx, pos)
}

// caseNotice returns what is said of answers that stand so. What does not count goes before what does.
func caseNotice(all []books.Answer) notice {
	for _, n := range []struct {
		standing rating.Standing
		notice   notice
	}{{rating.Later, keptBeside}, {rating.Late, keptLate}, {rating.Unasked, keptWaiting}} {
		if slices.ContainsFunc(all, func(a books.Answer) bool { return a.Standing == n.standing }) {
			return n.notice
		}
	}
	return storedOfCase
}

// sayOf answers with a notice that leads back to where the link was asked for, if that was said.
func (p *Page) sayOf(w http.ResponseWriter, l caseLink, n notice) {
	if l.claim.Return != "" {
		n.Next, n.NextZh, n.NextEn, n.Away = l.claim.Return, "返回", "Go back", true
	}
	p.say(w, n)
}
