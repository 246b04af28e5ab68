// Package ops tells those who run the centre how it is, on a listener of its own.
//
//	GET /metrics  Prometheus' text format
//	GET /healthz  200 if the centre does all of its work, else 503; JSON of the parts
//	GET /readyz   200 if this instance can answer people at present, else 503
//
// The two differ where the broker is away: the centre is not healthy then, and its pages still answer. A balancer asks /readyz, which the
// pages and the rating page serve too (Ready); whoever is to be woken asks /healthz.
//
// Invariants: nothing here names a person, a box or a window, and no number is kept by level, so that nothing says how anybody has rated
// (articles 4 and 21). What is said of boxes is summed up by hall. An answer never costs the databases more than one look in lookEvery,
// however often it is asked for.
//
// Failure mode: what cannot be read at present is left out of the metrics, and its part says why. A 0 would be read as a figure.
package ops
