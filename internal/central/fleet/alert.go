package fleet

import (
	"slices"
	"time"

	"haochaping/internal/condition"
	"haochaping/internal/rating"
)

// AlertKind is what an alert is about.
type AlertKind string

// The kinds of alerts, the gravest first.
const (
	AlertOutage      AlertKind = "outage"         // nearly all boxes of a hall are silent while it is open
	AlertSilent      AlertKind = "silent"         // a box is silent while its hall is open
	AlertService     AlertKind = "out_of_service" // nobody can rate by key at a window
	AlertDisk        AlertKind = "disk"           // a box has no room left
	AlertKey         AlertKind = "key"            // a key is stuck
	AlertBacklog     AlertKind = "backlog"        // records have waited for a day
	AlertCertificate AlertKind = "certificate"    // a certificate ends soon
)

// AlertKinds returns all kinds, the gravest first.
func AlertKinds() []AlertKind {
	return []AlertKind{AlertOutage, AlertSilent, AlertService, AlertDisk, AlertKey, AlertBacklog, AlertCertificate}
}

const (
	// alertHold is how long something must last before it is an alert, and be over before it is none.
	alertHold = 5 * time.Minute
	// lookGap is after how long without a look nothing is known of the time between.
	lookGap = 3 * time.Minute
	// lateBacklog and lateCertificate are what is too long and too few days.
	lateBacklog     = 24 * time.Hour
	lateCertificate = 20
	// leastOutage is how many boxes make an outage of a hall; all but a fifth of its boxes are silent then.
	leastOutage = 2
)

// Alert is something that somebody should look at.
type Alert struct {
	ID      string
	Kind    AlertKind
	Device  rating.DeviceID // empty for one of a whole hall
	Hall    string          // empty for a box that stands in none
	Area    string          // of the hall, 12 digits
	Name    string          // of the window or hall
	Detail  string          // in Chinese, as it was when it began
	Since   time.Time
	Opened  time.Time // zero: it has not lasted yet
	Away    time.Time // since when it is over, zero: it is not
	Ended   time.Time
	Acked   time.Time // when somebody said that they look after it
	AckedBy string
}

// subject is what there is at most one alert of at a time.
type subject struct {
	kind   AlertKind
	device rating.DeviceID
	hall   string
}

func (a Alert) subject() subject { return subject{a.Kind, a.Device, a.Hall} }

// answer is what a look says of a subject.
type answer int

// The answers. What a look cannot tell leaves an open alert as it is.
const (
	no answer = iota
	yes
	unknown
)

// judged is what a look found of a subject.
type judged struct {
	Alert
	is answer
}

// look gathers what was found of all boxes at one moment.
type look struct {
	now  time.Time
	days rating.Calendar
	open map[string]Hours // of halls that have said so
	all  map[subject]judged
	hall map[string]*hallLook
}

// hallLook is what was found of a hall.
type hallLook struct {
	Alert         // of an outage
	heard, silent int
	boxes         []subject
}

func newLook(now time.Time, days rating.Calendar, open map[string]Hours) *look {
	return &look{now: now, days: days, open: open, all: make(map[subject]judged), hall: make(map[string]*hallLook)}
}

// isOpen reports whether a hall is open now.
func (l *look) isOpen(hall string) bool {
	h, ok := l.open[hall]
	if !ok {
		h = UsualHours()
	}
	return h.Open(l.now, l.days)
}

// place is where a box stands.
type place struct{ window, hall, name, area string }

// box looks at one box.
func (l *look) box(s State, p place) {
	put := func(k AlertKind, is answer, detail string) {
		a := Alert{Kind: k, Device: s.ID, Hall: p.hall, Area: p.area, Name: p.window, Detail: detail}
		l.all[a.subject()] = judged{a, is}
	}
	if s.Standing(l.now) == Never {
		return
	}
	online := s.online(l.now)
	silent := no
	if !online {
		silent = unknown
		if l.isOpen(p.hall) {
			silent = yes
		}
	}
	put(AlertSilent, silent, "最后一次通信 "+clock(s.Heard()))
	if p.hall != "" {
		l.count(p, subject{AlertSilent, s.ID, p.hall}, online)
	}
	l.health(s, online, put)
}

// count adds a box to its hall.
func (l *look) count(p place, box subject, online bool) {
	h := l.hall[p.hall]
	if h == nil {
		h = &hallLook{Alert: Alert{Kind: AlertOutage, Hall: p.hall, Area: p.area, Name: p.name}}
		l.hall[p.hall] = h
	}
	h.heard++
	if !online {
		h.silent++
	}
	h.boxes = append(h.boxes, box)
}

// health looks at what a box has said of itself. Of what it cannot say while it is offline nothing is known.
func (l *look) health(s State, online bool, put func(AlertKind, answer, string)) {
	h := s.Health
	if h == nil {
		return
	}
	said := func(k AlertKind, does func(condition.Kind) bool) {
		told := s.troubles()
		i := slices.IndexFunc(told, does)
		switch {
		case !online:
			put(k, unknown, "")
		case i >= 0:
			put(k, yes, told[i].What.ZH)
		default:
			put(k, no, "")
		}
	}
	full := func(k condition.Kind) bool { return k.Code == "store.full" || k.Code == "disk.low" }
	stuck := func(k condition.Kind) bool { return k.Code == "keys.stuck" }
	said(AlertDisk, full)
	said(AlertKey, stuck)
	said(AlertService, func(k condition.Kind) bool {
		return k.Level == condition.Ill && slices.Contains([]string{"window", "store", "terminal", "keys"}, k.Part()) && !full(k) && !stuck(k)
	})
	since := l.now.Sub(s.HealthAt)
	switch age := time.Duration(h.OldestSec)*time.Second + since; {
	case h.Pending == 0:
		put(AlertBacklog, no, "")
	case h.OldestSec < 0:
		put(AlertBacklog, unknown, "")
	case age > lateBacklog:
		put(AlertBacklog, yes, "待上传的评价最早已等候 "+days(age))
	default:
		put(AlertBacklog, no, "")
	}
	if h.CertDays != nil {
		left := *h.CertDays - int(since/(24*time.Hour))
		is := no
		if left < lateCertificate {
			is = yes
		}
		put(AlertCertificate, is, "本机证书剩余 "+number(left)+" 天")
	}
}

// halls says which halls are out as a whole. Their boxes then have no alerts of their own: what is open stays, and nothing is added.
func (l *look) halls(open []Alert) {
	out := make(map[string]bool)
	for _, a := range open {
		if a.Kind == AlertOutage {
			out[a.Hall] = true
		}
	}
	for id, h := range l.hall {
		is := no
		if h.silent >= leastOutage && h.silent*5 >= h.heard*4 {
			is = unknown
			if l.isOpen(id) {
				is = yes
			}
		}
		h.Detail = number(h.silent) + " 台评价器没有通信，共 " + number(h.heard) + " 台"
		l.all[h.subject()] = judged{h.Alert, is}
		if is != yes && !out[id] {
			continue
		}
		for _, box := range h.boxes {
			if j := l.all[box]; j.is == yes {
				j.is = unknown
				l.all[box] = j
			}
		}
	}
}

// judge returns which of the alerts that have not ended change, the new ones among them without an ID, and which are forgotten since they
// did not last. Blind says that nothing is known of the time before.
func (l *look) judge(alerts []Alert, blind bool) (changed, forgotten []Alert) {
	l.halls(alerts)
	known := make(map[subject]bool)
	for _, a := range alerts {
		known[a.subject()] = true
		next, keep := l.next(a, blind)
		switch {
		case !keep:
			forgotten = append(forgotten, a)
		case next != a:
			changed = append(changed, next)
		}
	}
	for s, j := range l.all {
		if j.is == yes && !known[s] {
			j.Since = l.now
			changed = append(changed, j.Alert)
		}
	}
	return changed, forgotten
}

// next returns what becomes of an alert, false if it did not last.
func (l *look) next(a Alert, blind bool) (Alert, bool) {
	j := l.all[a.subject()] // no for what is there no more
	if a.Opened.IsZero() {
		if blind {
			a.Since = l.now
		}
		if j.is == yes && l.now.Sub(a.Since) >= alertHold {
			a.Opened, a.Detail = l.now, j.Detail
		}
		return a, j.is == yes
	}
	switch {
	case j.is == yes:
		a.Away = time.Time{}
	case j.is == unknown:
		// It may go on.
	case a.Away.IsZero() || blind:
		a.Away = l.now
	case l.now.Sub(a.Away) >= alertHold:
		a.Ended = l.now
	}
	return a, true
}
