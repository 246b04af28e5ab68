// Package replica keeps another centre's journal, row by row, as a province does with those of its cities. What is kept is a journal
// itself: it is verified, proven from and made books of by the same programs.
//
// Whoever copies fetches the next signed head, then the rows up to it, and enters both in one transaction, only if each row's leaf, made
// anew, leads to the head's root and each box's signature holds. So a row is there once, whichever line broke, and a centre that changes
// what it has shown is found out: nothing of that is entered, and what was there before stays as evidence. Texts of citizens come as
// ciphertexts, whose keys stay where they are.
package replica
