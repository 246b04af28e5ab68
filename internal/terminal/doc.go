// Package terminal is the behaviour of one window: what the box does when a visit is opened, a key is pressed, a phone
// rates, time passes or a part of the box fails.
//
// Model is a value and its Step a pure function of the event, which carries its time, so that every rule can be tested
// without hardware, files or sleep. When a step has something to record it returns a Write instead of acting on it: the
// new state is locked inside the Write and comes out of its Done only once the caller says how the commit went. Thus
// "thanks only after commit" is not a habit but the only way to get at the state that says thanks.
//
// What fails to be recorded for want of a working store is remembered, up to a bound, and recorded before everything else
// when the store works again, all but a press: a press that was not committed was not thanked, and the citizen is asked
// again or rates by phone.
//
// What is kept where: the open visit, its answers and a pause are in the log, from which cmd/ratingd makes the state after a
// restart; who is signed in is a note beside it, and survives a restart too. A walk-up visit is not written before somebody answers it.
//
// When a visit has ended the keys may stand for the reasons of its answers (Explaining). How long does not depend on what is pressed,
// so that nobody who sees the window learns an answer; the next visit ends it.
//
// Loop owns a Model, feeds it and carries out what it says. The package does not read keys, draw or open files.
package terminal
