// Package wiring finds out on which GPIO lines keys hang of which nobody knows the wiring: which line a key moves, whether pressed is low
// or high, and whether the line needs a pull to be known when nobody presses.
//
// Each line is looked at with a weak pull upward and then with one downward, again and again. A line that follows the pull floats; one that
// does not is held by something else. A press is what moves one line away from its rest and back again. A line that moves by itself, and
// lines that move at once, are told and are no press.
//
// The package has no input, output or time of its own. It does not decide which level a line means.
package wiring
