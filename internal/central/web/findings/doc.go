// Package findings shows what is wrong with what boxes and business systems have sent: which numbers are missing, which records cannot be
// read.
//
// A finding lies where its box stands now; one about no box, or about one that stands nowhere, is the province's. What a finding says in
// detail may repeat what a record says, and names evaluations. So it is shown to those alone who see the evaluations of that place: whoever
// runs a hall or looks after its boxes learns that something is wrong with a box, and never what somebody has said.
package findings
