// Package boltfile reads files of bbolt without bbolt: while another process writes them, and when they are damaged.
//
// Bbolt maps its file into memory and trusts what it finds there; a flipped byte can end the process. This package reads
// page by page, checks every number before it is used, and never panics, loops or reserves memory for what a damaged
// number says. It writes nothing.
//
// A file is a row of pages of equal size. Pages 0 and 1 are metas, of which the valid one with the greater transaction
// holds; it names the root of a B+tree whose leaves hold keys with values, or with buckets, which are trees of their own
// or, if small, a page inside the value. Numbers are little-endian, as on every machine that the product is built for.
// The format is that of bbolt's version 2, which its authors promise to keep.
package boltfile
