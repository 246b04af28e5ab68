// Package witness lets somebody else than the centre keep the journal's signed heads: a city, an auditor, the level above. Whoever has a
// head can find out later that a row under it was changed, inserted, exchanged or taken away, even by one who holds all of the centre's
// keys.
//
// Handler is the centre's side: the latest checkpoint, and the tiles of the tree as https://c2sp.org/tlog-tiles lays them out, which hold
// hashes only. Follower is the other: it refuses a head that does not go on from the one it knows, and keeps those it accepts under its own
// signature.
package witness
