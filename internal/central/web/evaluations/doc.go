// Package evaluations is the pages about evaluations: a list with filters, one evaluation with all that is known of it, exports, and looks
// at what citizens wrote and at who they are.
//
// Who sees which evaluation is web/scope's: lists and exports read nothing else, and an address of what lies outside is answered as one
// that does not exist. Rivals of an evaluation that lie outside are left out too.
//
// Invariants: no list and no export holds a text, a contact or a count beyond a day; a text and a contact are shown once for a reason that
// was entered in the journal before; so is each export. A page reads a bounded number of rows, whatever the filter.
package evaluations
