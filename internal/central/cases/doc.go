// Package cases is the door for business systems: they say of each case (办件) what they know, in bulk, in any order, again where an answer
// was lost, and learn what the centre has of it.
//
// It owns no table. What is said becomes a row of the journal, with who the applicant is as a ciphertext; the books put the files together.
// So a case is the same whichever way it was heard of, and can be made anew.
//
// A request has an Idempotency-Key, by which it is entered once. What contradicts what is known is refused, fact by fact, and the rest is
// taken; two systems that contradict each other at the same moment make a finding of the books. Nobody learns a level or a text here.
package cases
