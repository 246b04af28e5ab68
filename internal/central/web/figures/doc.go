// Package figures is the pages of figures: a period compared with the one before, by area, unit, hall, window, staff, matter and channel, as tables, bars, CSV,
// workbook and for programs.
//
// Who sees which is account.May's, of each place. Whoever sees no single evaluation there, which is who runs a hall, sees figures of one closed month at a time, and levels only
// where there are enough (guard.go).
package figures
