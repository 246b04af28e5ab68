package ratepage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"haochaping/internal/central/link"
	"haochaping/internal/rating"
)

// Told is what the page behind a message about the work on a rating shows (articles 16 and 18). It names no citizen, and says neither
// what was rated nor how.
type Told struct {
	Asks  bool      // whether it asks what the citizen thinks of the work
	Unit  string    // that has worked
	Words string    // what it did, or why it takes longer
	Until time.Time // when that time is over, zero unless it takes longer
	Parts []Followed
}

// Followed is how the work stands in one unit.
type Followed struct {
	Part    string // names it
	Unit    string // empty while none is known
	State   string // in Chinese
	By      string // until when the next step is to be done, empty if nothing is
	Decided bool   // an appeal of the citizen was decided
	Appeals bool   // the citizen may appeal now
}

// Orders is the work on ratings, as far as citizens are asked about it.
type Orders interface {
	// Told reports false if there is nothing of that name.
	Told(ctx context.Context, about string) (Told, bool, error)
	// Judge reports whether that was still asked. Words may be empty.
	Judge(ctx context.Context, about string, satisfied bool, words string) (bool, error)
	// Appeal takes an appeal against how the work on a part has ended, and reports whether there can be one.
	Appeal(ctx context.Context, about, part, words string) (bool, error)
}

// toldView is what the page shows.
type toldView struct {
	TitleZh, TitleEn string
	Told
	Day     string // the last day, empty unless it takes longer
	Receipt bool   // it is what the citizen keeps of a rating, and no message was sent
	Path    string
	MaxText int
	Text    string
	Problem *problem
}

const (
	fieldJudgement = "judgement"
	fieldPart      = "part" // of an appeal
)

// findTold reads the request's link. If it returns false it has answered.
func (p *Page) findTold(w http.ResponseWriter, r *http.Request) (claim link.Told, told Told, ok bool) {
	if p.cfg.Orders == nil {
		p.say(w, noLink)
		return claim, told, false
	}
	claim, err := p.cfg.Links.ReadTold(r.PathValue("token"))
	switch {
	case err != nil:
		p.say(w, damagedLink)
		return claim, told, false
	case claim.Expired(p.cfg.Now()):
		p.say(w, expiredTold)
		return claim, told, false
	}
	told, found, err := p.cfg.Orders.Told(r.Context(), claim.About)
	switch {
	case err != nil:
		p.failCase(w, r, "look up what a citizen is told", err)
		return claim, told, false
	case !found:
		p.say(w, damagedLink)
		return claim, told, false
	}
	return claim, told, true
}

func (p *Page) showTold(w http.ResponseWriter, r *http.Request) {
	if claim, told, ok := p.findTold(w, r); ok {
		p.tellOf(w, r, http.StatusOK, claim, told, "", nil)
	}
}

// tellOf answers with the page, and with the form as it was filled in.
func (p *Page) tellOf(w http.ResponseWriter, r *http.Request, status int, claim link.Told, told Told, text string, why *problem) {
	v := toldView{TitleZh: "办理情况", TitleEn: "What was done", Told: told, Path: link.ToldPath + strings.ToUpper(r.PathValue("token")),
		MaxText: rating.MaxText, Text: text, Problem: why, Receipt: claim.Receipt}
	if !told.Until.IsZero() {
		v.Day = told.Until.Add(-time.Second).In(rating.Shanghai()).Format("2006年1月2日")
	}
	p.render(w, status, "told", v)
}

// judgementOf reads the form, with what is wrong with it.
func judgementOf(values url.Values) (satisfied bool, text string, wrong *problem) {
	text = strings.TrimSpace(values.Get(fieldWords))
	said := values.Get(fieldJudgement)
	switch {
	case said != "1" && said != "0":
		wrong = &problem{"还没有选择。请先点选满意或不满意，再提交。", "Nothing is chosen yet. Please choose, then submit."}
	case !utf8.ValidString(text) || utf8.RuneCountInString(text) > rating.MaxText:
		wrong = &problem{"文字太长，尚未提交。请缩短后再提交。", "The text is too long. Nothing was submitted."}
	}
	return said == "1", text, wrong
}

// judge hands on what a citizen thinks of the work on their rating.
func (p *Page) judge(w http.ResponseWriter, r *http.Request) {
	if !p.posted(w, r) {
		return
	}
	claim, told, ok := p.findTold(w, r)
	if !ok {
		return
	}
	if r.PostForm.Has(fieldPart) {
		p.appeal(w, r, claim, told)
		return
	}
	satisfied, text, wrong := judgementOf(r.PostForm)
	switch {
	case wrong != nil:
		p.tellOf(w, r, http.StatusUnprocessableEntity, claim, told, text, wrong)
		return
	case !p.lim.allow(limitedTold(claim), p.cfg.Now()):
		p.say(w, tooMany)
		return
	}
	taken, err := p.cfg.Orders.Judge(r.Context(), claim.About, satisfied, text)
	switch {
	case err != nil:
		p.cfg.Logger.Error("page of what was done: store a judgement", "err", err)
		p.tellOf(w, r, http.StatusServiceUnavailable, claim, told, text, &problem{"暂时无法保存，您的答复还没有提交成功。请稍后再试，或拨打 12345。",
			"Your answer could not be stored. Please try again, or call 12345."})
	case !taken:
		p.say(w, judgedBefore)
	default:
		p.say(w, judged)
	}
}

// limitedTold returns under what the forms of a link are counted.
func limitedTold(claim link.Told) visitKey {
	sum := sha256.Sum256([]byte("told " + claim.About)) // no token has a space
	return visitKey{device: rating.DeviceID(hex.EncodeToString(sum[:]))}
}

// appeal hands on an appeal (article 6: 受理复核申诉).
func (p *Page) appeal(w http.ResponseWriter, r *http.Request, claim link.Told, told Told) {
	part, text := r.PostForm.Get(fieldPart), strings.TrimSpace(r.PostForm.Get(fieldWords))
	n := utf8.RuneCountInString(text)
	switch {
	case !slices.ContainsFunc(told.Parts, func(f Followed) bool { return f.Part == part }):
		p.say(w, notOurForm)
		return
	case !utf8.ValidString(text) || n < leastComplaint || n > mostComplaint:
		p.tellOf(w, r, http.StatusUnprocessableEntity, claim, told, text, &problem{"请写明为什么不服（4 至 500 字）。尚未提交。",
			"Say why, in 4 to 500 characters. Nothing was submitted."})
		return
	case !p.lim.allow(limitedTold(claim), p.cfg.Now()):
		p.say(w, tooMany)
		return
	}
	taken, err := p.cfg.Orders.Appeal(r.Context(), claim.About, part, text)
	switch {
	case err != nil:
		p.cfg.Logger.Error("page of what was done: store an appeal", "err", err)
		p.tellOf(w, r, http.StatusServiceUnavailable, claim, told, text, &problem{"暂时无法保存，您的申诉还没有提交成功。请稍后再试，或拨打 12345。",
			"Your appeal could not be stored. Please try again, or call 12345."})
	case !taken:
		p.say(w, appealedBefore)
	default:
		p.say(w, appealed)
	}
}
