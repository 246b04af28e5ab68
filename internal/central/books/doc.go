// Package books is what counts: evaluations, visits, standings, times and findings. They are a projection: a function of the journal's
// rows one after another, which can be made anew at any time, and is whenever the rules or these tables change. The rules
// themselves are package rating's.
//
// # How a row becomes books
//
// One projector at a time holds a lease (Run). It reads and decodes a chunk of rows on all cores while the chunk before is written
// (project.go, decode.go), reads in bulk what that chunk will touch (prefetch.go, need.go, load.go), decides row by row in memory
// (entry.go and what it calls), and writes what has changed together with the position (flush.go). The position moves from the value
// that was read, so that a projector which has lost its lease unawares changes nothing. What happens in memory is the state
// (state.go): pure rules on rows that were read, without SQL. Whatever prefetch did not foresee is read when it is needed, so it
// decides how fast the books are and never what they say.
//
// How many rows share a transaction never shows: everything is decided after each row, and numbers are given in order. Devices, logs,
// visits and cases have small numbers; an evaluation's ID is its place, the row's position << 9 | the part. A box's records are not
// kept here.
//
// # What is decided
//
//   - Known or new (chain.go). Of each log the runs of numbers that are here are kept, with the hashes at their ends. A number
//     outside of them is new. One inside is compared with the journal: the same bytes are a repetition, others a fork, and what
//     came first stays.
//   - Times (times.go). An evaluation keeps what its clock said and whether that is believed; when it was given follows from what is
//     known of the start of its box, when somebody looks. So a start that becomes better known moves all times of it at no cost.
//     Only evaluations whose time decides between logs or phones are contested anew. A start bounds rating.Horizon others, no more.
//   - What counts (standing.go, visit.go). A person's and an unknown matter's item is contested among the evaluations of one visit;
//     a case's among its claims, wherever they came from. A claim is found by a hash of the case, and belongs to it by its text.
//   - Findings (findings.go), bounded in number and size, since it is boxes that make them. An evaluation that takes the place of
//     one that counted is one, unless it corrects it or answers about one matter of a theme: a box that lies about its clock shows.
//   - The feed (feed.go): each change of what counts, once, in order. Whatever follows the books follows that.
//
// # What is searched for
//
// An evaluation has a moment that never moves, short hashes of its post and staff, and bits of its matters (found.go). A search (search.go,
// finder.go) reads the indexes with these in the order of moments: by window, by what is rare, or all; and compares the words of what it
// finds. What one page reads is bounded; it ends at a cursor from which the next one goes on.
//
// No cost grows with a device's history: rows of a log are read as far as a record touches them (lane.go).
//
// # Generations
//
// The tables carry a generation's number. Rebuild fills the next one beside and swaps in one transaction, in which the feed gets
// what counts otherwise than before; it goes on where it was interrupted. Readers see the generation of their snapshot. Verify fills
// one for the comparison only, brings both to one position, and compares all tables row by row, in one snapshot while the books go on.
// What is decided together is bounded (crowd.go): of one device's answers those that came first contend. There alone the order of arrival
// shows, which is the journal's.
//
// A change of what this package writes for the same rows raises SchemaVersion; one of the rules raises rating.RulesVersion.
//
// # Failure
//
// An error in a chunk undoes it, is logged once, and the chunk is tried again each second: rows wait in the journal, and nothing is
// skipped. Books of another version return ErrStale until they were made anew. What this package does not do: it acknowledges nothing,
// verifies no signature and no seal, and keeps no free text; those are the journal's.
package books
