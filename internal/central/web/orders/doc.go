// Package orders is the pages of the work on bad evaluations and complaints: what is due first, a board, a search, one part of an order
// with its history and what may be done about it, and the same for programs.
//
// A page shows neither who rated nor what they wrote: both are asked for, with a reason, on the evaluation's own page, or of a complaint
// here. Clues (articles 21 and 23) have a door of their own, for those who were appointed for them; at every other door they are not there.
package orders
