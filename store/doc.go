// Package store is the box's log: records appended to a bbolt file, numbered without gaps, chained by hash, and released
// only when the centre has acknowledged them.
//
// Append returns after the transaction is on the disk, and memory changes only after that. What a reader gets are the
// very bytes that were hashed. Acknowledged records stay for a while (Retention) and are then trimmed from the front;
// a record that is not acknowledged is never removed, whatever the disk says.
//
// A file belongs to one device and one process. It has an epoch, drawn when it is created; a new file is a new epoch.
// A file that cannot be read as ours is refused with ErrDamaged, ErrForeign or ErrNewer and never touched.
//
// The package does not decide what a record means, and does not send anything. DESIGN.md says why it is as it is.
package store
