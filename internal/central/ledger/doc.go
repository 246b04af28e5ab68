// Package ledger is the centre's books: every record that a box has sent, byte for byte, and what follows from them.
//
// Writing is idempotent by a record's identity (device, epoch, seq), so that a batch that comes twice changes nothing. What
// a box acknowledges away is only what one transaction here has committed. Nothing is ever deleted or refused into
// nothing: a record that cannot be read goes to quarantine, a second record with the same number is a fork and is kept
// too, a hole in the numbering or a chain that does not fit becomes a Finding, and a finding whose cause has gone is
// marked as resolved and stays.
//
// Which of several evaluations of one subject of one visit counts is decided here, from all that is known, whenever one
// more arrives. The others keep their status and are shown.
//
// With each batch its signature is kept, and Audit shows by it that every record is what its box has sent.
//
// The books are an SQLite file, written by one process or a few on one machine. The package does not verify signatures when
// it writes (ingest does) and does not know HTTP. Failure mode: while the file is locked, full or not at its path, every
// method returns an error and nothing is half done.
package ledger
