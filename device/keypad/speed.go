package keypad

import (
	"bytes"

	"haochaping/internal/cli"
)

// ScanOrder returns the speeds to be tried on a line whose speed is unknown, the likeliest first, in bits per second.
func ScanOrder() []int { return []int{9600, 4800, 19200, 2400, 115200, 38400, 57600, 1200} }

// Trial is what one press sent when it was read at one speed.
type Trial struct {
	Baud int
	Sent []byte // nil if nothing came
}

// Looks says in both languages what the bytes look like: what a keypad sends, or nothing in particular.
func (t Trial) Looks() string {
	if what, ok := t.looks(); ok {
		return what.String()
	}
	return said{"看不出是什么", "nothing in particular"}.String()
}

// looks recognises what bytes read at a wrong speed hardly ever are: they are few, and the kernel drops those without a stop
// bit.
func (t Trial) looks() (said, bool) {
	b := bytes.TrimRight(t.Sent, "\r\n\x03")
	switch n := len(t.Sent); {
	case n == 0:
		return said{}, false
	case n >= 2 && len(b) > 0 && len(b) < n && isText(b, 0):
		return said{"一行文字", "a line of text"}, true
	case n >= 4:
		for _, c := range checksums() {
			for _, end := range []int{n, n - 1, n - 2} {
				for from := 0; from <= 1; from++ {
					if at := end - c.size; at >= from+2 && bytes.Equal(c.of(t.Sent[from:at]), t.Sent[at:end]) {
						return say("带校验和 %s 的帧", "a frame with the checksum %s", c.name), true
					}
				}
			}
		}
	case n == 1 && isText(b, 0):
		return said{"一个字符", "one character"}, true
	}
	return said{}, false
}

// BestSpeed returns the only speed at which the bytes look like a keypad's.
func BestSpeed(all []Trial) (int, error) {
	best := 0
	for _, t := range all {
		if _, ok := t.looks(); !ok {
			continue
		}
		if best != 0 {
			return 0, cli.Errorf("每秒 %d 位和 %d 位看来都对", "%d and %d bits per second both look right", best, t.Baud)
		}
		best = t.Baud
	}
	if best == 0 {
		return 0, cli.Error("没有一个速率的字节像是键盘发送的", "at no speed do the bytes look like a keypad's")
	}
	return best, nil
}
