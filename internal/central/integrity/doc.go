// Package integrity looks for what ratings that are not genuine look like (articles 4, 13 and 21): who presses in the citizen's place,
// keeps citizens from pressing, or turns the box against them. What it finds are signs with their evidence, for people to judge; they prove
// nothing, and nothing follows from them by itself.
//
// # How it looks
//
// Once (follow.go) goes on in the journal's rows, and keeps of each box and day a Tally, which follows from the box's records alone
// (log.go): how fast keys were pressed after the question, how close together, at which time of the day, which visits were ended before
// anybody could answer, and which events the box has noted. A record that comes twice is taken once. What phones do is known by tags
// (origin.go) that tell two phones apart for two days, and say nothing of whose they are.
//
// Each night Examine (examine.go) compares each window's last four weeks with the other windows of its hall, by Rules: pure functions, each
// with its source, its false alarms, which a test plays (docs/integrity.md), and what to look at. What a rule raises opens a dossier,
// unless one of the same rule and window is open, or has judged some of these days already.
//
// # Failure
//
// While books or database are away nothing is raised, and the rows wait. Tallies follow from the journal and are made anew with it; tags do
// not, and a restore loses those of two days. Records that a box has salvaged from a damaged file are not tallied: they say nothing of when
// they were written.
package integrity
