// Package boxcode is the code under which a box waits to be accepted, as it is shown and as it is typed.
//
// A screen shows a code as eight letters. Five lamps tell each letter by two flashes: the row and the column of its place in a table of
// rows of five, each the number of a lamp, counted from the left. A check digit is told likewise. Whoever reads lamps writes the numbers
// down and types those: Clean makes a code of either. Box and centre share the package, so that they have one table.
//
// It knows nothing of who waits, of time or of lamps' lines.
package boxcode
