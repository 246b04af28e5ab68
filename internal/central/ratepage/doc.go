// Package ratepage is the page behind the QR code: where a citizen rates a visit by phone.
//
//	GET  /R/{token}         what is rated and the five levels, or why it cannot be rated
//	POST /R/{token}         stores the evaluations, then 303 to
//	GET  /R/{token}/thanks  which survives a reload, or
//	GET  /R/{token}/kept    the same where an earlier evaluation had come first
//
// The path is accepted in small letters too, since some scanners change capitals. The page is one HTML document without
// script, cookie or foreign resource, so that it works in the browsers inside other programs and has nothing to leak. The
// link is the permission: whoever holds it may rate, once per subject (article 14). The pages never show a level that was
// given before, to nobody, since the next person to hold the phone may be the one who was rated (article 4).
//
// Invariant: thanks are said only after Journal.Rate returned nil. Failure mode: when the books cannot be reached the page
// answers 503, keeps what was typed and says that nothing was submitted. Tokens are never logged.
//
// The package does not decide which of several evaluations counts, nor does it know MQTT: that is the books' and the
// caller's. It has no timeouts of its own; the HTTP server that it is mounted in has.
package ratepage
