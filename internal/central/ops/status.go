package ops

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Part is a part of the centre that works or does not.
type Part struct {
	Name string `json:"name"` // journal, books, broker, seal
	OK   bool   `json:"ok"`
	What string `json:"what,omitempty"` // why not, for people who run the centre
}

// Hall sums up what the boxes of a hall have said last.
type Hall struct {
	ID, Area, Name string
	Boxes          int
	Online         int
	Ill            int    // with a trouble, or refused
	Pending        uint64 // records that wait in those that were heard
}

// Status is how the centre is at one moment. A nil figure is not known.
type Status struct {
	Version  string
	Parts    []Part
	Rows     *int64         // of the journal
	Behind   *int64         // rows that are not in the books
	Age      *time.Duration // for how long the books have not reached what the journal had
	Unsealed *int64         // rows under no signed head
	SealAge  *time.Duration // for how long no head covers what the journal had
	Findings *int64         // that stand
	Sessions *int64         // of people who are signed in
	Waiting  *int64         // accounts and addresses that have failed so often that they must wait
	Upward   *Upward        // nil also where nothing goes upward
	Halls    []Hall
	Alerts   []Alerts
}

// Alerts is how many alerts of a kind are open about the boxes of a hall, which is empty for those that stand in none.
type Alerts struct {
	Hall, Kind string
	Open       int
}

// Upward is how what goes to a superior system stands.
type Upward struct {
	Waiting int64         // records that could go and do not
	Refused int64         // that people have to look at
	Age     time.Duration // for how long the oldest of Waiting has been so
}

// OK reports whether all parts work.
func (s Status) OK() bool {
	for _, p := range s.Parts {
		if !p.OK {
			return false
		}
	}
	return true
}

const (
	// lookEvery is for how long a look at the databases is good enough for the next who asks.
	lookEvery = 5 * time.Second
	// lookLimit is how long a look may take.
	lookLimit = 10 * time.Second
)

// watch looks when it is asked, and remembers. It is safe for concurrent use.
type watch struct {
	look func(context.Context) Status
	now  func() time.Time

	mu   sync.Mutex
	last Status    // guarded by mu
	at   time.Time // guarded by mu; zero before the first look
}

// status returns how the centre is, or was a moment ago. One looks at a time; the others wait for it.
func (w *watch) status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.at.IsZero() && w.now().Sub(w.at) < lookEvery {
		return w.last
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookLimit)
	defer cancel()
	w.last = w.look(ctx)
	w.at = w.now()
	return w.last
}

// collector makes metrics of a Status.
type collector struct {
	status func() Status

	build, part, rows, behind, age, unsealed, sealAge, findings, sessions, waiting *prometheus.Desc
	upward, upwardRefused, upwardAge                                               *prometheus.Desc
	hall, boxes, online, ill, pending, alerts                                      *prometheus.Desc
}

func newCollector(status func() Status) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("centrald_"+name, help, labels, nil)
	}
	return &collector{
		status:        status,
		build:         desc("build_info", "Always 1; the daemon's version is in the label.", "version"),
		part:          desc("part_ok", "1 if a part of the centre works, else 0.", "part"),
		rows:          desc("journal_rows", "Rows of the journal, of all instances together."),
		behind:        desc("books_behind_rows", "Rows of the journal that are not in the books."),
		age:           desc("books_behind_seconds", "For how long the books have not reached what the journal had."),
		unsealed:      desc("unsealed_rows", "Rows of the journal under no signed head."),
		sealAge:       desc("unsealed_seconds", "For how long no signed head covers what the journal had."),
		findings:      desc("findings_open", "Findings about what boxes have sent that stand."),
		sessions:      desc("sessions_open", "Sessions of people who are signed in."),
		waiting:       desc("signin_delayed", "Accounts and addresses that have failed to sign in so often that they must wait."),
		upward:        desc("upward_waiting", "Records that could go to the superior system and do not."),
		upwardRefused: desc("upward_refused", "Records that the superior system has refused, for people to look at."),
		upwardAge:     desc("upward_waiting_seconds", "For how long the oldest record waits that could go to the superior system."),
		hall:          desc("hall_info", "Always 1; a hall of the organisation that has boxes.", "hall", "area", "name"),
		boxes:         desc("hall_boxes", "Boxes that are enrolled, by hall; of none where the organisation does not know the window.", "hall"),
		online:        desc("hall_boxes_online", "Boxes that are connected.", "hall"),
		ill:           desc("hall_boxes_ill", "Boxes that say of a trouble, or are not believed.", "hall"),
		pending:       desc("hall_records_pending", "Records that wait in boxes, as these have said last.", "hall"),
		alerts:        desc("hall_alerts_open", "Alerts about boxes that are open, where there are any, by hall and kind.", "hall", "kind"),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.build, c.part, c.rows, c.behind, c.age, c.unsealed, c.sealAge, c.findings, c.sessions, c.waiting,
		c.upward, c.upwardRefused, c.upwardAge, c.hall, c.boxes, c.online, c.ill, c.pending, c.alerts} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	s := c.status()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(c.build, 1, s.Version)
	for _, p := range s.Parts {
		gauge(c.part, map[bool]float64{true: 1}[p.OK], p.Name)
	}
	for d, v := range map[*prometheus.Desc]*int64{c.rows: s.Rows, c.behind: s.Behind, c.unsealed: s.Unsealed, c.findings: s.Findings,
		c.sessions: s.Sessions, c.waiting: s.Waiting} {
		if v != nil {
			gauge(d, float64(*v))
		}
	}
	for d, v := range map[*prometheus.Desc]*time.Duration{c.age: s.Age, c.sealAge: s.SealAge} {
		if v != nil {
			gauge(d, v.Seconds())
		}
	}
	if u := s.Upward; u != nil {
		gauge(c.upward, float64(u.Waiting))
		gauge(c.upwardRefused, float64(u.Refused))
		gauge(c.upwardAge, u.Age.Seconds())
	}
	for _, h := range s.Halls {
		gauge(c.hall, 1, h.ID, h.Area, h.Name)
		gauge(c.boxes, float64(h.Boxes), h.ID)
		gauge(c.online, float64(h.Online), h.ID)
		gauge(c.ill, float64(h.Ill), h.ID)
		gauge(c.pending, float64(h.Pending), h.ID)
	}
	for _, a := range s.Alerts {
		gauge(c.alerts, float64(a.Open), a.Hall, a.Kind)
	}
}
