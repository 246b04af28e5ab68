package enrolment

import "crypto/tls"

// rests is for how many requests a box keeps back what the centre does not take yet: half a minute at least.
const rests = 10

// reason is why the centre does not let a box in by what it shows.
type reason struct {
	zh, en string
	final  bool // it will not be taken later either
}

// reasons are the centre's words.
func reasons() map[string]reason {
	return map[string]reason{
		"unknown": {"中心还没有登记这个序列号或票据", "the centre does not know the serial number or ticket yet", false},
		"wrong":   {"一次性口令或票据不对", "the password or the ticket is wrong", true},
		"used":    {"一次性口令或票据已用过", "the password or the ticket was used", true},
		"ended":   {"一次性口令或票据已过期", "the password or the ticket has ended", true},
		"revoked": {"票据已作废", "the ticket was taken back", true},
		"taken":   {"窗口已有评价器", "the window has a box", false},
		"full":    {"大厅没有空闲的窗口", "no window of the hall is free", false},
		"gone":    {"登记的窗口已不在这个大厅", "the window is not in the hall any more", false},
		"held":    {"另一台评价器已用同一密钥登记", "another box is enrolled with the same key", false},
		"later":   {"不对的口令或票据太多，稍后再试", "too many wrong ones came; it is tried later", false},
	}
}

// shows returns what the box shows with its next request: nothing where it was let in before, which people alone do again.
func (e *Enrolment) shows(own *tls.Certificate) Pass {
	p := e.cfg.Pass()
	switch {
	case own != nil || e.moved || p == Pass{}:
		e.word = ""
		return Pass{}
	case p == e.spent:
		return Pass{}
	case e.rests > 0:
		e.rests--
		return Pass{}
	}
	return p
}

// heard takes why the centre has not let the box in by what it has shown.
func (e *Enrolment) heard(shown Pass, word string) {
	if shown == (Pass{}) {
		return
	}
	if e.word != word {
		e.cfg.Logger.Warn("the centre does not let the box in by its serial number or ticket; the box waits under its code", "why", word,
			"words", reasons()[word].en)
	}
	e.word, e.rests = word, rests
	if reasons()[word].final {
		e.spent = shown
	}
}

// because returns why the box still waits, for people.
func because(word string) string {
	r, ok := reasons()[word]
	if !ok {
		return ""
	}
	return "；" + r.zh + " / " + r.en
}
