// Package powercut proves law 1 the hard way: it cuts the power of a disk while the store works on it, and then looks at
// what is left.
//
// The disk is a file that a FUSE server of our own keeps in memory. It has a cache that loses what was not flushed: a cut
// keeps a random part of it, down to single sectors of 512 bytes, so that pages are torn too. On the disk lies an ext4, on
// that the log of a box, and a program of its own (writer) appends, acknowledges, compacts, creates and upgrades it until
// the power goes. What it has said to be thanked for must be there afterwards, byte for byte.
//
// A proof that never fails proves nothing: the same harness must catch a store that was built without fsync, and a writer
// that says thanks before the commit.
//
// It needs root, /dev/fuse, loop devices and mkfs.ext4.
package powercut
