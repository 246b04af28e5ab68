package hallyear

import (
	"cmp"
	"encoding/json"
	"os"
	"slices"
	"time"
)

// The recount. Times are milliseconds since 1970-01-01 UTC, and 0 is never.

// matter is all that happened to a case.
type matter struct {
	area, project, batch, theme string
	told                        int64 // completion as the business system says it in the end
	visit                       bool  // a visit, or a terminal, completed it
	learnt                      int64 // when the centre heard first that it is completed
	number, task                string
}

// said is an answer that somebody gave, by whatever channel.
type said struct {
	at           int64
	level        int
	channel      string
	area, number string // of the case, as project number
	theme        string // of which as a whole; then the answer is about no single case
	door         bool   // it came by a channel that knows no visit
}

func (m matter) key() string { return m.area + " " + m.project }

// outcome is what has become of a case: open, completed, default, or rated. Levels are those of the earliest answers: two forms on paper of
// one day are of one time, and which of them counts is nobody's to say.
type outcome struct {
	state  string
	levels []int
}

// notice is the yearly list of days, by itself.
type notice struct{ off, work map[string]bool }

func readNotices(paths ...string) (notice, error) {
	n := notice{make(map[string]bool), make(map[string]bool)}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return n, err
		}
		var list struct{ Off, Work []string }
		if err := json.Unmarshal(b, &list); err != nil {
			return n, err
		}
		for _, d := range list.Off {
			n.off[d] = true
		}
		for _, d := range list.Work {
			n.work[d] = true
		}
	}
	return n, nil
}

// worked reports whether people work on the day of a moment.
func (n notice) worked(t time.Time) bool {
	day, weekday := t.Format("2006-01-02"), t.Weekday()
	return n.work[day] || weekday != time.Saturday && weekday != time.Sunday && !n.off[day]
}

// fiveDays returns the end of the fifth working day after that of a moment.
func (n notice) fiveDays(at int64) int64 {
	const hour = 60 * 60_000
	t := time.UnixMilli(at).In(china())
	for days := 0; days < 5; {
		t = t.Add(24 * time.Hour)
		if n.worked(t) {
			days++
		}
	}
	midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, china())
	return midnight.UnixMilli() + 24*hour
}

func china() *time.Location { return time.FixedZone("China", 8*60*60) }

// begins returns when the periods of a case began.
func (m matter) begins() int64 {
	if m.told == 0 && !m.visit {
		return 0
	}
	return max(m.told, m.learnt)
}

// becomes returns what has become of a case when all deadlines up to an end have passed.
func (m matter) becomes(all []said, days notice, end int64) outcome {
	begins := m.begins()
	if begins == 0 {
		return outcome{state: "open"}
	}
	deadline := days.fiveDays(begins)
	var own, whole []said
	for _, s := range all {
		early := s.door && s.theme == "" && !m.visit && m.batch == "" && s.at < m.told-10*60_000
		switch {
		case early, deadline <= end && s.at >= deadline:
		case s.theme != "":
			whole = append(whole, s)
		default:
			own = append(own, s)
		}
	}
	for _, some := range [][]said{own, whole} {
		if len(some) == 0 {
			continue
		}
		first := slices.MinFunc(some, func(a, b said) int { return cmp.Compare(a.at, b.at) }).at
		o := outcome{state: "rated"}
		for _, s := range some {
			if s.at == first {
				o.levels = append(o.levels, s.level)
			}
		}
		return o
	}
	if deadline <= end {
		return outcome{state: "default"}
	}
	return outcome{state: "completed"}
}

// recount returns what has become of each case, by its key.
func recount(cases map[string]*matter, all []said, days notice, end int64) map[string]outcome {
	byCase, byBatch, byTheme := make(map[string][]said), make(map[string][]said), make(map[string][]said)
	for _, s := range all {
		if s.theme != "" {
			byTheme[s.theme] = append(byTheme[s.theme], s)
			continue
		}
		m := cases[s.area+" "+s.number]
		if m.batch != "" {
			byBatch[m.area+" "+m.batch] = append(byBatch[m.area+" "+m.batch], s)
		} else {
			byCase[m.key()] = append(byCase[m.key()], s)
		}
	}
	out := make(map[string]outcome)
	for k, m := range cases {
		heard := byCase[k]
		if m.batch != "" {
			heard = byBatch[m.area+" "+m.batch]
		}
		if m.theme != "" {
			heard = append(slices.Clone(heard), byTheme[m.theme]...)
		}
		out[k] = m.becomes(heard, days, end)
	}
	return out
}
