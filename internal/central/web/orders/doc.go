// Package orders is the pages of the work on bad evaluations: what is due first, and one part of an order with its history and what may be done about it.
//
// A page shows neither who rated nor what they wrote: both are asked for, with a reason, on the evaluation's own page. What was said of a clue
// (article 23) is shown to offices alone.
package orders
