package opsapi

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"

	"haochaping/internal/rating"
)

// Metrics counts what the box does, in a registry of its own. It is safe for concurrent use.
type Metrics struct {
	registry      *prometheus.Registry
	storeFailures prometheus.Counter
	presses       *prometheus.CounterVec
	opened        prometheus.Counter
	ended         *prometheus.CounterVec
	latency       prometheus.Histogram
}

// outcomes are the ways in which the asking about a visit ends. None tells how a citizen has rated.
var outcomes = [...]rating.Outcome{rating.Rated, rating.RatedByPhone, rating.TimedOut, rating.Cancelled, rating.Superseded,
	rating.Interrupted}

// NewMetrics returns Metrics with those of the Go runtime and of the process.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		storeFailures: prometheus.NewCounter(prometheus.CounterOpts{Name: "ratingd_store_failures_total",
			Help: "Writes to the store that failed since the daemon started."}),
		presses: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ratingd_presses_total",
			Help: "Answers by key, corrections left out, that were recorded on the disk, of visits that have ended; or that the disk did not take."},
			[]string{"result"}),
		opened: prometheus.NewCounter(prometheus.CounterOpts{Name: "ratingd_visits_opened_total",
			Help: "Visits whose asking was begun and recorded."}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ratingd_visits_ended_total",
			Help: "Visits whose asking has ended, by outcome as it was recorded."}, []string{"outcome"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "ratingd_press_commit_seconds",
			Help:    "Time from a key's contact to the answer's commit on the disk, corrections left out.",
			Buckets: []float64{.005, .01, .02, .03, .05, .075, .1, .15, .25, .5, 1, 2.5}}),
	}
	for _, result := range []string{pressRecorded, pressFailed} {
		m.presses.WithLabelValues(result)
	}
	for _, o := range outcomes {
		m.ended.WithLabelValues(string(o))
	}
	m.registry.MustRegister(m.storeFailures, m.presses, m.opened, m.ended, m.latency,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// The results of a press.
const (
	pressRecorded = "recorded"
	pressFailed   = "not_recorded"
)

// Watch adds the figures of a Status, which is asked at each scrape. Call it once.
func (m *Metrics) Watch(status func(context.Context) Status) {
	m.registry.MustRegister(newStatusCollector(status))
}

// Gather implements prometheus.Gatherer. It leaves out the bytes that the network has carried: a batch with a correction would
// show in them.
func (m *Metrics) Gather() ([]*dto.MetricFamily, error) {
	all, err := m.registry.Gather()
	return slices.DeleteFunc(all, func(f *dto.MetricFamily) bool { return strings.HasPrefix(f.GetName(), "process_network_") }), err
}

// failed counts an append that the log did not take. Of what it held only a press is lost: the rest is recorded later.
func (m *Metrics) failed(bodies []rating.Body) {
	m.storeFailures.Inc()
	for _, b := range bodies {
		if b.Kind == rating.KindEvaluation && b.Evaluation.Replaces == 0 {
			m.presses.WithLabelValues(pressFailed).Inc()
		}
	}
}

// pressed counts an answer that was recorded.
func (m *Metrics) pressed(latency time.Duration) {
	m.presses.WithLabelValues(pressRecorded).Inc()
	m.latency.Observe(latency.Seconds())
}

// statusCollector makes metrics of a Status.
type statusCollector struct {
	status func(context.Context) Status

	build, partOK, trouble, state, pending, oldest, connected, connections, silences, unsigned *prometheus.Desc
	free, size, synced, offset, certificate, temperature, unknown, stuck                       *prometheus.Desc
}

func newStatusCollector(status func(context.Context) Status) *statusCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("ratingd_"+name, help, labels, nil)
	}
	return &statusCollector{
		status:      status,
		build:       desc("build_info", "Always 1; the daemon's version is in the label.", "version"),
		partOK:      desc("part_ok", "1 if a part of the box works, else 0.", "part"),
		trouble:     desc("trouble", "1 for each trouble of a part; its code is in docs/operations.md.", "part", "code", "level"),
		state:       desc("window_state", "1 for what the window is doing, 0 for the others.", "state"),
		pending:     desc("records_pending", "Records that the centre has not acknowledged, corrections left out."),
		oldest:      desc("records_pending_oldest_age_seconds", "Age of the oldest of them, 0 if there is none; absent if no clock tells."),
		connected:   desc("uplink_connected", "1 while there is a connection to the broker."),
		connections: desc("uplink_connections_total", "Connections to the broker that were made."),
		silences:    desc("uplink_silences_total", "Times that the centre's acknowledgement did not come."),
		unsigned:    desc("uplink_unsigned", "1 if something came that the configured centre has not signed."),
		free:        desc("state_free_bytes", "Free room on the file system of the state folder, in whole megabytes."),
		size:        desc("state_size_bytes", "Size of that file system."),
		synced:      desc("clock_synchronised", "1 if something keeps the clock right."),
		offset:      desc("clock_offset_seconds", "Box minus centre as of a recent acknowledgement; absent before the first."),
		certificate: desc("certificate_expiry_timestamp_seconds", "When the box's certificate ends; absent if it has none."),
		temperature: desc("temperature_celsius", "Temperature of the processor; absent where it cannot be read."),
		unknown:     desc("unknown_key_presses_total", "Presses of keys that have no level."),
		stuck:       desc("stuck_keys_total", "Keys that were found stuck."),
	}
}

// states are what a window can be doing, as others may see it.
var states = [...]string{"starting", "enrolling", "idle", "asking", "paused", "closed", "fault"}

// Describe implements prometheus.Collector.
func (c *statusCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.build, c.partOK, c.trouble, c.state, c.pending, c.oldest, c.connected, c.connections, c.silences,
		c.unsigned,
		c.free, c.size, c.synced, c.offset, c.certificate, c.temperature, c.unknown, c.stuck} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *statusCollector) Collect(out chan<- prometheus.Metric) {
	s := c.status(context.Background())
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	gauge(c.build, 1, s.Version)
	for _, p := range s.Parts {
		gauge(c.partOK, truth(p.OK), p.Name)
		if p.Code != "" {
			gauge(c.trouble, 1, p.Name, string(p.Code), string(p.Level))
		}
	}
	for _, state := range states {
		gauge(c.state, truth(s.State == state), state)
	}
	gauge(c.pending, float64(s.Queue.Pending))
	if s.Queue.OldestSec >= 0 {
		gauge(c.oldest, float64(s.Queue.OldestSec))
	}
	gauge(c.connected, truth(s.Centre.Connected))
	counter(c.connections, s.Centre.Connections)
	counter(c.silences, s.Centre.Silences)
	gauge(c.unsigned, truth(s.Centre.Unsigned))
	gauge(c.free, float64(s.Disk.FreeBytes))
	gauge(c.size, float64(s.Disk.SizeBytes))
	gauge(c.synced, truth(s.Clock.Synced))
	if s.Clock.OffsetMS != nil {
		gauge(c.offset, float64(*s.Clock.OffsetMS)/1000)
	}
	if s.Certificate != nil {
		gauge(c.certificate, float64(s.Certificate.NotAfter.Unix()))
	}
	if s.TemperatureC != nil {
		gauge(c.temperature, float64(*s.TemperatureC))
	}
	counter(c.unknown, s.UnknownKeys)
	counter(c.stuck, s.StuckKeys)
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
