package keypad

import "fmt"

// said is a text in Chinese and in English, as a profile's about holds it: with a slash between.
type said struct{ zh, en string }

// say returns a text whose formats take the same arguments.
func say(zh, en string, args ...any) said {
	return said{fmt.Sprintf(zh, args...), fmt.Sprintf(en, args...)}
}

// and returns the text with another sentence behind it.
func (s said) and(zh, en string, args ...any) said {
	more := say(zh, en, args...)
	return said{s.zh + more.zh, s.en + " " + more.en}
}

func (s said) String() string { return s.zh + " / " + s.en }

func hexDigits() said { return said{"十六进制数字", "hex digits"} }

// number says of how many of such characters a number is.
func (s said) number(zh, en string, n int) said {
	return said{fmt.Sprintf(zh, n, s.zh), fmt.Sprintf(en, n, s.en)}
}

// checked adds to what a draft is about that a checksum is compared.
func (f framing) checked(about said) said {
	if f.sum == nil {
		return about
	}
	return about.and("核对校验和 %s。", "The checksum %s is compared.", f.sum.text)
}
