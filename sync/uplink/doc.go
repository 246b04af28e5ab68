// Package uplink sends the box's pending records to the centre until the centre has acknowledged them.
//
// Reading from the log never removes anything; only an acknowledgement that the centre has signed does, and it may name only
// what was sent on this run. Everything that comes over the wire besides is counted and dropped: a broken payload, a
// signature of another key, another epoch, an old configuration. So whatever a broker does, the worst is that records
// arrive late or twice, and the centre's books know a record by its identity.
//
// The network being away is the normal case, not an error: Run comes back to it by itself, at random moments within a
// growing bound, so that the boxes of a province do not return all at once. A connection that looks alive but brings no
// acknowledgement is given up and made anew. ../DESIGN.md says why it is as it is.
//
// The package does not decide what a command or a configuration means.
package uplink
