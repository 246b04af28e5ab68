// Package signature verifies Ed25519 signatures by keys that sign often, in half of the time that crypto/ed25519 takes, and by the same rule.
//
// Both compute [S]B - [k]A and compare its encoding with the signature's R. The standard library doubles a point 253 times for that. Here each
// of the two scalars is cut into four of 64 bits, of which each has a table of its own, [2^64i]B and [2^64i]A, so that 64 doublings do for
// all. Scalars are cut as whole numbers and the formulas of the curve are complete, so that the point is the same for every key that can be
// read, one of small order among them: whatever is accepted here, crypto/ed25519 accepts, and whoever checks a proof later does. A test holds
// the two together on signatures that are right, wrong, and made to tell implementations apart.
//
// The time depends on what is verified, all of which is public. It signs nothing. Arithmetic modulo 2^255-19 and modulo the group's order is
// that of filippo.io/edwards25519, which is the standard library's own code as a module.
package signature
