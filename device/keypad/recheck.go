package keypad

import "haochaping/internal/cli"

// Recheck hears the five keys once more, in the order in which they were learnt. It is not safe for concurrent use.
type Recheck struct {
	codes [5]string
	next  int
}

// NewRecheck returns a Recheck that has heard nothing.
func NewRecheck(codes [5]string) *Recheck { return &Recheck{codes: codes} }

// Key returns which key is to be pressed, from 0; 5 when all were heard.
func (r *Recheck) Key() int { return r.next }

// Pressed takes a key. It is an error if that is another than the one to be pressed, and not the one before, which repeats.
func (r *Recheck) Pressed(code string) error {
	switch {
	case r.next < len(r.codes) && code == r.codes[r.next]:
		r.next++
	case r.next > 0 && code == r.codes[r.next-1]:
	default:
		return cli.Errorf("这次按的是 %s，学习时是 %s，两次中有一次按错；请重新学习键盘",
			"%s was pressed where %s was learnt: one of both times it was a wrong key; learn the keypad again", code,
			r.codes[min(r.next, len(r.codes)-1)])
	}
	return nil
}
