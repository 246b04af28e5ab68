// Package powercut proves law 1, thanks only after commit, by cutting the power of a disk while the store works on it.
//
// The disk is simulated down to its cache: a FUSE server keeps what is written in memory until it is told to flush, as an
// SD card or an SSD does. A cut makes every later operation fail, and of what was not flushed a random part survives, in
// sectors of 512 bytes, so that pages are torn. On the disk lies a real ext4, on that a real log, and on the log works a
// process of its own (the writer), which says what it has been promised: the records that Append thanked for, the
// acknowledgements that were taken. After the cut the disk is mounted again, and what the store finds there is held
// against what was said. The same disk then goes on to the next cut.
//
// What must hold after each cut: every record that was thanked for is there, byte for byte; an Append that was not thanked
// for is there as a whole or not at all; numbering has no gap, nothing is there twice, the chain holds; the release mark
// is not beyond what was acknowledged, nor behind what the file must have learnt; the epoch is the same and nothing was
// set aside, since a power cut must never look like a damaged file; no temporary file stays.
//
// A proof that cannot fail proves nothing. So two broken writers have to be caught in the same run: one whose fsyncs do
// nothing, and one that says thanks before it commits.
//
// The disk promises what the kernel expects of one: a sector is written whole or not at all, and a flush that returned is
// on the medium. Cards that lie about flushes are not simulated; no store survives them. Nor are bit flips: those are the
// business of the store's own tests.
//
// It needs root, /dev/fuse, loop devices and mkfs.ext4. All mounts are made in a mount namespace of the harness's own
// thread, so that they end with the process even if it is killed.
package powercut
