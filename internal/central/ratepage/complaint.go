package ratepage

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"haochaping/internal/central/link"
	"haochaping/internal/rating"
)

// Complaint is what a citizen complains of (投诉, article 16) on the page behind the QR code of their visit.
type Complaint struct {
	Name        string // tells a form that was sent twice
	Device      rating.DeviceID
	Window      rating.Window
	At          time.Time
	Matter      string
	Words       string
	Contact     string // empty: anonymous
	Retaliation bool   // 打击报复 (article 21)
}

// Bounds of a complaint, in characters, and for how long after its visit the link takes one.
const (
	leastComplaint  = 4
	mostComplaint   = 500
	mostContact     = 60
	complaintLife   = 24 * time.Hour
	fieldWords      = "words"
	fieldContact    = "contact"
	fieldRetaliates = "retaliation"
)

// complaintView is what the form shows.
type complaintView struct {
	TitleZh, TitleEn string
	Path             string
	Window           rating.Window
	Submission       string
	Words, Contact   string
	Retaliation      bool
	MaxText          int
	MaxContact       int
	Problem          *problem
}

// complainAt returns where the form of a link is, empty if the page takes no complaints.
func (p *Page) complainAt(l opened) string {
	if p.cfg.Complain == nil {
		return ""
	}
	return l.path("/complaint")
}

// findComplaint reads the request's link, which may have been rated by. If it returns false it has answered.
func (p *Page) findComplaint(w http.ResponseWriter, r *http.Request) (opened, bool) {
	if p.cfg.Complain == nil {
		p.say(w, noLink)
		return opened{}, false
	}
	l, ok := p.find(w, r)
	if ok && l.pastComplaints(p.cfg.Now()) {
		p.say(w, tooLateToComplain)
		return l, false
	}
	return l, ok
}

// pastComplaints reports whether a day has passed since the visit. A clock that is not set, or says a time to come, is not asked: then it
// is a day after the visit is known to have ended.
func (l opened) pastComplaints(now time.Time) bool {
	if l.claim.Synced && !l.claim.Issued.After(now.Add(Life)) {
		return now.After(l.claim.Issued.Add(complaintLife))
	}
	return !l.visit.ClosedAt.IsZero() && now.After(l.visit.ClosedAt.Add(complaintLife))
}

func (p *Page) showComplaint(w http.ResponseWriter, r *http.Request) {
	l, ok := p.findComplaint(w, r)
	if !ok {
		return
	}
	f, err := newForm(p.cfg.Random)
	if err != nil {
		p.fail(w, r, "show the form of a complaint", l.claim, err)
		return
	}
	p.askComplaint(w, http.StatusOK, l, complaintView{Submission: f.Submission})
}

// askComplaint answers with the form as it was filled in.
func (p *Page) askComplaint(w http.ResponseWriter, status int, l opened, v complaintView) {
	v.TitleZh, v.TitleEn, v.Path, v.Window = "投诉", "Complain", p.complainAt(l), l.device.Window
	v.MaxText, v.MaxContact = mostComplaint, mostContact
	p.render(w, status, "complain", v)
}

// complaintOf reads the form, with what is wrong with it. It reports false if it is none of ours.
func complaintOf(values url.Values) (complaintView, bool) {
	v := complaintView{Submission: values.Get(fieldSubmission), Words: strings.TrimSpace(values.Get(fieldWords)),
		Contact:     oneLine(values.Get(fieldContact)),
		Retaliation: values.Get(fieldRetaliates) == "1"}
	b, err := hex.DecodeString(v.Submission)
	if err != nil || len(b) != submissionSize || !utf8.ValidString(v.Words) || !utf8.ValidString(v.Contact) {
		return v, false
	}
	if n := utf8.RuneCountInString(v.Words); n < leastComplaint || n > mostComplaint || utf8.RuneCountInString(v.Contact) > mostContact {
		v.Problem = &problem{"请写明发生了什么（4 至 500 字），联系方式不超过 60 字。尚未提交。", "Say what happened, in 4 to 500 characters. Nothing was submitted."}
	}
	return v, true
}

// complain hands a complaint on. It says nothing about the visit that whoever scans the code does not know already.
func (p *Page) complain(w http.ResponseWriter, r *http.Request) {
	if !p.posted(w, r) {
		return
	}
	l, ok := p.findComplaint(w, r)
	if !ok {
		return
	}
	v, ok := complaintOf(r.PostForm)
	switch {
	case !ok:
		p.say(w, notOurForm)
		return
	case v.Problem != nil:
		p.askComplaint(w, http.StatusUnprocessableEntity, l, v)
		return
	case !p.complaints.allow(visitKey{l.claim.Device, l.claim.Visit}, p.cfg.Now()):
		p.say(w, tooMany)
		return
	}
	c := Complaint{Name: v.name(l.claim.Device), Device: l.claim.Device, Window: l.device.Window, At: p.cfg.Now(),
		Words: v.Words, Contact: v.Contact,
		Retaliation: v.Retaliation}
	if visit := l.visit.Visit; visit != nil {
		c.Window = visit.Window
		if names, _ := matters(visit); len(names) > 0 {
			c.Matter = names[0]
		}
	}
	row, err := p.cfg.Complain(r.Context(), c)
	if err != nil {
		p.log(r, "take a complaint", l.claim, err)
		v.Problem = &problem{"暂时无法保存，您的投诉还没有提交成功。请稍后再试，或拨打 12345。", "Your complaint could not be stored. Please try again, or call 12345."}
		p.askComplaint(w, http.StatusServiceUnavailable, l, v)
		return
	}
	if v.Retaliation {
		p.say(w, complainedOfRetaliation)
		return
	}
	n := complained
	if token := p.receiptOf(row); token != "" {
		n.Receipt = link.ToldPath + token
	}
	p.say(w, n)
}

// name tells a form that was sent twice from one that was sent again with other contents.
func (v complaintView) name(d rating.DeviceID) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %t", v.Words, v.Contact, v.Retaliation))
	return string(d) + " " + v.Submission + " " + hex.EncodeToString(sum[:8])
}
