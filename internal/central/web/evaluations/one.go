package evaluations

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// single is what the page of one evaluation shows.
type single struct {
	row
	Detail    books.Detail
	Time      times
	Source    source
	Kind      string // of row of the journal
	Record    string // JSON, of a box's
	Outcome   string // how the visit ended
	ClosedAt  string
	Cases     []rating.Case
	Contests  []contest
	SeeText   bool
	SeeWho    bool
	HasWho    bool   // somebody has told how the applicant is reached
	Said      string // the text, after a look
	Erased    bool
	Shown     bool // there was a look at the text
	Contacts  []contact
	ShownWho  bool
	Problem   string
	ProblemOf string // which form
}

// times is what is known of when it was given.
type times struct {
	At, Earliest, Latest, Received, Box string
	Exact                               bool
	Quality                             string
	Boot                                uint32
	Synced                              bool
}

// contest is what it may count for, in words.
type contest struct {
	What     string
	Path     string // of the case, empty: the person does not see it
	Case     *rating.CaseFile
	State    string
	Kind     string // of the applicant
	Done     string // when the case was completed
	Deadline string
	Status   string
	Others   []rival
}

// rival is another evaluation of the same.
type rival struct {
	row
	Standing string
	Overall  bool
}

// contact is how an applicant is reached.
type contact struct {
	Case, Number string
	Erased       bool
}

func (p *pages) one(c *web.Call) error {
	v, err := p.single(c)
	if err != nil {
		return err
	}
	return c.Show("evaluations/one", v)
}

// single reads the evaluation that the address names, in words.
func (p *pages) single(c *web.Call) (single, error) {
	d, err := p.known(c)
	if err != nil {
		return single{}, err
	}
	v := single{row: p.row(d.Entry), Detail: d.Detail, Source: d.source, SeeText: d.HasText && account.May(c.Person, account.SeeText, d.at),
		SeeWho: account.May(c.Person, account.SeeIdentity, d.at),
		Time: times{At: clock(d.At), Earliest: clock(d.Earliest), Latest: clock(d.Latest), Received: clock(d.ReceivedAt),
			Exact:   d.Quality == rating.TimeSet,
			Quality: qualityWords(d.Quality), Boot: d.Stamp.Boot, Synced: d.Stamp.Synced}}
	kinds := []word{{string(journal.Batch), "评价器上传的批次"}, {string(journal.Phone), "手机页面"}, {string(journal.Answered), "其他渠道"}}
	v.Kind, v.Record = in(kinds, string(d.source.Kind)), indented(d.source.record)
	switch {
	case d.Seq == 0:
		v.Time.Quality = "中心的时钟"
	case d.Stamp.Wall > 0:
		v.Time.Box = clock(d.Stamp.Time())
	}
	if d.Closed != nil {
		v.Outcome, v.ClosedAt = in(outcomeWords(), string(d.Closed.Outcome)), clock(d.ClosedAt)
	}
	if d.Visit != nil {
		v.Cases = d.Visit.Cases
	}
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return v, err
	}
	for _, x := range d.Contests {
		v.HasWho = v.HasWho || x.File != nil && x.File.Contact != 0
		shown := p.contest(x)
		if x.File != nil && c.May(account.SeeEvaluations, caseObject(a, *x.File, directory.DayOf(c.Now()))) {
			shown.Path = casePath(x.Item.Case)
		}
		v.Contests = append(v.Contests, shown)
	}
	return v, nil
}

// contest returns a contest in words.
func (p *pages) contest(x books.Contest) contest {
	out := contest{Status: in(statusWords(), string(x.Standing)), What: "办件 " + x.Item.Case.Project}
	if x.Item.Case.Project == "" {
		out.What = "本次服务的" + x.Item.Subject.Chinese()
	}
	if f := x.File; f != nil {
		out.Case, out.State, out.Kind = &f.CaseFile, in(caseWords(), string(f.State())), in(applicantWords(), string(f.Applicant))
		done, _ := f.Completed()
		out.Done, out.Deadline = web.Clock(done), web.Clock(f.Deadline)
	}
	for _, o := range x.Others {
		out.Others = append(out.Others, rival{p.row(o.Entry), in(statusWords(), string(o.Standing)), o.Overall})
	}
	return out
}

// indented returns JSON as people read it.
func indented(b []byte) string {
	var v any
	if json.Unmarshal(b, &v) != nil {
		return ""
	}
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return ""
	}
	return string(text)
}

// proof sends the proof that the sealed journal holds the evaluation, as "centrald prove" prints it.
func (p *pages) proof(c *web.Call) error {
	n, err := id(c)
	if err != nil {
		return err
	}
	pos, part := books.Entry{Cursor: n}.Pos()
	proof, err := p.Journal.Prove(c.R.Context(), pos, part)
	if errors.Is(err, journal.ErrUnsealed) || errors.Is(err, journal.ErrNoEntry) { // or there is no head at all yet
		return &web.Refusal{Status: http.StatusConflict, Words: "这份评价还没有封存：中心每分钟签署一次日志，请稍后再下载。It is under no signed head yet; try again in a " +
			"minute."}
	}
	if err != nil {
		return err
	}
	c.W.Header().Set("Content-Disposition", `attachment; filename="proof-`+strconv.FormatInt(n, 10)+`.json"`)
	return c.JSON(proof)
}
