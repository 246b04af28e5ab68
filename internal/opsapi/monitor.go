package opsapi

import (
	"context"
	"sync"
	"time"

	"haochaping/internal/condition"
	"haochaping/internal/crash"
)

// Watched is a part of the box that is looked at.
type Watched struct {
	Name  string
	Vital bool
	// Look says how the part is. It may hang with the part, whatever ctx says; there is never more than one at a time.
	Look func(ctx context.Context) condition.Finding
}

// Clocks are the machine's.
type Clocks struct {
	Mono func() time.Duration // since the machine started
	Wall func() time.Time
}

const (
	// lookPause is how often the parts are looked at when nobody asks.
	lookPause = 5 * time.Second
	// lookLimit is how long a part may take to answer; a write to a slow card takes less.
	lookLimit = 2 * time.Second
	// lookAgain is for how long an answer is good enough for the next one who asks.
	lookAgain = 500 * time.Millisecond
)

// Monitor remembers how the parts of a box are and since when. It is safe for concurrent use.
type Monitor struct {
	parts []Watched
	clock Clocks
	wake  chan struct{}
	told  func(Health) // what Run tells; nil if nobody listens

	round sync.Mutex    // held by whoever looks at the parts
	asked time.Duration // guarded by round; when the last round ended
	ever  bool          // guarded by round

	mu    sync.Mutex
	seen  []seen // guarded by mu; like parts
	fault *fault // guarded by mu; the last one
}

// seen is what is known of a part. Times are since the machine started.
type seen struct {
	known   bool
	finding condition.Finding
	since   time.Duration
	answers uint64
	looking chan struct{} // closed when the look that goes on has ended; nil if none does
	begun   time.Duration // of that look
}

type fault struct {
	part  int
	why   condition.Finding
	since time.Duration
	until time.Duration // 0: it goes on
}

// NewMonitor returns a Monitor that looks when it is asked, and by itself once it runs.
func NewMonitor(c Clocks, parts ...Watched) *Monitor {
	return &Monitor{parts: parts, clock: c, wake: make(chan struct{}, 1), seen: make([]seen, len(parts))}
}

// Add adds parts. Call it before anybody looks.
func (m *Monitor) Add(parts ...Watched) {
	m.parts = append(m.parts, parts...)
	m.seen = append(m.seen, make([]seen, len(parts))...)
}

// Run looks at the parts every few seconds, so that it is known since when one does not work, until ctx ends.
func (m *Monitor) Run(ctx context.Context) error {
	tick := time.NewTicker(lookPause)
	defer tick.Stop()
	for {
		m.look(ctx, 0)
		if m.told != nil {
			m.told(m.Last())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-m.wake:
		}
	}
}

// Wake lets Run look at once. It never blocks.
func (m *Monitor) Wake() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Health looks at the parts and says how they are. It answers within a little more than two seconds.
func (m *Monitor) Health(ctx context.Context) Health {
	m.look(ctx, lookAgain)
	return m.Last()
}

// Last says how the parts were at the last look, at once.
func (m *Monitor) Last() Health {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := Health{OK: true}
	for i, p := range m.parts {
		s := m.seen[i]
		f := s.finding
		h.Parts = append(h.Parts, Part{Name: p.Name, OK: s.known && f.OK(), Vital: p.Vital, Code: f.Code, Level: f.Level,
			What: f.What, Means: f.Means, Do: f.Do, Since: m.wall(s.since)})
		h.OK = h.OK && (s.known && f.Level != condition.Ill || !p.Vital)
	}
	return h
}

// LastFault returns the last time that a part did not work, nil if all always have. Of parts that do not work now it is
// the one that failed last.
func (m *Monitor) LastFault() *Fault {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault == nil {
		return nil
	}
	out := &Fault{Part: m.parts[m.fault.part].Name, Code: m.fault.why.Code, What: m.fault.why.What, Since: m.wall(m.fault.since)}
	if m.fault.until != 0 {
		until := m.wall(m.fault.until)
		out.Until = &until
	}
	return out
}

// Answers returns how often each of some parts has answered a look. It is for a watchdog.
func (m *Monitor) Answers(parts ...string) []uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]uint64, len(parts))
	for at, name := range parts {
		for i, p := range m.parts {
			if p.Name == name {
				out[at] = m.seen[i].answers
			}
		}
	}
	return out
}

// Tell lets Run call told with how the parts are, after each of its looks. Call it before Run.
func (m *Monitor) Tell(told func(Health)) { m.told = told }

// wall returns the wall time of a moment, by the clock as it is now: one that was set meanwhile is believed.
func (m *Monitor) wall(at time.Duration) time.Time {
	return m.clock.Wall().Add(at - m.clock.Mono()).Round(time.Millisecond)
}

// look looks at all parts at once, unless somebody has within the time given, and waits for at most lookLimit.
func (m *Monitor) look(ctx context.Context, fresh time.Duration) {
	m.round.Lock()
	defer m.round.Unlock()
	if m.ever && m.clock.Mono()-m.asked < fresh {
		return
	}
	limit := time.NewTimer(lookLimit)
	defer limit.Stop()
	looks := make([]chan struct{}, len(m.parts))
	for i := range m.parts {
		looks[i] = m.begin(context.WithoutCancel(ctx), i)
	}
	late := false
	for i, done := range looks {
		if !late {
			select {
			case <-done:
			case <-limit.C:
				late = true
			case <-ctx.Done():
				return // who asked has gone
			}
		}
		select {
		case <-done:
		default:
			if late {
				m.hangs(i, done)
			}
		}
	}
	m.asked, m.ever = m.clock.Mono(), true
}

// begin begins a look at a part, or joins the one that goes on.
func (m *Monitor) begin(ctx context.Context, i int) chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := &m.seen[i]; s.looking != nil {
		return s.looking
	}
	done := make(chan struct{})
	m.seen[i].looking, m.seen[i].begun = done, m.clock.Mono()
	go func() {
		var f condition.Finding
		if err := crash.Contain(func() error { f = m.parts[i].Look(ctx); return nil }); err != nil {
			f = condition.Unseen(m.parts[i].Name, err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.note(i, f, m.clock.Mono())
		m.seen[i].looking = nil
		m.seen[i].answers++
		close(done)
	}()
	return done
}

// hangs notes that a part has not answered, unless it just has.
func (m *Monitor) hangs(i int, look chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen[i].looking != look {
		return
	}
	m.note(i, condition.Hangs(m.parts[i].Name), m.seen[i].begun)
}

// note keeps a finding. It needs mu.
func (m *Monitor) note(i int, f condition.Finding, at time.Duration) {
	s := &m.seen[i]
	first := !s.known
	if first || s.finding.OK() != f.OK() {
		s.since = at
	}
	ill := f.Level == condition.Ill
	failed := ill && (first || s.finding.Level != condition.Ill)
	s.known, s.finding = true, f
	switch {
	case failed:
		m.fault = &fault{part: i, why: f, since: at}
	case m.fault != nil && m.fault.part == i && m.fault.until == 0 && !ill:
		m.fault.until = max(at, 1)
	case m.fault != nil && m.fault.part == i && m.fault.until == 0:
		m.fault.why = f
	}
}
