// Package windowapi is the box's HTTP API for the business system on the window's PC: it opens a visit, follows how the
// asking ends, cancels it, signs staff in and out, and pauses the window. openapi.yaml is its normative description, which
// it serves at /openapi.yaml.
//
// Nothing here discloses a score or how a citizen decided (articles 4 and 21): a PC learns that a visit was rated, timed out,
// cancelled, superseded or interrupted, and neither an event, a state nor the name of an event tells a correction.
//
// A request comes with the token of its PC, over TLS on the hall's network, from a host and an origin that the configuration
// names: a browser on the PC would otherwise be a way in for any page that it shows.
package windowapi
