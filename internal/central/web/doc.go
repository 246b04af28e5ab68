// Package web is the centre's own page: the evaluations as they come in, the findings about the boxes' logs, and which boxes
// are there.
//
//	GET /            the page, complete without script; reload it to see what is new
//	GET /live        server-sent events, each the page's changing part as HTML
//	GET /api/latest  the same as JSON
//	GET /healthz     200 while records are taken, and the books can be read and follow
//
// The page shows levels, so it is for those who may see them (FIELD: the administrative office), has no sign-in of its own
// and is meant for a loopback address or for a proxy that signs people in. It refuses requests for host names that it was not
// told, because a browser on the same machine could otherwise be led to read it for a foreign site (DNS rebinding).
//
// Invariant: an event always carries the whole changing part, rendered from the books at that moment. So a browser that
// slept, lost its connection or missed events is right again with the next one. Failure mode: when the books cannot be read,
// the page answers 503 and live connections stay open and try again.
//
// The package does not correct, export or delete anything.
package web
