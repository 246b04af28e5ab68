package evdev

import (
	"bytes"
	"encoding/binary"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// write returns events as a kernel with longs of that many bytes writes them.
func write(long int, events ...Event) []byte {
	var b bytes.Buffer
	for _, e := range events {
		for _, part := range []time.Duration{e.At / time.Second, e.At % time.Second / time.Microsecond} {
			b.Write(binary.LittleEndian.AppendUint64(nil, uint64(part))[:long])
		}
		_ = binary.Write(&b, binary.LittleEndian, struct {
			Type, Code uint16
			Value      int32
		}{e.Type, e.Code, e.Value})
	}
	return b.Bytes()
}

func TestDecodeBothLayouts(t *testing.T) {
	want := []Event{{TypeKey, 79, KeyDown, 0}, {TypeSync, SyncReport, 0, 1500 * time.Millisecond}, {TypeKey, 79, KeyUp, 100 * 24 * time.Hour},
		{4, 4, -2, 1}}
	want[3].At = 999999 * time.Microsecond
	for long, size := range map[int]int{8: 24, 4: 16} {
		b := write(long, want...)
		if len(b) != size*len(want) {
			t.Fatalf("longs of %d: %d bytes, want events of %d", long, len(b), size)
		}
		got, err := Decode(b, long, binary.LittleEndian)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("longs of %d: %v, events (-want +got):\n%s", long, err, diff)
		}
		if _, err := Decode(b[:size+3], long, binary.LittleEndian); err == nil {
			t.Errorf("longs of %d: part of an event was accepted", long)
		}
	}
}

// TestNamesAreTheKernels compares every name with the kernel's header.
func TestNamesAreTheKernels(t *testing.T) {
	const path = "/usr/include/linux/input-event-codes.h"
	b, err := os.ReadFile(path)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: install the Debian package linux-libc-dev", err)
		}
		t.Skipf("%v: install the Debian package linux-libc-dev", err)
	}
	kernel := make(map[string]uint16)
	for _, m := range regexp.MustCompile(`(?m)^#define (KEY_\w+)\s+(0x[0-9a-f]+|\d+)\b`).FindAllStringSubmatch(string(b), -1) {
		n, err := strconv.ParseUint(m[2], 0, 16)
		if err != nil {
			t.Fatal(err)
		}
		kernel[m[1]] = uint16(n)
	}
	named := 0
	for code := uint16(1); code < KeyCount; code++ {
		name := KeyName(code)
		if !strings.HasPrefix(name, numbered) {
			named++
			if got, ok := kernel[name]; !ok || got != code {
				t.Errorf("%d is called %s, which is %d in the kernel", code, name, got)
			}
		}
		if got, err := KeyCode(name); err != nil || got != code {
			t.Errorf("KeyCode(%s) = %d, %v, want %d", name, got, err, code)
		}
	}
	for name, code := range kernel {
		modifier := regexp.MustCompile(`^KEY_((LEFT|RIGHT)(CTRL|SHIFT|ALT|META)|(CAPS|NUM|SCROLL)LOCK|FN)$`).MatchString(name)
		if IsModifier(code) != modifier {
			t.Errorf("%s is a modifier: %t, want %t", name, !modifier, modifier)
		}
	}
	if named != 101 {
		t.Errorf("%d keys have names, want 101", named)
	}
}

func TestKeyCodeSaysWhatToWrite(t *testing.T) {
	for name, want := range map[string]string{
		"1": `"KEY_KP1"`, "KEY_kp1": "as the kernel does", "KEYCODE_79": `write "KEY_KP1"`, "KEYCODE_0": "codes are from 1",
		"KEYCODE_9999": "codes are from 1", "KEYCODE_0248": `write "KEYCODE_248"`, "": "as the kernel does",
	} {
		if _, err := KeyCode(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("KeyCode(%q): %v, want %s", name, err, want)
		}
	}
}

func TestKeysIn(t *testing.T) {
	if diff := cmp.Diff([]uint16{1, 9, 23}, keysIn([]byte{0x02, 0x02, 0x80})); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// TestRequests compares the requests with what a C compiler makes of the kernel's macros for a buffer of 256 bytes.
func TestRequests(t *testing.T) {
	for _, c := range []struct{ got, want uintptr }{
		{request(ioRead, 0x06, 256), 0x81004506}, // EVIOCGNAME
		{request(ioRead, 0x18, 96), 0x80604518},  // EVIOCGKEY
		{request(ioRead, 0x21, 96), 0x80604521},  // EVIOCGBIT(EV_KEY)
		{request(ioWrite, 0x90, 4), 0x40044590},  // EVIOCGRAB
		{request(ioWrite, 0xa0, 4), 0x400445a0},  // EVIOCSCLOCKID
	} {
		if c.got != c.want {
			t.Errorf("request %#x, want %#x", c.got, c.want)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	if _, err := Open("/dev/null"); err == nil || !strings.Contains(err.Error(), "is no input device") {
		t.Errorf("/dev/null: %v", err)
	}
	if _, err := Open("name:no such keypad"); err == nil {
		t.Error("a keypad that is not there was opened")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(write(8, Event{TypeKey, 2, 1, 0}))
	f.Add(write(4, Event{TypeKey, 2, 1, 0}, Event{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, long := range []int{4, 8} {
			events, err := Decode(b, long, binary.LittleEndian)
			if err == nil && len(events)*(2*long+8) != len(b) {
				t.Errorf("%d events of %d bytes", len(events), len(b))
			}
		}
	})
}
