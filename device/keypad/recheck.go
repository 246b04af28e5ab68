package keypad

import "fmt"

// Recheck hears the five keys once more, in the order in which they were learnt. It is not safe for concurrent use.
type Recheck struct {
	l       Learnt
	decoder *Decoder
	next    int
}

// Recheck returns a Recheck that has heard nothing.
func (l Learnt) Recheck() *Recheck { return &Recheck{l: l, decoder: l.Profile.NewDecoder()} }

// Key returns which key is to be pressed, from 0; 5 when all were heard.
func (r *Recheck) Key() int { return r.next }

// Burst takes what the keypad sent without a pause. It is an error if that is another key than the one to be pressed.
func (r *Recheck) Burst(b []byte) error {
	for _, code := range keysOf(r.decoder.Feed(b)) {
		switch {
		case r.next < len(r.l.Codes) && code == r.l.Codes[r.next]:
			r.next++
		case r.next > 0 && code == r.l.Codes[r.next-1]: // it repeats
		default:
			return fmt.Errorf("%s was pressed where %s was learnt: one of both times a wrong key was pressed; learn the keypad again", code, r.l.Codes[min(r.next, 4)])
		}
	}
	r.decoder.Reset()
	return nil
}
