// Package dossiers is the pages on which people decide: signs that ratings may not be genuine, orders to mend, shared
// problems and what is published. Each kind has a door of its own, with the actions of docs/roles.md; a dossier lies where what it is
// about lay when it was opened.
//
// What was found is shown as it was then. Links lead to evaluations for those alone who see them there.
package dossiers
