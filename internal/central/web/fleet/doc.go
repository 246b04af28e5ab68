// Package fleet is the pages about boxes: the halls, a hall's windows by state, one box with its parts, history and commands, and alerts.
//
// Who sees what is account.May about where a box stands: a hall's administrator the hall's own, a technician those of an area, and nobody
// an evaluation. Queries ask for the boxes of the viewer's windows and no others. The pages are made for a phone, and for people who are no
// engineers: each trouble has words that say what to do there, and the engineers' advice behind them.
//
// Invariant: a command is an act in the journal before it is sent, and it is sent once; what the box answers shows on its page.
package fleet
