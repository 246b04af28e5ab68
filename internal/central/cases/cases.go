package cases

import (
	"context"
	_ "embed"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

//go:embed openapi.yaml
var description []byte

// Config names what the door needs.
type Config struct {
	Door
	Journal *journal.Journal
	Books   *books.Books
	// Awaited returns the boxes that may still hold an answer in time for a case; its default is provisional while there are any.
	Awaited func(ctx context.Context, c books.Case) ([]rating.DeviceID, error)
	// Silence says when a period without an answer is over. Without it, silence means nothing.
	Silence *rating.Calendar
}

type desk struct {
	Config
	known *together
}

// Handler serves /v1/cases and the description of it.
func Handler(c Config) http.Handler {
	d := desk{c, &together{read: c.Books.Cases}}
	m := http.NewServeMux()
	m.HandleFunc("POST /v1/cases", d.tell)
	m.HandleFunc("GET /v1/cases/{area}/{project}", d.show)
	m.HandleFunc("GET /v1/figures", d.figures)
	m.HandleFunc("GET /v1/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(description) // whoever asked has gone
	})
	return m
}

// fact is a case as a business system writes it. Times are RFC 3339.
type fact struct {
	Area        string           `json:"area"`
	ProjectNo   string           `json:"project_no"`
	TaskCode    string           `json:"task_code"`
	TaskName    string           `json:"task_name"`
	Unit        string           `json:"unit"`
	Applicant   rating.Applicant `json:"applicant"`
	Contact     string           `json:"contact"`
	Batch       string           `json:"batch"`
	Theme       string           `json:"theme"`
	Handling    rating.Handling  `json:"handling"`
	AcceptedAt  *time.Time       `json:"accepted_at"`
	CompletedAt *time.Time       `json:"completed_at"`
	AsOf        *time.Time       `json:"as_of"`
	Corrects    bool             `json:"corrects"`
}

func ms(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	if ms := t.UnixMilli(); ms != 0 {
		return ms
	}
	return 1 // a clock that is not set says something all the same
}

func (f fact) fact() rating.CaseFact {
	return rating.CaseFact{Area: rating.PadArea(f.Area), ProjectNo: f.ProjectNo, TaskCode: f.TaskCode, TaskName: f.TaskName, Unit: f.Unit,
		Applicant: f.Applicant,
		Batch:     f.Batch, Theme: f.Theme, Handling: f.Handling, AcceptedAt: ms(f.AcceptedAt), CompletedAt: ms(f.CompletedAt), AsOf: ms(f.AsOf),
		Corrects: f.Corrects}
}

// told is the answer to facts.
type told struct {
	Accepted int       `json:"accepted"`
	Replayed bool      `json:"replayed,omitempty"` // the request was here before
	Refused  []refused `json:"refused,omitempty"`
}

type refused struct {
	Index     int    `json:"index"` // in the request
	ProjectNo string `json:"project_no"`
	Code      string `json:"code"` // invalid, contradiction, unknown
	Message   string `json:"message"`
}

// unknownCase is said of a case that is not known, and of one outside of the asking system's area.
const unknownCase = "没有这个办件。 No such case is known."

// phoneDigits is what a number by which an applicant is reached may consist of.
const phoneDigits = "0123456789+-"

func (d desk) tell(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Cases []fact `json:"cases"`
	}
	who, key, ok := d.Read(w, r, "cases", &in)
	if !ok {
		return
	}
	if len(in.Cases) == 0 || len(in.Cases) > journal.MaxParts {
		d.Answer(w, http.StatusBadRequest, Problem{"cases", "一次请求 1 至 500 个办件。 A request holds 1 to 500 cases."})
		return
	}
	facts, out, err := d.judge(r.Context(), who, in.Cases)
	if err != nil {
		d.Fail(w, r, err)
		return
	}
	if out.Accepted == 0 {
		d.Answer(w, http.StatusUnprocessableEntity, out)
		return
	}
	receipt, err := d.Journal.Tell(r.Context(), who.Name, key, facts)
	if err != nil {
		d.Fail(w, r, err)
		return
	}
	if !receipt.Entered {
		if same, err := d.same(r.Context(), receipt.Pos, in.Cases, facts); err != nil {
			d.Fail(w, r, err)
			return
		} else if !same {
			d.Reused(w)
			return
		}
		out.Replayed = true
	}
	d.Answer(w, http.StatusOK, out)
}

// judge returns the facts that may be entered, and says of the others why not. Facts of one request about one case follow each other.
func (d desk) judge(ctx context.Context, who Holder, all []fact) ([]journal.Fact, told, error) {
	var out told
	var keys []rating.CaseKey
	for _, f := range all {
		keys = append(keys, f.fact().Key())
	}
	known, err := d.known.cases(ctx, keys)
	if err != nil {
		return nil, out, err
	}
	files := make(map[rating.CaseKey]rating.CaseFile)
	for k, c := range known {
		files[k] = c.CaseFile
	}
	now := d.Journal.Now()
	groups := batches{d.Books, keys, known, files, make(map[string]string)}
	var facts []journal.Fact
	for i, x := range all {
		f := x.fact()
		if !who.Has(f.Area) {
			out.Refused = append(out.Refused, refused{i, x.ProjectNo, "unknown", unknownCase})
			continue
		}
		err := f.Check(now)
		if bad := len(x.Contact) > 20 || strings.Trim(x.Contact, phoneDigits) != ""; err != nil || bad {
			message := "contact: 20 digits at most" // never the number itself
			if err != nil {
				message = err.Error()
			}
			out.Refused = append(out.Refused, refused{i, x.ProjectNo, "invalid", message})
			continue
		}
		next, against := files[f.Key()].Merge(f, now)
		if other, err := groups.otherTask(ctx, next); err != nil {
			return nil, out, err
		} else if other != "" {
			against = append(against, rating.Contradiction{Field: "task_code of the batch", Known: other, Said: next.TaskCode})
		}
		if len(against) > 0 {
			var lines []string
			for _, a := range against {
				lines = append(lines, a.String())
			}
			out.Refused = append(out.Refused, refused{i, x.ProjectNo, "contradiction",
				"与已知信息不一致；确需更正请设 corrects 和较新的 as_of。 It contradicts what is known; to correct it set corrects and a later as_of: " +
					strings.Join(lines, "; ")})
			continue
		}
		files[f.Key()] = next
		facts = append(facts, journal.Fact{Fact: f, Contact: x.Contact})
	}
	out.Accepted = len(facts)
	return facts, out, nil
}

// batches finds the tasks of the batches that a request names.
type batches struct {
	books *books.Books
	keys  []rating.CaseKey                   // of the request's cases
	known map[rating.CaseKey]books.Case      // the request's cases, as the books have them
	files map[rating.CaseKey]rating.CaseFile // the request's cases, as the facts so far have them
	tasks map[string]string                  // of the batches that were looked at, by their cases that the request does not name
}

// otherTask returns the task of the other cases of a case's batch if it is another one than the case's, else nothing:
// 在窗口单次申报同一事项2笔及以上的业务视为批量业务 (article 14). Only what a fact newly says is held against it.
func (b batches) otherTask(ctx context.Context, next rating.CaseFile) (task string, err error) {
	k, before := next.BatchKey(), b.files[next.Key()]
	if k == "" || k == before.BatchKey() && next.TaskCode == before.TaskCode {
		return "", nil
	}
	var there []rating.CaseKey
	for _, x := range b.keys {
		if f := b.files[x]; x != next.Key() && f.BatchKey() == k && f.TaskCode != next.TaskCode {
			return f.TaskCode, nil
		}
		if c := b.known[x]; c.BatchKey() == k && !slices.Contains(there, x) {
			there = append(there, x)
		}
	}
	task, looked := b.tasks[k]
	if !looked {
		if task, err = b.books.BatchTask(ctx, k, there); err != nil {
			return "", err
		}
		b.tasks[k] = task
	}
	if task == next.TaskCode {
		return "", nil
	}
	return task, nil
}

// same reports whether a row holds nothing but facts of a request, and all that may be entered of it.
func (d desk) same(ctx context.Context, pos int64, all []fact, taken []journal.Fact) (bool, error) {
	e, err := d.Journal.Entry(ctx, pos)
	if err != nil || e.Kind != journal.Cases {
		return false, err
	}
	var left []journal.Fact
	for _, f := range all {
		left = append(left, journal.Fact{Fact: f.fact(), Contact: f.Contact})
	}
	for i, p := range e.Parts {
		var t journal.Told
		if err := json.Unmarshal(p, &t); err != nil {
			return false, err
		}
		k, err := d.find(ctx, left, t, pos, i)
		if err != nil || k < 0 {
			return false, err
		}
		left = slices.Delete(left, k, k+1)
	}
	return !slices.ContainsFunc(taken, func(f journal.Fact) bool { return slices.Contains(left, f) }), nil
}

// find returns which of some facts stands in a part of a row, -1 if none does.
func (d desk) find(ctx context.Context, some []journal.Fact, t journal.Told, pos int64, part int) (int, error) {
	for k, f := range some {
		if f.Fact != t.Fact || (f.Contact != "") != (len(t.Contact) > 0) {
			continue
		}
		same, err := f.Contact == "", error(nil)
		if !same {
			same, err = d.Journal.Said(ctx, pos, part, f.Contact)
		}
		if err != nil || same {
			return k, err
		}
	}
	return -1, nil
}

// View is what programs learn of a case. They learn no level.
type View struct {
	Area        string           `json:"area"`
	ProjectNo   string           `json:"project_no"`
	TaskCode    string           `json:"task_code,omitempty"`
	TaskName    string           `json:"task_name,omitempty"`
	Unit        string           `json:"unit,omitempty"`
	Applicant   rating.Applicant `json:"applicant,omitempty"`
	Batch       string           `json:"batch,omitempty"`
	Theme       string           `json:"theme,omitempty"`
	Handling    rating.Handling  `json:"handling,omitempty"`
	AcceptedAt  string           `json:"accepted_at,omitempty"`
	CompletedAt string           `json:"completed_at,omitempty"`
	Surety      rating.Surety    `json:"completed_surety,omitempty"`
	Rateable    []rating.Subject `json:"rateable"` // what article 14 lets be rated
	State       books.CaseState  `json:"state"`
	Reachable   bool             `json:"reachable"`          // a contact is known; it is not shown
	Deadline    string           `json:"deadline,omitempty"` // that has passed, or is to come
	// MissingNotice is the year whose notice of working days is not known, so that the deadline may move.
	MissingNotice int               `json:"missing_notice,omitempty"`
	Provisional   bool              `json:"provisional,omitempty"` // the default is, while some boxes may hold an answer in time
	WaitingFor    []rating.DeviceID `json:"waiting_for,omitempty"`
}

// ViewOf returns the view of a case whose default waits for some boxes. Silence says when a period without an answer is over, nil: never.
func ViewOf(c books.Case, silence *rating.Calendar, awaited []rating.DeviceID) View {
	due := rating.Deadline{At: time.UnixMilli(c.Deadline)}
	if silence != nil && c.State() == books.CaseCompleted {
		due = c.Due(*silence)
	}
	at, surety := c.Completed()
	return View{Area: c.Key.Area, ProjectNo: c.Key.Project, TaskCode: c.TaskCode, TaskName: c.TaskName, Unit: c.Unit, Applicant: c.Applicant,
		Batch: c.Batch, Theme: c.Theme, Handling: c.Handling, AcceptedAt: text(c.AcceptedAt), CompletedAt: text(at), Surety: surety,
		Rateable: c.Handling.Subjects(), State: c.State(), Reachable: c.Contact != 0, Deadline: text(due.At.UnixMilli()),
		MissingNotice: due.Missing, Provisional: len(awaited) > 0, WaitingFor: awaited}
}

func text(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).In(rating.Shanghai()).Format(time.RFC3339)
}

func (d desk) show(w http.ResponseWriter, r *http.Request) {
	who, ok := d.Who(w, r, "cases")
	if !ok {
		return
	}
	k := rating.CaseKey{Area: rating.PadArea(r.PathValue("area")), Project: r.PathValue("project")}
	c, ok, err := d.Books.Case(r.Context(), k)
	switch {
	case err != nil:
		d.Fail(w, r, err)
	case !ok || !who.Has(k.Area):
		d.Answer(w, http.StatusNotFound, Problem{"unknown", unknownCase})
	default:
		awaited, err := d.Awaited(r.Context(), c)
		if err != nil {
			d.Fail(w, r, err)
			return
		}
		d.Answer(w, http.StatusOK, ViewOf(c, d.Silence, awaited))
	}
}

func (d desk) figures(w http.ResponseWriter, r *http.Request) {
	who, ok := d.Who(w, r, "figures")
	if !ok {
		return
	}
	if who.Area != "" { // the figures are of all areas
		d.Answer(w, http.StatusNotFound, Problem{"unknown", "没有这些数据。 No such figures are known."})
		return
	}
	f, err := d.Books.CaseFigures(r.Context())
	if err != nil {
		d.Fail(w, r, err)
		return
	}
	d.Answer(w, http.StatusOK, f)
}
