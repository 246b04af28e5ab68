// Package display draws the box's screen and shows it.
//
// A Screen is a value that says what is to be seen. A Renderer turns it into pixels and nothing else: the same Screen at
// the same size is the same image, at any size from 480×320 to 1920×1200, upright or across. Texts are Chinese with
// English below. The five levels are five tiles of equal size, in the order of the keys, each with number, face and word,
// so that no answer is suggested and none needs colour to be understood. Text has a contrast of at least 7:1.
//
// A character is drawn with the first font that has it: the built-in subsets of Noto Sans SC and Noto Serif Tibetan, then the
// complete fonts of the machine. One that no font has is drawn as a box with its number, never as a blank: a name that cannot
// be read is noticed, one that is missing is not. Zero-width and private characters vanish. Texts are shaped and broken into
// lines by github.com/go-text/typesetting; no text is smaller than 3.5 mm on a panel of 7 inches, and what does not fit its
// lines loses its middle.
//
// On Linux a graphics card is driven through a dumb buffer (DRM), or the framebuffer where no card drives a screen, in
// any rotation by 90°. Only the squares that have changed are converted. While a question waits, the thanks are drawn and converted
// ahead, so that a press has one tile to draw. A panel that is gone says so with ErrGone, and is
// opened again by its owner.
//
// Panels take the image: a card, a Linux framebuffer, a browser, PNG files, or whatever implements periph's display.Drawer. What
// the browser shows are the very pixels of the panel.
package display
