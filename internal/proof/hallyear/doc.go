// Package hallyear plays the year of a hall (calendar 2025, 100 windows) on a journal, its books, the deadlines and the doors of all
// channels, in days that pass in moments, and compares the books with a recount.
//
// Citizens are served at boxes and online, rate by every channel, early, late, twice and not at all; boxes are offline for days and have no
// clock after a start; the gateway of messages loses, refuses and repeats; the centre stands still. The recount (model_test.go) uses
// nothing of the product's rules: it counts days on the notice's own list, and looks at all that was said of a case at once, in any order,
// when the year is over.
//
// "make simulate" plays the year; a month of a small hall is among all tests.
package hallyear
