package intake

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/cases"
	"haochaping/internal/central/db"
	"haochaping/internal/central/link"
	"haochaping/internal/rating"
	"haochaping/qrcode"
)

const (
	// Finished is how long the code that is posted at a terminal leads to what it has finished. Then somebody else may stand there.
	Finished = 5 * time.Minute
	// Claimed is how long that is the phone's alone which opened it.
	Claimed     = time.Minute
	visitLife   = 24 * time.Hour         // at the terminal's API
	postedYears = 10                     // that a posted code is good for
	maxVisitAsk = 20 * time.Second       // that GET waits for the end of a visit: the server ends an answer after 25 s
	lookEvery   = 500 * time.Millisecond // while it waits
)

// Terminals is the window API's contract for self-service terminals (自助服务终端要与好差评系统对接或张贴二维码, article 13).
type Terminals struct {
	Door  cases.Door
	Room  *Room
	Links Links
	Books *books.Books
}

// TerminalVisit is what a terminal has finished: one case.
type TerminalVisit struct {
	ID        string
	Terminal  string
	Case      rating.CaseKey
	Matter    string
	Opened    int64 // milliseconds since 1970-01-01 UTC, as below
	Cancelled int64 // 0: it is not
	digest    []byte
	// opener is the hash of who has opened it by the posted code, and openerSince when.
	opener      string
	openerSince int64
}

// newVisit is a visit as the window API has it.
type newVisit struct {
	Staff    rating.Staff     `json:"staff"`
	Cases    []rating.Case    `json:"cases"`
	Grouping rating.Grouping  `json:"grouping"`
	Separate bool             `json:"separate"`
	Subjects []rating.Subject `json:"subjects"`
	WaitSec  int              `json:"wait_sec"`
}

// finished returns the case that a terminal's visit completed. A terminal has no person: its matter is all that is asked, once a case.
func (v newVisit) finished() (rating.CaseKey, string, error) {
	if v.Staff != (rating.Staff{}) || slices.Contains(v.Subjects, rating.StaffSubject) {
		return rating.CaseKey{}, "", errors.New("a terminal has no staff; ask about the matter")
	}
	var done []rating.Case
	for _, c := range v.Cases {
		if c.Completed {
			done = append(done, c)
		}
	}
	if len(done) != 1 {
		return rating.CaseKey{}, "", fmt.Errorf("%d completed cases, want one; open a visit for each", len(done))
	}
	visit := rating.Visit{ID: 1, Window: rating.Window{ID: "terminal", Generation: 1}, Cases: done, Grouping: rating.Single,
		Subjects: []rating.Subject{rating.MatterSubject}, Opener: rating.OpenedByPC, WaitSec: 1}
	k := rating.CaseKey{Area: rating.PadArea(done[0].Area), Project: done[0].ProjectNo}
	visit.Cases[0].Area = k.Area
	return k, done[0].TaskName, errors.Join(visit.Check(), k.Check())
}

// Handler serves /v1/visits and what hangs on it.
func (t Terminals) Handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("POST /v1/visits", t.open)
	m.HandleFunc("GET /v1/visits/{id}", t.show)
	m.HandleFunc("DELETE /v1/visits/{id}", t.cancel)
	m.HandleFunc("GET /v1/visits/{id}/qr.png", t.code)
	m.HandleFunc("POST /v1/posted-code", t.posted)
	return m
}

func (t Terminals) open(w http.ResponseWriter, r *http.Request) {
	var in newVisit
	who, ok := t.Door.ReadBody(w, r, "kiosk", &in)
	if !ok {
		return
	}
	name := r.Header.Get("Idempotency-Key")
	k, matter, err := in.finished()
	switch {
	case err == nil && !who.Has(k.Area):
		err = errors.New("no such case is known")
	case len(name) > 255 || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' }):
		err = errors.New("Idempotency-Key: at most 255 printable characters of ASCII")
	}
	if err != nil {
		t.Door.Answer(w, http.StatusUnprocessableEntity, cases.Problem{Code: "invalid",
			Message: "未开始评价，请按接口说明更正。 The visit is not open: " + err.Error()})
		return
	}
	body, err := json.Marshal(in)
	if err != nil {
		t.Door.Fail(w, r, err)
		return
	}
	sum := sha256.Sum256(body)
	v := TerminalVisit{ID: strings.ToLower(rand.Text()[:16]), Terminal: who.Name, Case: k, Matter: matter, Opened: t.Links.Now().UnixMilli(),
		digest: sum[:]}
	kept, err := t.Room.opened(r.Context(), v, name)
	var url string
	if err == nil {
		url, err = t.linkOf(kept)
	}
	switch {
	case err != nil:
		t.Door.Fail(w, r, err)
		return
	case string(kept.digest) != string(v.digest):
		t.Door.Reused(w)
		return
	case kept.ID != v.ID:
		w.Header().Set("Idempotency-Replayed", "true")
	}
	w.Header().Set("Location", "/v1/visits/"+kept.ID)
	t.Door.Answer(w, http.StatusCreated, map[string]string{"id": kept.ID, "link": url})
}

// linkOf returns the address of the page that a terminal shows about a visit.
func (t Terminals) linkOf(v TerminalVisit) (string, error) {
	url, _, err := t.Links.Write(link.Claim{Case: v.Case, Channel: rating.Kiosk, Source: v.Terminal, Completed: true})
	return url, err
}

// find returns the visit that a request is about. If it returns false it has answered.
func (t Terminals) find(w http.ResponseWriter, r *http.Request) (TerminalVisit, bool) {
	who, ok := t.Door.Who(w, r, "kiosk")
	if !ok {
		return TerminalVisit{}, false
	}
	v, ok, err := t.Room.visit(r.Context(), who.Name, r.PathValue("id"))
	switch {
	case err != nil:
		t.Door.Fail(w, r, err)
	case !ok:
		t.Door.Answer(w, http.StatusNotFound, cases.Problem{Code: "unknown", Message: "没有这次服务。 No such visit is known."})
	}
	return v, ok && err == nil
}

// shownVisit is a visit as the window API has it: never how it was rated.
type shownVisit struct {
	ID      string           `json:"id"`
	Open    bool             `json:"open"`
	Outcome rating.Outcome   `json:"outcome,omitempty"`
	Rated   []rating.Subject `json:"rated_subjects"`
}

// view returns how a visit stands at a moment: rated once its matter is, by whatever channel.
func (t Terminals) view(ctx context.Context, v TerminalVisit, now time.Time) (shownVisit, error) {
	out := shownVisit{ID: v.ID, Open: true, Rated: []rating.Subject{}}
	c, _, err := t.Books.Case(ctx, v.Case)
	switch {
	case err != nil:
		return out, err
	case c.State() == books.CaseRated:
		out.Outcome, out.Rated = rating.RatedByPhone, []rating.Subject{rating.MatterSubject}
	case v.Cancelled != 0:
		out.Outcome = rating.Cancelled
	case now.Sub(time.UnixMilli(v.Opened)) >= Finished:
		out.Outcome = rating.TimedOut
	}
	out.Open = out.Outcome == ""
	return out, nil
}

// waitFor returns how long GET waits for the end of a visit: no longer than maxVisitAsk, though the window API allows a minute.
func waitFor(asked string) (time.Duration, error) {
	wait, err := time.ParseDuration(cmp.Or(asked, "0s"))
	if err == nil && (wait < 0 || wait > time.Minute) {
		err = errors.New("out of range")
	}
	return min(wait, maxVisitAsk), err
}

func (t Terminals) show(w http.ResponseWriter, r *http.Request) {
	v, ok := t.find(w, r)
	if !ok {
		return
	}
	wait, err := waitFor(r.URL.Query().Get("wait"))
	if err != nil {
		t.Door.Answer(w, http.StatusUnprocessableEntity, cases.Problem{Code: "invalid", Message: "wait 应为 0s 至 60s。 wait is 0s to 60s."})
		return
	}
	var out shownVisit
	for end := time.Now().Add(wait); ; {
		now, err := t.view(r.Context(), v, t.Links.Now())
		switch {
		case err != nil && out.Open && r.Context().Err() != nil: // open a moment ago, and there is no time to look again
		case err != nil:
			t.Door.Fail(w, r, err)
			return
		default:
			out = now
		}
		if !out.Open || !time.Now().Before(end) {
			t.Door.Answer(w, http.StatusOK, out)
			return
		}
		select {
		case <-r.Context().Done():
			t.Door.Answer(w, http.StatusOK, out)
			return
		case <-time.After(min(lookEvery, time.Until(end))):
		}
	}
}

func (t Terminals) cancel(w http.ResponseWriter, r *http.Request) {
	v, ok := t.find(w, r)
	if !ok {
		return
	}
	now, err := t.view(r.Context(), v, t.Links.Now())
	if err == nil && now.Open {
		err = t.Room.cancel(r.Context(), v.ID, t.Links.Now().UnixMilli())
	}
	switch {
	case err != nil:
		t.Door.Fail(w, r, err)
	case !now.Open && now.Outcome != rating.Cancelled:
		t.Door.Answer(w, http.StatusConflict, now)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (t Terminals) code(w http.ResponseWriter, r *http.Request) {
	v, ok := t.find(w, r)
	if !ok {
		return
	}
	url, err := t.linkOf(v)
	var image []byte
	if err == nil {
		image, err = qrcode.PNG(strings.ToUpper(url), 6)
	}
	if err != nil {
		t.Door.Fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(image) // whoever asked has gone
}

// posted serves the code to be posted at a terminal. It names the terminal and no case, and leads for Finished to what was finished there
// last.
func (t Terminals) posted(w http.ResponseWriter, r *http.Request) {
	who, ok := t.Door.Who(w, r, "kiosk")
	if !ok {
		return
	}
	url, err := t.Links.Posted(who.Name)
	var image string
	if err == nil {
		image, err = png(url)
	}
	if err != nil {
		t.Door.Fail(w, r, err)
		return
	}
	t.Door.Answer(w, http.StatusOK, map[string]string{"url": url, "qr_png": image})
}

// Posted returns the address behind the code that is posted at a terminal.
func (l Links) Posted(terminal string) (string, error) {
	if l.Base == "" {
		return "", ErrNoBase
	}
	token, err := l.Keeper.Write(link.Claim{Channel: rating.Kiosk, Source: terminal, Terminal: true,
		Expires: l.Now().AddDate(postedYears, 0, 0).Unix() / 60})
	return l.Base + link.Path + token, err
}

const readVisit = "SELECT id, terminal, area, project, matter, opened, cancelled, digest, opener, opener_since FROM terminal_visit "

func scanVisit(s db.Scanner) (v TerminalVisit, err error) {
	return v, s.Scan(&v.ID, &v.Terminal, &v.Case.Area, &v.Case.Project, &v.Matter, &v.Opened, &v.Cancelled, &v.digest, &v.opener,
		&v.openerSince)
}

// opened keeps a visit, and returns it, or the one that the same name opened before. What is a day old is forgotten.
func (r *Room) opened(ctx context.Context, v TerminalVisit, name string) (kept TerminalVisit, err error) {
	var known *string
	if name != "" {
		known = &name
	}
	err = r.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM terminal_visit WHERE opened < $1", v.Opened-visitLife.Milliseconds()); err != nil {
			return err
		}
		kept = v
		if known != nil {
			before, err := db.Query(ctx, tx, scanVisit, readVisit+"WHERE terminal = $1 AND name = $2", v.Terminal, name)
			if err != nil || len(before) > 0 {
				kept = append(before, v)[0]
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO terminal_visit (id, terminal, name, digest, area, project, matter, opened, cancelled)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)`, v.ID, v.Terminal, known, v.digest, v.Case.Area, v.Case.Project, v.Matter, v.Opened)
		return err
	})
	if err != nil {
		return v, fmt.Errorf("open a visit at a terminal: %w", err)
	}
	return kept, nil
}

func (r *Room) visit(ctx context.Context, terminal, id string) (v TerminalVisit, ok bool, err error) {
	all, err := db.Query(ctx, r.db, scanVisit, readVisit+"WHERE id = $1 AND terminal = $2", id, terminal)
	if err != nil || len(all) == 0 {
		return v, false, err
	}
	return all[0], true, nil
}

func (r *Room) cancel(ctx context.Context, id string, now int64) error {
	return r.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE terminal_visit SET cancelled = $1 WHERE id = $2 AND cancelled = 0", now, id)
		return err
	})
}

// Last returns what a terminal has finished last, if that was just before now and nobody has cancelled it, and for how long it is another
// opener's: the first one's alone for Claimed, and then the next one's, so that somebody who only looked keeps nobody from rating.
func (r *Room) Last(ctx context.Context, terminal, opener string, now time.Time) (k rating.CaseKey, wait time.Duration, err error) {
	all, err := db.Query(ctx, r.db, scanVisit, readVisit+"WHERE terminal = $1 ORDER BY opened DESC, id LIMIT 1", terminal)
	if err != nil {
		return k, 0, fmt.Errorf("look what a terminal has finished: %w", err)
	}
	if len(all) == 0 || all[0].Cancelled != 0 || now.Sub(time.UnixMilli(all[0].Opened)) >= Finished {
		return k, 0, nil
	}
	v := all[0]
	sum := sha256.Sum256([]byte(v.ID + "\n" + opener))
	hash := hex.EncodeToString(sum[:])
	left := time.UnixMilli(v.openerSince).Add(Claimed).Sub(now)
	switch {
	case v.opener == hash:
		return v.Case, 0, nil
	case v.opener != "" && left > 0:
		return v.Case, left, nil
	}
	claimed := int64(0)
	err = r.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.ExecContext(ctx, "UPDATE terminal_visit SET opener = $1, opener_since = $2 WHERE id = $3 AND opener = $4 AND "+
			"opener_since = $5",
			hash, now.UnixMilli(), v.ID, v.opener, v.openerSince)
		if err == nil {
			claimed, err = done.RowsAffected()
		}
		return err
	})
	if err != nil {
		return k, 0, fmt.Errorf("note who has opened what a terminal has finished: %w", err)
	}
	if claimed == 0 { // another one did at this moment
		wait = Claimed
	}
	return v.Case, wait, nil
}
