// Package live is the list of evaluations as they come in, with the findings about the boxes' logs and which boxes are there.
//
//	GET /live         the page, complete without script; reload it to see what is new
//	GET /live/events  server-sent events, each the page's changing part as HTML
//	GET /api/latest   the same as JSON
//	GET /healthz      200 while records are taken, and the books can be read and follow
//
// Each row, box and finding is shown to whom account.May lets see it; a live connection ends with the session.
//
// Invariant: an event always carries the whole changing part, rendered from the books at that moment. So a browser that slept, lost its
// connection or missed events is right again with the next one. Failure mode: when the books cannot be read, the page answers 503 and live
// connections stay open and try again.
//
// The package does not correct, export or delete anything, and shows no text.
package live
