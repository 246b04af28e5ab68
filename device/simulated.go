package device

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Simulated is a keypad that a program presses.
type Simulated struct {
	now     func() time.Duration
	presses chan press
}

type press struct {
	code Code
	at   time.Duration
}

// NewSimulated returns a keypad that does nothing before Run.
func NewSimulated(now func() time.Duration) *Simulated {
	return &Simulated{now: now, presses: make(chan press, 16)}
}

// Press presses and lets go a key. It is safe for concurrent use and waits while sixteen presses are not yet read.
func (s *Simulated) Press(ctx context.Context, c Code) error {
	select {
	case s.presses <- press{c, s.now()}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run emits events until ctx ends.
func (s *Simulated) Run(ctx context.Context, emit func(Event)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case p := <-s.presses:
			emit(Event{Source: sourceSimulated, Action: Down, Code: p.code, At: p.at})
			emit(Event{Source: sourceSimulated, Action: Up, Code: p.code, At: p.at})
		}
	}
}

// Handler presses the key named by the path value "code" of a POST that comes from a page of the same origin.
func (s *Simulated) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site := r.Header.Get("Sec-Fetch-Site")
		origin, err := url.Parse(r.Header.Get("Origin"))
		if site != "" && site != "none" && site != "same-origin" || err != nil || origin.Host != "" && origin.Host != r.Host {
			http.Error(w, "keys are pressed from the box's own page only", http.StatusForbidden)
			return
		}
		if err := s.Press(r.Context(), Code(r.PathValue("code"))); err != nil {
			http.Error(w, "the key was not read", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}
