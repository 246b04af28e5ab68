// Package figures is the pages of figures: a period compared with the one before, by area, unit, hall, window, staff, matter and channel,
// as tables, bars, CSV, workbook and for programs.
//
// Who sees which is account.May's, of each place. Whoever sees no single evaluation there, which is who runs a hall, sees figures of one
// closed month of one hall at a time, which stay as they were first shown, and levels only where there are enough (hall.go, guard.go).
package figures
