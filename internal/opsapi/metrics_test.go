package opsapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"pgregory.net/rapid"

	"haochaping/internal/rating"
)

// memory is a Log that can fail.
type memory struct {
	last uint64
	err  error
}

func (l *memory) Append(bodies ...rating.Body) (uint64, error) {
	if l.err != nil {
		return 0, l.err
	}
	first := l.last + 1
	l.last += uint64(len(bodies))
	return first, nil
}

// full is a Status in which nothing is left out.
func full() Status {
	celsius, offset := 48, int64(-250)
	return Status{V: StatusVersion, Device: "lz-0417", Version: "v1", State: "idle", Healthy: true,
		Parts:  []Part{{Name: "store", OK: true, Vital: true}, {Name: "keys", Vital: true}},
		Centre: Centre{Connected: true, Connections: 3, Silences: 1}, Queue: Queue{Pending: 2, OldestSec: 61},
		Disk: Disk{FreeBytes: 1 << 30, SizeBytes: 8 << 30}, Clock: Clock{Synced: true, OffsetMS: &offset},
		Certificate: &Certificate{NotAfter: time.Unix(1_800_000_000, 0), Days: 12}, TemperatureC: &celsius, UnknownKeys: 1, StuckKeys: 2}
}

// scrape returns what Prometheus would read, but for what the Go runtime and the process tell of themselves.
func scrape(t testing.TB, m *Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	w := httptest.NewRecorder()
	New(Config{Metrics: m, Logger: slog.New(slog.DiscardHandler)}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d, %v", w.Code, err)
	}
	for name := range families {
		if !strings.HasPrefix(name, "ratingd_") {
			delete(families, name)
		}
	}
	return families
}

func text(t testing.TB, families map[string]*dto.MetricFamily) string {
	t.Helper()
	var names []string
	for name := range families {
		names = append(names, name)
	}
	slices.Sort(names)
	var b bytes.Buffer
	for _, name := range names {
		if _, err := expfmt.MetricFamilyToText(&b, families[name]); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestMetricsFollowTheConventions(t *testing.T) {
	m := NewMetrics()
	m.Watch(func(context.Context) Status { return full() })
	problems, err := testutil.GatherAndLint(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "ratingd_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	w := httptest.NewRecorder()
	New(Config{Metrics: m, Logger: slog.New(slog.DiscardHandler)}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	all := w.Body.String()
	if strings.Contains(all, "process_network") {
		t.Error("the bytes of each batch are told")
	}
	for _, want := range []string{"\ngo_goroutines ", "\nprocess_resident_memory_bytes ", "\nratingd_records_pending 2\n",
		"\nratingd_clock_offset_seconds -0.25\n",
		"\nratingd_part_ok{part=\"keys\"} 0\n", "\nratingd_window_state{state=\"idle\"} 1\n",
		"\nratingd_certificate_expiry_timestamp_seconds 1.8e+09\n",
		"\nratingd_temperature_celsius 48\n", "\nratingd_visits_ended_total{outcome=\"timed_out\"} 0\n",
		"\nratingd_press_commit_seconds_count 0\n"} {
		if !strings.Contains("\n"+all, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

// What is not known is left out: a 0 would be read as a figure.
func TestMetricsLeaveOutWhatIsNotKnown(t *testing.T) {
	m := NewMetrics()
	m.Watch(func(context.Context) Status { return Status{Queue: Queue{Pending: 1, OldestSec: -1}} })
	got := scrape(t, m)
	for _, name := range []string{"records_pending_oldest_age_seconds", "clock_offset_seconds", "certificate_expiry_timestamp_seconds",
		"temperature_celsius"} {
		if got["ratingd_"+name] != nil {
			t.Errorf("%s is %s", name, got["ratingd_"+name])
		}
	}
}

// TestMetricsDiscloseNothing: two days at a window that differ in the levels, in who corrected an answer and who gave a reason, and in
// nothing else, look the same to whoever scrapes after each record (articles 4 and 21).
func TestMetricsDiscloseNothing(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		type day struct {
			log      *memory
			metrics  *Metrics
			recorder *Recorder
			released uint64 // the centre has acknowledged all that was there by then
			first    uint64 // record of the first answer
		}
		now := 10 * time.Second
		days := make([]*day, 2)
		for i := range days {
			d := &day{log: new(memory), metrics: NewMetrics()}
			d.recorder = NewRecorder(d.log, func() time.Duration { return now }, d.metrics)
			d.metrics.Watch(func(context.Context) Status {
				return Status{Queue: Queue{Pending: d.recorder.Waiting(d.log.last-d.released, d.released)}}
			})
			days[i] = d
		}
		level := rapid.IntRange(1, 5)
		same := func(what string) {
			if diff := cmp.Diff(text(t, scrape(t, days[0].metrics)), text(t, scrape(t, days[1].metrics))); diff != "" {
				r.Fatalf("%s shows:\n%s", what, diff)
			}
		}
		for range rapid.IntRange(1, 6).Draw(r, "visits") {
			at := rating.Stamp{Boot: 1, Mono: now.Milliseconds() - int64(rapid.IntRange(0, 400).Draw(r, "latency"))}
			id := rating.VisitID(now)
			fails := rapid.Bool().Draw(r, "disk fails")
			for _, d := range days {
				append1(r, d.recorder, rating.VisitBody(at, rating.Visit{ID: id}))
				d.log.err = nil
			}
			opened := text(t, scrape(t, days[0].metrics))
			for _, d := range days {
				if fails {
					d.log.err = errors.New("no space left on device")
				}
				d.first, _ = d.recorder.Append(rating.EvaluationBody(at, rating.Evaluation{Visit: id, Level: rating.Level(level.Draw(r, "level"))}))
				d.log.err = nil
			}
			same("a level")
			if now := text(t, scrape(t, days[0].metrics)); !fails && now != opened {
				r.Fatalf("a press shows before its visit has ended:\n%s\nbefore it:\n%s", now, opened)
			}
			for _, d := range days {
				for range rapid.IntRange(0, 3).Draw(r, "corrections") {
					if fails {
						break
					}
					append1(r, d.recorder, rating.EvaluationBody(at,
						rating.Evaluation{Visit: id, Level: rating.Level(level.Draw(r, "corrected to")), Replaces: d.first}))
				}
			}
			same("a correction")
			acked := rapid.Bool().Draw(r, "acknowledged")
			for _, d := range days {
				append1(r, d.recorder, rating.OutcomeBody(at, rating.Closing{Visit: id, Outcome: rating.Rated}))
				if acked {
					d.released = d.log.last
				}
			}
			same("an outcome or an acknowledgement")
			ended := text(t, scrape(t, days[0].metrics))
			for _, d := range days {
				for range rapid.IntRange(0, 2).Draw(r, "reasons") {
					append1(r, d.recorder, rating.ReasonBody(at, rating.Reason{Visit: id, Of: d.first, Code: "115", Catalogue: 1}))
				}
			}
			same("a reason")
			if now := text(t, scrape(t, days[0].metrics)); now != ended {
				r.Fatalf("a reason shows:\n%s\nbefore it:\n%s", now, ended)
			}
			now += time.Minute
		}
	})
}

func append1(r *rapid.T, l *Recorder, b rating.Body) {
	if _, err := l.Append(b); err != nil {
		r.Fatal(err)
	}
}

func TestRecorderCounts(t *testing.T) {
	l, m := new(memory), NewMetrics()
	r := NewRecorder(l, func() time.Duration { return 1050 * time.Millisecond }, m)
	press := rating.EvaluationBody(rating.Stamp{Mono: 1000}, rating.Evaluation{Visit: 7, Level: 3})
	walkUp := rating.VisitBody(rating.Stamp{}, rating.Visit{ID: 7, Opener: rating.OpenedByWalkUp})
	if _, err := r.Append(walkUp, press); err != nil {
		t.Fatal(err)
	}
	if got := text(t, scrape(t, m)); !strings.Contains(got, "visits_opened_total 0\n") || r.Waiting(2, 0) != 0 {
		t.Errorf("a walk-up visit shows before its end:\n%s", got)
	}
	if _, err := r.Append(rating.OutcomeBody(rating.Stamp{}, rating.Closing{Visit: 7, Outcome: rating.TimedOut})); err != nil {
		t.Fatal(err)
	}
	if n := r.Waiting(3, 0); n != 3 {
		t.Errorf("%d wait, want 3", n)
	}
	l.err = io.ErrShortWrite
	if _, err := r.Append(press); !errors.Is(err, l.err) {
		t.Errorf("the log's error is lost: %v", err)
	}
	got := text(t, scrape(t, m))
	for _, want := range []string{`presses_total{result="recorded"} 1`, `presses_total{result="not_recorded"} 1`, `store_failures_total 1`,
		`visits_opened_total 1`,
		`press_commit_seconds_bucket{le="0.03"} 0`, `press_commit_seconds_bucket{le="0.075"} 1`, `visits_ended_total{outcome="timed_out"} 1`} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
}

// A damaged log is replaced by one that counts from 1; corrections of the old one must not be taken off the new one's records.
func TestRecorderFollowsANewLog(t *testing.T) {
	l := &memory{last: 100}
	r := NewRecorder(l, func() time.Duration { return 0 }, NewMetrics())
	correction := rating.EvaluationBody(rating.Stamp{}, rating.Evaluation{Level: 3, Replaces: 100})
	if _, err := r.Append(correction, correction); err != nil {
		t.Fatal(err)
	}
	if n := r.Waiting(5, 97); n != 3 {
		t.Errorf("%d wait, want 3", n)
	}
	l.last = 0
	if _, err := r.Append(rating.EventBody(rating.Stamp{}, rating.EventDamage)); err != nil {
		t.Fatal(err)
	}
	if n := r.Waiting(1, 0); n != 1 {
		t.Errorf("%d wait in the new log, want 1", n)
	}
}
