// Package assess proposes what people decide about the results of a month (articles 21 and 22): an order to mend for whoever was surely
// worse than their peers three months in a row, and a task for what many complain of at one matter or hall.
//
// A proposal is a dossier that waits. Nothing happens until an office looks at it, and nobody it is about sees it before; nothing here
// touches a person by itself. The rules are pure functions (rules.go). What has been proposed once is not proposed again.
package assess
