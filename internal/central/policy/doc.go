// Package policy keeps what the level above sets for the centres below it (articles 4, 5 and 24): the catalogue of reasons, the calendars
// of working days, and settings with the bounds within which a lower level may choose.
//
// A policy is one document with a number, signed by the centre that issues it. A centre below takes it over a line or from a file if the
// signature is of the key that it was given and the number is greater than all before; so none is changed on its way or played again. The
// one that holds is that with the greatest number whose first day has come. It holds until another one does: a line that is down loosens
// no bound.
//
// What holds is worked out by Resolve, a pure function; it never leaves the bounds, whatever a centre has chosen or its file says.
//
// Failure mode: while the line is down, everything holds as it did, and the page says since when. The room sets nothing by itself: the
// program asks it at the start, and begins anew when something else holds.
package policy
