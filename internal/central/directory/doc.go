// Package directory is the organisation: areas, units, halls, windows and staff, each as it was on any day.
//
// It owns the tables organisation, organisation_state, organisation_draft and serving, in the journal's database. A Record says how one
// thing was from one day to another. What changes is an act of the journal, in whose transaction the tables change, so that it is sealed
// and names who did it.
//
// Invariants, which hold for all of the organisation after each change and are checked before it by pure functions (tree.go):
//   - The periods of one thing do not overlap. Those of an area, unit, hall or window join without a gap; staff may leave and come back.
//   - What a record names (the hall of a window, the unit of a hall, the area above an area) exists on each of the record's days.
//   - No unit stands above itself, on any day.
//
// A change is previewed first (Preview). What is confirmed is what was previewed: both name the organisation's version, and a change in
// between refuses the confirmation. One with a refused line cannot be confirmed at all.
//
// Which window a box served with which generation is kept by Served, so that an evaluation finds its window, hall, unit and area as they
// were then: Atlas.Place, a pure function on a copy in memory.
//
// The package knows no accounts and decides nobody's rights. It has no texts of boxes' screens beyond names.
package directory
