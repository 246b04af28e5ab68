package evdev

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"haochaping/internal/cli"
)

// Keys of linux/input-event-codes.h in the order of their codes, from the first on: what keypads and keyboards of a counter
// have. Others are written as KEYCODE_ and their number.
const (
	firstNames = "ESC 1 2 3 4 5 6 7 8 9 0 MINUS EQUAL BACKSPACE TAB Q W E R T Y U I O P LEFTBRACE RIGHTBRACE ENTER LEFTCTRL " +
		"A S D F G H J K L SEMICOLON APOSTROPHE GRAVE LEFTSHIFT BACKSLASH Z X C V B N M COMMA DOT SLASH RIGHTSHIFT KPASTERISK " +
		"LEFTALT SPACE CAPSLOCK F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 NUMLOCK SCROLLLOCK KP7 KP8 KP9 KPMINUS KP4 KP5 KP6 KPPLUS KP1 " +
		"KP2 KP3 KP0 KPDOT" // 1 to 83
	laterNames = "KPENTER RIGHTCTRL KPSLASH SYSRQ RIGHTALT LINEFEED HOME UP PAGEUP LEFT RIGHT END DOWN PAGEDOWN INSERT DELETE" // 96 to 111
	laterCode  = 96
)

// numbered is what begins the name of a key without a name of its own.
const numbered = "KEYCODE_"

// KeyName returns the kernel's name of a key, as "KEY_KP1", or "KEYCODE_248" if this package does not know it.
func KeyName(code uint16) string {
	first, later := strings.Fields(firstNames), strings.Fields(laterNames)
	switch n := int(code); {
	case n >= 1 && n <= len(first):
		return "KEY_" + first[n-1]
	case n >= laterCode && n < laterCode+len(later):
		return "KEY_" + later[n-laterCode]
	}
	switch code {
	case 87:
		return "KEY_F11"
	case 88:
		return "KEY_F12"
	}
	return fmt.Sprintf("%s%d", numbered, code)
}

// KeyCode returns the code of a key's name, and what to write instead if there is no such name.
func KeyCode(name string) (uint16, error) {
	if text, ok := strings.CutPrefix(name, numbered); ok {
		n, err := strconv.ParseUint(text, 10, 16)
		if err == nil && n > 0 && n < KeyCount && KeyName(uint16(n)) == name {
			return uint16(n), nil
		}
		if err == nil && n > 0 && n < KeyCount {
			return 0, cli.Errorf("%[2]q 有自己的名字；请写 %[1]q", "%[2]q has a name of its own; write %[1]q", KeyName(uint16(n)), name)
		}
		return 0, cli.Errorf("%q 不是键；编号可写 1 至 %d", "%q is no key; codes are from 1 to %d", name, KeyCount-1)
	}
	codes := make([]uint16, 0, KeyCount)
	for c := uint16(1); c < KeyCount; c++ {
		codes = append(codes, c)
	}
	if i := slices.IndexFunc(codes, func(c uint16) bool { return KeyName(c) == name }); i >= 0 {
		return codes[i], nil
	}
	if len(name) == 1 && name >= "0" && name <= "9" {
		return 0, cli.Errorf("%[1]q 有两个；上排的数字请写 \"KEY_%[1]s\"，数字区的请写 \"KEY_KP%[1]s\"",
			"there are two keys %[1]q; write \"KEY_%[1]s\" for that of the upper row or \"KEY_KP%[1]s\" for that of the number pad", name)
	}
	return 0, cli.Errorf("%q 不是键；请用内核的写法，如 \"KEY_KP1\" 或 \"KEY_1\"",
		"%q is no key; write it as the kernel does, as \"KEY_KP1\" or \"KEY_1\"", name)
}
