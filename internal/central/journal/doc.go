// Package journal is what came in at the centre, as it came: a row a message, never updated or deleted, and its seal.
//
// Append returns after the commit. Whatever waits is written in one transaction, at once when nothing else waits; a row that
// fails leaves its group and the others commit. Positions are dense and in the order of commit, on one instance or several, so
// that a reader by position never skips a row.
//
// A batch of a box is entered if it brings a record that is not here or says that the box has let more go; a repetition is
// acknowledged and not entered. What may be acknowledged is decided from one row for each log (progress.go). What the records
// mean, and all findings, are the books'.
//
// The seal is a Merkle tree over the rows. A leaf hashes a row's header, in which the hash of each part stands, so that one record
// can be proven without showing the others. Its head is signed each minute. Free texts are ciphertexts with one key each: erasing the
// key breaks neither the seal nor the books.
//
// Failure mode: while the database cannot be written, every Append returns an error, and nothing was entered that the caller was not
// told of, but for a commit whose answer was lost; whoever sends again then is told that it is here.
package journal
