// Package db opens the centre's databases, SQLite files or one PostgreSQL, and hides what differs between them: how a
// transaction begins, when it is tried again, how many rows go in at once, how a schema is brought up to date.
//
// It owns no table but those in which goose keeps the version of each room's schema. The rooms write their SQL with $1, $2, … in
// ascending order of first appearance, which both engines read alike.
//
// What a transaction has done is on disk when Write returns nil: SQLite runs with synchronous=FULL, PostgreSQL as its
// administrator has set synchronous_commit, which docs/postgres.md says must be on.
//
// Failure mode: while the database is locked, full, gone or a standby, every method returns an error and nothing is half done.
package db
