package windowapi

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"haochaping/internal/rating"
)

//go:embed openapi.yaml
var description []byte

const descriptionPath = "/openapi.yaml"

// Description returns the OpenAPI document.
func Description() []byte { return description }

// ErrNoVisit says that the window does not know a visit.
var ErrNoVisit = errors.New("there is no such visit")

// The states in which a window cannot ask.
const (
	StateStarting  = "starting"
	StateEnrolling = "enrolling"
	StatePaused    = "paused"
	StateClosed    = "closed" // nobody is signed in
	StateStopping  = "stopping"
)

// NotReadyError says that the window cannot do now what it is asked to.
type NotReadyError struct{ State string }

// Error returns the state for programs; the API has sentences for people.
func (e *NotReadyError) Error() string { return "the window cannot ask now: " + e.State }

// Terminal is the window as its PC sees it. Its methods are safe for concurrent use. They return *NotReadyError,
// *rating.RuleError, ErrNoVisit, or what is nobody's business but the log's.
type Terminal interface {
	// OpenVisit opens v once it is recorded, or while nothing can be; ID and window are filled in, and staff and wait where
	// they are empty.
	OpenVisit(ctx context.Context, v rating.Visit) (rating.VisitID, error)
	CancelVisit(ctx context.Context, id rating.VisitID) error
	Window() Window
	SignIn(ctx context.Context, s rating.Staff) error
	SignOut(ctx context.Context) error
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error
	// Print returns the visit's QR code as a PNG after recording that it was printed.
	Print(ctx context.Context, v rating.Visit, opened rating.Stamp) ([]byte, error)
}

// Status is what the PC may know of a visit.
type Status struct {
	Open    bool
	Outcome rating.Outcome   // empty while open
	Rated   []rating.Subject // what was rated, not how
}

// Window is what the PC may know of the window.
type Window struct {
	State   string         `json:"state"`
	Offline bool           `json:"offline"`
	Visit   rating.VisitID `json:"visit,omitzero"` // that is being asked about
	Staff   rating.Staff   `json:"staff,omitzero"`
}

// Config names the parts of the API and what is allowed.
type Config struct {
	Terminal Terminal
	Journal  *Journal
	Tokens   *Tokens
	// LoopbackWithoutToken lets every program on this machine in.
	LoopbackWithoutToken bool
	Hosts                []string // names besides the box's addresses
	Origins              []string // of pages that may call, as "https://hall.example"
	PrintQR              bool     // whether a PC may have the QR code
	Now                  func() time.Time
	Logger               *slog.Logger
}

// maxWait is how long a request may wait for the end of a visit.
const maxWait = time.Minute

// New returns the API.
func New(c Config) http.Handler {
	a := &api{Config: c, clients: newClients(c.Now), opening: make(map[string]chan struct{})}
	mux := http.NewServeMux()
	handle := func(path string, methods map[string]http.HandlerFunc) {
		for method, h := range methods {
			mux.HandleFunc(method+" "+path, h)
		}
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(methods)), ", "))
			a.fail(w, r, problemMethod())
		})
	}
	handle("/v1/visits", map[string]http.HandlerFunc{"POST": a.changes(a.open)})
	handle("/v1/visits/{id}", map[string]http.HandlerFunc{"GET": a.status, "DELETE": a.changes(a.cancel)})
	handle("/v1/visits/{id}/qr.png", map[string]http.HandlerFunc{"GET": a.changes(a.print)})
	handle("/v1/events", map[string]http.HandlerFunc{"GET": a.stream})
	handle("/v1/status", map[string]http.HandlerFunc{"GET": a.window})
	handle("/v1/staff", map[string]http.HandlerFunc{"PUT": a.changes(a.signIn), "DELETE": a.changes(a.does(c.Terminal.SignOut))})
	handle("/v1/pause", map[string]http.HandlerFunc{"PUT": a.changes(a.does(c.Terminal.Pause)),
		"DELETE": a.changes(a.does(c.Terminal.Resume))})
	handle(descriptionPath, map[string]http.HandlerFunc{"GET": a.describe})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { a.fail(w, r, problemNotFound()) })
	return a.guard(mux)
}

type api struct {
	Config
	clients *clients

	mu      sync.Mutex
	opening map[string]chan struct{} // Idempotency-Keys whose visit is being opened; guarded by mu
}

// changes lets through what has something recorded, as often as the storage card bears it.
func (a *api) changes(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !a.clients.change(clientOf(r)) {
			a.fail(w, r, problemTooMany(1))
			return
		}
		next(w, r)
	}
}

func (a *api) fail(w http.ResponseWriter, r *http.Request, p problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	w.Header().Add("Vary", "Accept-Language")
	a.write(w, p.Status, p.in(r.Header.Get("Accept-Language")))
}

// failWith answers with what an error of the Terminal means.
func (a *api) failWith(w http.ResponseWriter, r *http.Request, err error) {
	var rule *rating.RuleError
	var notReady *NotReadyError
	switch {
	case r.Context().Err() != nil: // the client has gone away, or the box is shutting down
		a.fail(w, r, problemNotReady(StateStopping))
	case errors.As(err, &rule):
		a.fail(w, r, problemRule(rule))
	case errors.As(err, &notReady):
		a.fail(w, r, problemNotReady(notReady.State))
	case errors.Is(err, ErrNoVisit):
		a.fail(w, r, problemNoVisit())
	case errors.Is(err, rating.ErrVisitTooLarge):
		a.fail(w, r, problemTooLarge())
	default:
		a.Logger.Error("a request of the window's PC failed", "method", r.Method, "path", r.URL.Path, "error", err)
		a.fail(w, r, problemInternal())
	}
}

func (a *api) write(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		a.Logger.Error("an answer cannot be encoded", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	a.send(w, status, b)
}

func (a *api) send(w http.ResponseWriter, status int, b []byte) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// A recorder of a test knows no deadline; a connection that has gone away is no error of ours.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

func (a *api) describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	a.send(w, http.StatusOK, description)
}

// visitStatus is the answer about a visit.
type visitStatus struct {
	ID      rating.VisitID   `json:"id"`
	Open    bool             `json:"open"`
	Outcome rating.Outcome   `json:"outcome,omitempty"`
	Rated   []rating.Subject `json:"rated_subjects"`
}

var waitPattern = regexp.MustCompile(`^([0-5]?[0-9]|60)s$`)

func (a *api) status(w http.ResponseWriter, r *http.Request) {
	id, err := rating.ParseVisitID(r.PathValue("id"))
	if err != nil {
		a.fail(w, r, problemNoVisit())
		return
	}
	var wait time.Duration
	if q, sent := r.URL.Query()["wait"]; sent {
		if !waitPattern.MatchString(q[0]) {
			a.fail(w, r, problemInvalid("", "wait 应为 0s 到 60s 的整秒数。", "wait is whole seconds, 0s to 60s."))
			return
		}
		seconds, err := strconv.Atoi(q[0][:len(q[0])-1])
		if err != nil {
			a.failWith(w, r, err)
			return
		}
		wait = min(time.Duration(seconds)*time.Second, maxWait)
	}
	if wait > 0 {
		release, ok := a.clients.hold(clientOf(r), pollsOf, maxPolls)
		if !ok {
			a.fail(w, r, problemTooMany(1))
			return
		}
		defer release()
	}
	s, known := a.statusOf(r, id, wait)
	if !known {
		a.failWith(w, r, ErrNoVisit)
		return
	}
	if s.Rated == nil {
		s.Rated = []rating.Subject{}
	}
	a.write(w, http.StatusOK, visitStatus{id, s.Open, s.Outcome, s.Rated})
}

// statusOf returns how a visit ended, for which it waits so long at most.
func (a *api) statusOf(r *http.Request, id rating.VisitID, wait time.Duration) (Status, bool) {
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	return a.Journal.Status(ctx, id)
}

func (a *api) cancel(w http.ResponseWriter, r *http.Request) {
	id, err := rating.ParseVisitID(r.PathValue("id"))
	if err != nil {
		err = ErrNoVisit
	} else {
		err = a.Terminal.CancelVisit(r.Context(), id)
	}
	if err == nil || errors.Is(err, ErrNoVisit) { // the end can have come otherwise meanwhile, or all had been answered by then
		if s, known := a.statusOf(r, id, 0); known && !s.Open {
			a.ended(w, r, s.Outcome)
			return
		}
	}
	if err != nil {
		a.failWith(w, r, err)
		return
	}
	a.send(w, http.StatusNoContent, nil)
}

// ended answers a cancellation that came too late. One that comes twice has what it wanted.
func (a *api) ended(w http.ResponseWriter, r *http.Request, o rating.Outcome) {
	if o == rating.Cancelled {
		a.send(w, http.StatusNoContent, nil)
		return
	}
	a.fail(w, r, problemEnded(o))
}

func (a *api) print(w http.ResponseWriter, r *http.Request) {
	if !a.PrintQR {
		a.fail(w, r, problemNoPrint())
		return
	}
	id, err := rating.ParseVisitID(r.PathValue("id"))
	v, at, ok := a.Journal.recorded(id)
	if err != nil || !ok {
		a.fail(w, r, problemNoVisit())
		return
	}
	png, err := a.Terminal.Print(r.Context(), v, at)
	if err != nil {
		a.failWith(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	a.send(w, http.StatusOK, png)
}

func (a *api) window(w http.ResponseWriter, _ *http.Request) {
	a.write(w, http.StatusOK, a.Terminal.Window())
}

func (a *api) signIn(w http.ResponseWriter, r *http.Request) {
	body, bad := readBody(r)
	var s staffJSON
	if bad == nil {
		bad = decode(body, &s)
	}
	if bad == nil {
		bad = s.check()
	}
	if bad != nil {
		a.fail(w, r, *bad)
		return
	}
	a.does(func(ctx context.Context) error { return a.Terminal.SignIn(ctx, rating.Staff(s)) })(w, r)
}

// does returns the handler of something that is done or not.
func (a *api) does(f func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := f(r.Context()); err != nil {
			a.failWith(w, r, err)
			return
		}
		a.send(w, http.StatusNoContent, nil)
	}
}
