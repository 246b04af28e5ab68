// Package organisation is the pages about areas, units, halls, windows and staff: a list with search, one thing with its history, and
// changes by form or file, each previewed before it is confirmed.
//
// Who sees and changes what is account.May about the object that scope.go finds for a record: where it lies, whose business it is. A list
// leaves out the rest, a change of the rest is refused in the same words as one of what does not exist, and an address of it is 404.
//
// Invariant: nothing is written but by confirming a preview, which is worked out anew with the rights of that moment. The pages work
// without scripts.
package organisation
