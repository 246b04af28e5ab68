package board

import (
	"encoding/base64"
	"encoding/binary"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/rating"
)

// boxLog returns the log of the box.
func (h *hall) boxLog() string {
	h.t.Helper()
	return h.sh("ratingctl log -config /data/ratingd.toml -format jsonl -last 0")
}

// logged waits until the box's log names an event.
func (h *hall) logged(event string) {
	h.t.Helper()
	h.eventually(event+" in the log", time.Minute, func() bool { return strings.Contains(h.boxLog(), `"name":"`+event+`"`) })
}

// TestSerialKeypad sends keys over the machine's serial line: one press; then a key that repeats as one that sticks does, while visit
// after visit is opened, which answers none and is reported; another key counts meanwhile.
func TestSerialKeypad(t *testing.T) {
	h := newHall(t, `keys.source = "serial"
keys.serial.port = "/dev/ttyS0"
keys.serial.profile = "byte"
keys.map = [{key="0x31",level=5},{key="0x32",level=4},{key="0x33",level=3},{key="0x34",level=2},{key="0x35",level=1}]
`)
	h.start(Options{})
	h.startBox()
	h.sh("sleep 3") // what comes right after the port was opened is held back
	want := map[rating.VisitID]rating.Level{h.visit(): 2}
	write := func(key string) {
		t.Helper()
		if _, err := h.board.Serial().Write([]byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	write("4")
	h.recorded(1)
	h.eventually("it at the centre", time.Minute, func() bool { return maps.Equal(h.counted(), want) })
	h.eventually("the end of the visit", time.Minute, func() bool { return strings.Contains(h.status(), `"idle"`) })

	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			if _, err := h.board.Serial().Write([]byte("1")); err != nil {
				stopped <- err
				return
			}
			select {
			case <-stop:
				stopped <- nil
				return
			case <-time.After(400 * time.Millisecond):
			}
		}
	}()
	h.sh("sleep 1")
	h.visit() // which the key has begun before
	h.visit()
	h.logged(rating.EventStuckKey)
	want[h.visit()] = 3
	write("3")
	h.recorded(2)
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	h.logged(rating.EventReleasedKey)
	want[h.visit()] = 5
	write("1")
	h.recorded(3)
	h.eventually("them at the centre, and no other", time.Minute, func() bool { return maps.Equal(h.counted(), want) })
}

// bootKeyboard is the report descriptor of a keyboard whose report has a byte of modifiers, one that says nothing, and six keys.
const bootKeyboard = "\x05\x01\x09\x06\xa1\x01\x05\x07\x19\xe0\x29\xe7\x15\x00\x25\x01\x75\x01\x95\x08\x81\x02\x95\x01\x75\x08\x81\x01" +
	"\x95\x06\x75\x08\x15\x00\x25\x65\x05\x07\x19\x00\x29\x65\x81\x00\xc0"

// plugUHID plugs a keyboard with a name in, that of a USB device to the kernel, whose reports are the test's.
func (h *hall) plugUHID(name string) {
	h.t.Helper()
	const create, usb = 11, 3
	e := binary.LittleEndian.AppendUint32(nil, create)
	e = append(e, make([]byte, 128+64+64)...)
	copy(e[4:], name)
	e = binary.LittleEndian.AppendUint16(e, uint16(len(bootKeyboard)))
	e = binary.LittleEndian.AppendUint16(e, usb)
	e = append(e, make([]byte, 16)...)
	h.sh("exec 8<>/dev/uhid")
	h.uhid(append(e, bootKeyboard...))
}

// report lets it send that so many keys are down, by their usages.
func (h *hall) report(keys ...byte) {
	h.t.Helper()
	const input, size = 12, 8
	e := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint32(nil, input), size)
	e = append(append(e, 0, 0), keys...)
	h.uhid(append(e, make([]byte, 4+2+size-len(e))...))
}

func (h *hall) uhid(event []byte) {
	h.t.Helper()
	h.sh("echo " + base64.StdEncoding.EncodeToString(event) + " | base64 -d >&8")
}

// TestUSBKeypad types on a USB keyboard. Of two keys that go down in one of its reports none counts, and the citizen is asked again.
func TestUSBKeypad(t *testing.T) {
	h := newHall(t, `keys.source = "usb"
keys.usb.device = "name:QEMU QEMU USB Keyboard"
keys.map = [{key="KEY_KP1",level=5},{key="KEY_KP2",level=4},{key="KEY_KP3",level=3},{key="KEY_KP4",level=2},{key="KEY_KP5",level=1}]
`)
	h.start(Options{})
	h.startBox()
	want := map[rating.VisitID]rating.Level{h.visit(): 3}
	for _, key := range []string{"num_lock", "kp_3", "num_lock"} { // which some keypads send around each digit
		if err := h.board.Type(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		h.sh("sleep 0.3")
	}
	h.recorded(1)
	h.eventually("it at the centre", time.Minute, func() bool { return maps.Equal(h.counted(), want) })
	if out := h.boxLog(); strings.Contains(out, "unknown_key") {
		t.Errorf("NumLock is in the log:\n%s", out)
	}

	h.plugUHID("Hall Keypad")
	h.sh("kill $(cat /tmp/ratingd.pid); sed -i 's/QEMU QEMU USB Keyboard/Hall Keypad/' /data/ratingd.toml; sleep 1")
	h.startBox()
	want[h.visit()] = 4
	const kp1, kp2 = 0x59, 0x5a
	h.report(kp1, kp2)
	h.sh("sleep 0.2")
	h.report()
	h.logged(rating.EventKeysTogether)
	h.recorded(1) // none of the two
	h.sh("sleep 3")
	h.report(kp2)
	h.sh("sleep 0.2")
	h.report()
	h.recorded(2)
	h.eventually("it at the centre, and no other", time.Minute, func() bool { return maps.Equal(h.counted(), want) })
}

// TestLargePages runs the box on a kernel whose pages have 16 KB, and the same disk on one with pages of 4 KB after that: keys, screen
// and log are the same.
func TestLargePages(t *testing.T) {
	h := newHall(t, gpioKeys)
	cache, err := filepath.Abs("../../../build/board")
	if err != nil {
		t.Fatal(err)
	}
	small := h.parts
	if h.parts, err = Fetch(t.Context(), cache, LargePages); err != nil {
		t.Fatal(err)
	}
	want := make(map[rating.VisitID]rating.Level)
	for n, parts := range []Parts{h.parts, small} {
		h.parts = parts
		h.start(Options{})
		page := h.sh("grep -m 1 KernelPageSize /proc/self/smaps")
		if large := strings.Contains(page, " 16 kB"); large != parts.largePages() {
			t.Fatalf("the kernel %s has %s", parts.Release, page)
		}
		h.startBox()
		want[h.visit()] = 4
		h.readQR("asking-"+[]string{"16k", "4k"}[n], true)
		h.press("RATE4", len(want))
		h.eventually("it at the centre", time.Minute, func() bool { return maps.Equal(h.counted(), want) })
		h.sh("ratingctl log -config /data/ratingd.toml -verify")
		h.board.PowerOff()
	}
}
