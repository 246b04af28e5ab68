package ops

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
)

// Metrics counts what this instance does, in a registry of its own. It is safe for concurrent use.
type Metrics struct {
	registry    *prometheus.Registry
	batches     *prometheus.CounterVec
	records     prometheus.Counter
	quarantined prometheus.Counter
	commit      prometheus.Histogram
	requests    *prometheus.CounterVec
	answers     *prometheus.HistogramVec
}

// The results of a batch.
const (
	entered    = "entered"    // it is in the journal
	repeated   = "repeated"   // it was there already
	refused    = "refused"    // its log has too many gaps or forks
	unbelieved = "unbelieved" // its box is not enrolled, or has another key
	failed     = "failed"     // the journal could not be written
)

// NewMetrics returns Metrics with those of the Go runtime and of the process.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		batches: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "centrald_batches_total",
			Help: "Messages with records that came from boxes, by what became of them."}, []string{"result"}),
		records: prometheus.NewCounter(prometheus.CounterOpts{Name: "centrald_records_total",
			Help: "Records of the messages that were entered."}),
		quarantined: prometheus.NewCounter(prometheus.CounterOpts{Name: "centrald_records_quarantined_total",
			Help: "Records that cannot be accepted and were set aside."}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "centrald_batch_commit_seconds",
			Help: "Time from a verified message to its commit.", Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "centrald_http_requests_total",
			Help: "Requests that were answered, by listener and status."}, []string{"site", "code"}),
		answers: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "centrald_http_request_seconds",
			Help: "Time until an answer's head was written, by listener.", Buckets: []float64{.01, .025, .05, .1, .2, .3, .5, 1, 2.5, 5, 10, 25}},
			[]string{"site"}),
	}
	for _, result := range []string{entered, repeated, refused, unbelieved, failed} {
		m.batches.WithLabelValues(result)
	}
	m.registry.MustRegister(m.batches, m.records, m.quarantined, m.commit, m.requests, m.answers,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Taker is the journal as an ingest uses it.
type Taker interface {
	Submit(ctx context.Context, e journal.Entry, done func(journal.Receipt, error)) error
	Check(context.Context) error
}

// Journal returns a journal of which it is counted what comes in.
func (m *Metrics) Journal(j Taker) Taker { return counted{j, m} }

type counted struct {
	Taker
	m *Metrics
}

// Submit implements Taker.
func (c counted) Submit(ctx context.Context, e journal.Entry, done func(journal.Receipt, error)) error {
	began := time.Now()
	err := c.Taker.Submit(ctx, e, func(r journal.Receipt, err error) {
		c.m.took(e, r, err, time.Since(began))
		done(r, err)
	})
	if err != nil {
		c.m.batches.WithLabelValues(failed).Inc()
	}
	return err
}

// took counts a message that the journal has answered.
func (m *Metrics) took(e journal.Entry, r journal.Receipt, err error, d time.Duration) {
	result := repeated
	switch {
	case err != nil:
		result = failed
	case r.Refused != "":
		result = refused
	case r.Entered:
		result = entered
		m.records.Add(float64(len(e.Parts)))
		m.quarantined.Add(float64(len(r.Quarantined)))
		m.commit.Observe(d.Seconds())
	}
	m.batches.WithLabelValues(result).Inc()
}

// Unbelieved counts what is noted of messages that were not believed.
func (m *Metrics) Unbelieved(notes []fleet.Note) {
	for _, n := range notes {
		m.batches.WithLabelValues(unbelieved).Add(float64(n.Refused))
	}
}

// Site returns a handler whose answers are counted under a name. An answer that has no end counts until it begins.
func (m *Metrics) Site(name string, h http.Handler) http.Handler {
	labels := prometheus.Labels{"site": name}
	return promhttp.InstrumentHandlerCounter(m.requests.MustCurryWith(labels),
		promhttp.InstrumentHandlerTimeToWriteHeader(m.answers.MustCurryWith(labels), h))
}
