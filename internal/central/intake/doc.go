// Package intake takes answers by channels that know no visit: portal, app, mini-program, self-service terminal, 12345 by voice and SMS,
// and paper (articles 12 and 13).
//
// Each sending has a source and an Idempotency-Key and is entered once, whole or not at all, as a row of the journal. What counts is
// decided by the books: the time of the answer, and whether the case is completed. Texts are ciphertexts with a key each.
//
// What a short message says is read by ParseReply, a pure function that never guesses.
package intake
