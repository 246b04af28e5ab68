// Package windowapi is the box's local HTTP API for the business system on the window's PC: it opens a visit, follows how
// the asking ends, and cancels it.
//
//	POST   /v1/visits            opens a visit, superseding an open one; answers 201 with its id
//	GET    /v1/visits/{id}       says whether it is open, else its outcome; ?wait=25s waits for the end
//	DELETE /v1/visits/{id}       cancels it
//	GET    /v1/status            says what the window is doing
//
// Nothing here discloses a score or how a citizen decided (articles 4 and 21): a PC learns that a visit was rated, timed out,
// cancelled, superseded or interrupted. Errors are problem details of RFC 9457 in Chinese and English, with what to do.
//
// The API is for loopback. It refuses requests that a web page on another origin has caused, by Host, Origin and
// Sec-Fetch-Site, since a browser on the PC would otherwise be a way in.
package windowapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"haochaping/internal/rating"
)

// Errors that a Terminal returns. Any other error of OpenVisit is a rule that the visit breaks.
var (
	ErrNotReady = errors.New("the window cannot ask now")
	ErrNoVisit  = errors.New("there is no such visit")
)

// Terminal is the window as its PC sees it.
type Terminal interface {
	// OpenVisit opens v; ID, window and opener are filled in, and the wait where it is 0.
	OpenVisit(ctx context.Context, v rating.Visit) (rating.VisitID, error)
	CancelVisit(ctx context.Context, id rating.VisitID) error
	// VisitStatus waits for the end of the visit, at most for wait.
	VisitStatus(ctx context.Context, id rating.VisitID, wait time.Duration) (Status, error)
	State() (state string, offline bool)
}

// Status is what the PC may know of a visit.
type Status struct {
	Open    bool
	Outcome rating.Outcome   // empty while open
	Rated   []rating.Subject // what was rated, not how
}

// Config names the parts of the API.
type Config struct {
	Terminal Terminal
	Logger   *slog.Logger
}

// Bounds of a request.
const (
	maxBody = 64 << 10
	maxWait = 60 * time.Second
)

// New returns the API.
func New(c Config) http.Handler {
	a := api{c}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/visits", a.open)
	mux.HandleFunc("GET /v1/visits/{id}", a.status)
	mux.HandleFunc("DELETE /v1/visits/{id}", a.cancel)
	mux.HandleFunc("GET /v1/status", a.window)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { a.fail(w, problemNotFound) })
	return a.guard(mux)
}

type api struct{ Config }

// problem is an error of the API as RFC 9457 has it.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

var (
	problemOrigin   = problem{"urn:hcp:problem:origin", "来源不允许 / Origin not allowed", http.StatusForbidden, "请从本窗口电脑上的业务系统直接调用,不要从网页调用。 Call from the business system on this PC, not from a web page of another origin."}
	problemNotFound = problem{"urn:hcp:problem:not-found", "没有这个地址 / No such resource", http.StatusNotFound, "请检查路径和方法。 Check the path and the method."}
	problemNoVisit  = problem{"urn:hcp:problem:no-visit", "没有这次评价 / No such visit", http.StatusNotFound, "它已经结束或从未开始,请重新发起。 It has ended or never began; open a new one."}
	problemNotReady = problem{"urn:hcp:problem:not-ready", "窗口暂不能评价 / The window cannot ask now", http.StatusConflict, ""}
	problemInvalid  = problem{"urn:hcp:problem:invalid", "请求不符合要求 / Invalid request", http.StatusUnprocessableEntity, ""}
	problemTooLarge = problem{"urn:hcp:problem:too-large", "请求太大 / Request too large", http.StatusRequestEntityTooLarge, "请求体最多64 KiB。 The body may have 64 KiB."}
	problemInternal = problem{"urn:hcp:problem:internal", "评价器内部错误 / Internal error", http.StatusInternalServerError, "请稍后重试;如仍失败,请联系管理员。 Try again; if it fails again, tell the administrator."}
)

func (p problem) with(detail string) problem {
	p.Detail = detail
	return p
}

func (a api) fail(w http.ResponseWriter, p problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	a.write(w, p.Status, p)
}

func (a api) write(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		a.Logger.Error("an answer cannot be encoded", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that has gone away is no error of ours
}

// guard refuses requests that did not come from a program on the PC.
func (a api) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site := r.Header.Get("Sec-Fetch-Site")
		if !loopback(r.Host) || !sameOrigin(r) || site != "" && site != "none" && site != "same-origin" {
			a.fail(w, problemOrigin)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// loopback reports whether a Host header names this machine. A name that an attacker made to point here is none.
func loopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

func sameOrigin(r *http.Request) bool {
	o := r.Header.Get("Origin")
	if o == "" {
		return true
	}
	u, err := url.Parse(o)
	return err == nil && u.Host == r.Host
}

type caseJSON struct {
	ProjectNo string `json:"project_no"`
	TaskCode  string `json:"task_code"`
	TaskName  string `json:"task_name"`
	Completed bool   `json:"completed"`
}

type visitJSON struct {
	Staff struct {
		ID         string `json:"id"`
		Name       string `json:"name"`
		Department string `json:"department"`
	} `json:"staff"`
	Cases    []caseJSON       `json:"cases"`
	Grouping rating.Grouping  `json:"grouping"`
	Subjects []rating.Subject `json:"subjects"`
	WaitSec  int              `json:"wait_sec"`
}

// visit returns the visit with the defaults of what the request leaves out: the person is asked about, and the matter where
// a case is completed (article 14).
func (j visitJSON) visit() rating.Visit {
	v := rating.Visit{Staff: rating.Staff(j.Staff), Grouping: j.Grouping, Subjects: j.Subjects, WaitSec: j.WaitSec}
	for _, c := range j.Cases {
		v.Cases = append(v.Cases, rating.Case(c))
	}
	if v.Grouping == "" {
		v.Grouping = rating.Single
	}
	if len(v.Subjects) == 0 {
		v.Subjects = []rating.Subject{rating.StaffSubject}
		if slices.ContainsFunc(v.Cases, func(c rating.Case) bool { return c.Completed }) {
			v.Subjects = append(v.Subjects, rating.MatterSubject)
		}
	}
	return v
}

func (a api) open(w http.ResponseWriter, r *http.Request) {
	var j visitJSON
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(&j)
	if err == nil {
		if _, extra := d.Token(); !errors.Is(extra, io.EOF) {
			err = errors.New("there is something after the object")
		}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		a.fail(w, problemTooLarge)
		return
	case err != nil:
		a.fail(w, problemInvalid.with(fmt.Sprintf("请求体不是约定的JSON。 The body is not the JSON that is agreed: %v", err)))
		return
	}
	id, err := a.Terminal.OpenVisit(r.Context(), j.visit())
	switch {
	case errors.Is(err, ErrNotReady):
		a.fail(w, problemNotReady.with(fmt.Sprintf("请先处理窗口状态后重试。 Mend the window's state and try again: %v", err)))
	case r.Context().Err() != nil:
		return
	case err != nil:
		a.fail(w, problemInvalid.with(err.Error()))
	default:
		w.Header().Set("Location", "/v1/visits/"+id.String())
		a.write(w, http.StatusCreated, map[string]string{"id": id.String()})
	}
}

// visitStatus is the answer about a visit.
type visitStatus struct {
	ID      rating.VisitID   `json:"id"`
	Open    bool             `json:"open"`
	Outcome rating.Outcome   `json:"outcome,omitempty"`
	Rated   []rating.Subject `json:"rated_subjects"`
}

func (a api) status(w http.ResponseWriter, r *http.Request) {
	id, err := rating.ParseVisitID(r.PathValue("id"))
	if err != nil {
		a.fail(w, problemNoVisit)
		return
	}
	var wait time.Duration
	if q := r.URL.Query().Get("wait"); q != "" {
		if wait, err = time.ParseDuration(q); err != nil || wait < 0 || wait > maxWait {
			a.fail(w, problemInvalid.with("wait 应为 0s 到 60s。 wait must be 0s to 60s."))
			return
		}
	}
	s, err := a.Terminal.VisitStatus(r.Context(), id, wait)
	switch {
	case errors.Is(err, ErrNoVisit):
		a.fail(w, problemNoVisit)
	case err != nil:
		a.Logger.Error("a visit's status cannot be read", "error", err)
		a.fail(w, problemInternal)
	default:
		if s.Rated == nil {
			s.Rated = []rating.Subject{}
		}
		a.write(w, http.StatusOK, visitStatus{id, s.Open, s.Outcome, s.Rated})
	}
}

func (a api) cancel(w http.ResponseWriter, r *http.Request) {
	id, err := rating.ParseVisitID(r.PathValue("id"))
	if err == nil {
		err = a.Terminal.CancelVisit(r.Context(), id)
	} else {
		err = ErrNoVisit
	}
	switch {
	case errors.Is(err, ErrNoVisit):
		a.fail(w, problemNoVisit)
	case err != nil:
		a.Logger.Error("a visit cannot be cancelled", "error", err)
		a.fail(w, problemInternal)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (a api) window(w http.ResponseWriter, _ *http.Request) {
	state, offline := a.Terminal.State()
	a.write(w, http.StatusOK, map[string]any{"state": state, "offline": offline})
}
