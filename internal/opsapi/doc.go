// Package opsapi tells those who run a box how it is: over HTTP on a unix socket, and on loopback where that is configured.
//
//	GET /healthz       200 if the window can be served, else 503; JSON of the parts, each with ok, what and since
//	GET /metrics       Prometheus' text format
//	GET /v1/status     everything that "ratingctl status" prints, as JSON
//	GET /v1/keys       at the socket alone: what keys do while no citizen is asked, a JSON object a line
//	GET /debug/pprof/  Go's profiles
//
// A box that is offline is healthy: nothing at the window needs the network. A box whose store, behaviour or keys do not
// work is not.
//
// Whoever may ask here is not thereby allowed to learn how a citizen has rated (articles 4 and 21). No type of this package
// could carry a level, no number is kept by level, and none moves when a citizen answers or corrects an answer, since whoever
// looks often would then learn from the time between that the citizen had changed their mind: an answer shows when its visit
// has ended; corrections are left out of what waits, of what was recorded and of the latencies; the window is "asking" while it
// says thanks; keys are told of, by their codes, only if nobody was asked from the press on; free room is told in megabytes. What the
// process takes of the machine moves with everything that it does; every program on the machine can see that anyway.
//
// Invariant: an answer never waits for a part of the box. Parts are looked at by goroutines of their own, at most one a part,
// and one that does not answer in time is reported as hanging.
package opsapi
