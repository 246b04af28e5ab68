// Command pages measures how soon the centre's pages come when ten people ask at once among millions of evaluations.
//
//	pages -centre build/centrald -organisation cmd/ratingctl/organisation.csv -evaluations 5000000 -engine sqlite
//
// It rehearses a week of 1,000 windows, repeats that week's visits and evaluations in the books' tables over two years, starts the centre,
// signs in ten people of all roles, and lets them ask for their home pages and lists over HTTP. The figures of days and the orders are
// those of the week: they do not grow with evaluations. What stands in the repeated rows is for lists only, and not in the journal.
package main
