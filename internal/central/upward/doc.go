// Package upward says to a superior system, as a province's, what counts here: services and the evaluations that were adopted, in the
// fields and codes of that system (docs/upward.md).
//
// # Records
//
// Of each thing that is rated, a visit's person and a case's matter, there are two records: the service and, where one counts, the
// evaluation (said.go). A record is known above by the case, the number of the service within it, and its kind; a thing that turns out to
// belong to another case is withdrawn there and said here. Each change is a new version of the whole record. Versions grow with the clock
// and are never used twice, not even after a restore, so that a receiver which keeps the greatest version of each ends with the same set,
// whatever was doubled, lost or overtaken on the way.
//
// # How they follow
//
// Once (follow.go) goes on in the journal's rows as far as the books are made, and in the books' feed of decisions. It believes nothing of
// these but the names, compares what the books say of each now with the record, and writes what differs in one transaction with the place
// up to which was looked. Other books (a rebuild's) are walked through from the first row; what is not in them is withdrawn at the end.
//
// # How they go
//
// As a feed in the order of changes, of which each record has one place, that of its last (list.go); and by a Push, in batches, each in an
// envelope of SM2, SM3 and SM4. That a version leaves is written before it does, so that it is known which may have arrived. A service goes
// before its evaluation. What is accepted or refused is written with the answer's words; what was not answered goes again, later and later.
// A refused record waits until it changes or somebody has it sent again. A bad evaluation without reasons waits for them for a time.
//
// # Privacy
//
// A province's table can ask for the fields of Sources and no others. There is none for who the applicant is or how they are reached. Texts
// of citizens are read from the journal when a batch is closed, and stand in no table; one that was erased is sent again without it.
//
// # Failure
//
// While books, database or superior system are away everything waits here, and page and metrics say since when. What this package does not
// do: it decides nothing about ratings, and does not know who may see what. Its callers ask account.May.
package upward
