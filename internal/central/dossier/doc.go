// Package dossier keeps what people decide upon (articles 19 to 22): one dossier for each sign that ratings may not be genuine, each
// order to mend, each shared problem, and each result that is to be published.
//
// # The machine
//
// A dossier is a value; Apply is a pure function of it and an event, and refuses with words whatever its kind's Deeds do not name
// (kind.go). Whoever approves is not whoever has written it: a deed that needs other eyes is refused to all whose hand is in the draft.
//
// # What is kept
//
// Each act is a row of the journal, in whose transaction the tables change (enter.go); they follow from the acts alone. What was found
// stays in the row that opened the dossier, as it was then: what ratings say later opens another one. An act names the one after which it
// was done, so that of two people at one dossier the second is told. What people say of a deed is a ciphertext of its row, and can be
// erased.
//
// # What it does not do
//
// It decides nothing: no state follows from a figure but the first one, in which a dossier waits for somebody to look. It does not know who
// may do what: its callers ask account.May.
package dossier
