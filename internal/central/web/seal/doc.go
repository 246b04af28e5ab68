// Package seal shows the journal's seal to those who look after it, and lets them verify it: the latest signed head, which they compare
// with what a witness has kept, and the whole journal read again from its first row.
//
// Verifying reads everything once, and takes about half a minute for a million rows. One runs at a time in an instance of the centre; that
// it was asked for and what it found are acts, so that both stand in the journal, and in the audit's pages of all instances.
package seal
