// Package web is the frame of the centre's pages: who asks, what they may, how a page looks. The pages themselves are sections, each a
// package under this one that gives its routes, templates and files.
//
// A request passes one middleware: host, origin, session or token, and account.May with the object that the route names. A route without a
// rule of docs/roles.md is refused when the site is made. What somebody may not see is answered as if it were not there (404), and whoever
// is not signed in is sent to the sign-in page from every address, so that none says whether it exists.
//
// Invariants: a session's secret is in a cookie that scripts cannot read and that only HTTPS carries, or loopback; nothing is changed by
// GET; no page has an inline script or style. Until the first account is added, and only on a loopback address, the pages that a route
// marks as Before are shown to everybody, as the centre's page was before there were accounts (docs/decisions/023).
//
// Failure mode: when the database cannot be read, every page answers 503 and nobody is signed in or out by it.
package web
