// Package device reads the five keys of the box: on GPIO lines, on a serial keypad, on a USB keypad that types digits, or
// simulated; and cards, on a second serial line or typed. It switches lamps, a buzzer and the backlight.
//
// A source turns its hardware into Events: a key went down, went up, is stuck; the keypad was lost or is back. An
// Interpreter with the configured Map turns Events into Signals: a press of a level, two keys together, a key that has no
// level. A key without a level is reported and is never taken for one; the order of the keys differs on every keypad, so
// the map has no default.
//
// What a press is, whatever the source, is said in docs/keys.md and decided from the times of events alone: strokes for a line that
// knows no release, together for keys that go down close to each other.
//
// # Wiring
//
// Each key connects its GPIO line to ground; the line's pull-up holds it high otherwise. Five lines that are free on the
// Raspberry Pi's header and lie together are GPIO5, 6, 13, 19 and 26 (pins 29, 31, 33, 35 and 37), with ground on pin 39.
// Serial keypads go to a USB adapter; name the port by /dev/serial/by-id so that it stays the same.
//
// # What is worked around
//
// The kernel's GPIO interface is spoken directly (gpiouapi.go), behind periph's pin type (Pin): periph's gpioioctl gives no times
// of edges, finds chips only once in a program's life, and closes file descriptor 0 on a Pi; an output's first level is always low
// with it, and the numbers of errors are lost. Any other pin of periph can be a key too. Of these only levels are believed and
// edges never counted; WaitForEdge is given positive timeouts only, and a pin that answers at once for ever is taken for gone.
// Gpioutil.Debounce ignores its argument, so contacts are debounced here.
//
// A line that is gone reads as low, which is a pressed key on most boxes: an error of the kernel ends the source, and what was
// not certain by then is dropped.
//
// A chip that is plugged in anew may come back as another gpiochipN: name its lines by their names or by its label.
//
// Tarm/serial: a timeout comes as io.EOF, and so does every read after a hang-up, but the latter at once; they are told
// apart by the time that the read took. Close blocks behind a read without timeout, so one is always set. There is no timeout
// of writing: a goroutine of its own writes answers and prompts, of which the newest wins, and a flush ends a write that hangs. It
// opens without TIOCEXCL and with a BREAK read as a byte 00, and keeps its descriptor: a second one sets what is missing.
//
// The package does not decide whether a press counts.
package device
