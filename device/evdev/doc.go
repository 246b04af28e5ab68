// Package evdev reads Linux input devices (Documentation/input/input.rst and event-codes.rst of the kernel): keypads that
// act as USB keyboards. It knows the kernel's structures and requests and nothing of what keys mean.
//
// An input_event begins with a time of two longs, so that an event has 24 bytes on 64-bit machines and 16 on 32-bit ones;
// the requests and everything after the time are the same on all.
package evdev
