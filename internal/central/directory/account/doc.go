// Package account is who may use the centre: accounts with their passwords and second factors, the roles that they were granted, their
// sessions and tokens, and the rule of what each role sees.
//
// May is that rule, a pure function of a person, an action and an object; Rules is the table behind it, the same as in docs/roles.md. It
// lets nothing through that the table does not name.
//
// What an administrator does to an account is an act in the journal, in whose transaction the tables change. Passwords, seeds, links and
// tokens stay out of the journal, which forgets nothing: the tables keep hashes, and the seeds encrypted under a key that follows from the
// centre's.
//
// Failure mode: while the database cannot be read nobody is signed in, and every method says so by its error. A flood of sign-ins takes at
// most as many cores and as much memory as Hasher was given; the rest is ErrBusy.
//
// It knows no page: package web shows what is here.
package account
