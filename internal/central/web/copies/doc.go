// Package copies shows the copies of other centres' journals that this centre keeps (internal/central/replica). It says up to which row and
// head each goes, when its city was last heard, what is wrong and what to do. It reads what the copying processes record, and touches no
// copy.
package copies
