package evdev

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Types, codes and values of events that matter to keys.
const (
	TypeSync = 0x00
	TypeKey  = 0x01

	SyncReport  = 0
	SyncDropped = 3 // the kernel's queue overflowed: what follows up to the next report is void

	KeyUp     = 0
	KeyDown   = 1
	KeyRepeat = 2 // by the kernel while the key is held

	// KeyCount is above every key's code.
	KeyCount = 0x300
)

// Event is one input_event.
type Event struct {
	Type, Code uint16
	Value      int32
	At         time.Duration // of the kernel's clock that Open has chosen: since the machine started
}

// IsModifier reports whether a key changes what others type, as Shift and NumLock do. Keypads send some of them by themselves.
func IsModifier(code uint16) bool {
	// Ctrl, Shift, Alt, CapsLock, NumLock, ScrollLock, Meta, Fn
	return slices.Contains([]uint16{29, 97, 42, 54, 56, 100, 58, 69, 70, 125, 126, 464}, code)
}

// nativeLong returns the size of this machine's longs in bytes, two of which begin each event.
func nativeLong() int { return strconv.IntSize / 8 }

// Decode returns the events in b, whose longs have long bytes: 8 on 64-bit machines, 4 on 32-bit ones. The kernel hands out
// whole events only; a part of one is an error.
func Decode(b []byte, long int, order binary.ByteOrder) ([]Event, error) {
	size := 2*long + 8
	if len(b)%size != 0 {
		return nil, fmt.Errorf("read input events: %d bytes are no whole number of events of %d bytes", len(b), size)
	}
	var all []Event
	for ; len(b) > 0; b = b[size:] {
		at, e := b[:2*long], b[2*long:]
		sec, micro := uint64(order.Uint32(at)), uint64(order.Uint32(at[long:]))
		if long == 8 {
			sec, micro = order.Uint64(at), order.Uint64(at[long:])
		}
		all = append(all, Event{
			Type: order.Uint16(e), Code: order.Uint16(e[2:]), Value: int32(order.Uint32(e[4:])),
			At: time.Duration(sec)*time.Second + time.Duration(micro)*time.Microsecond,
		})
	}
	return all, nil
}

// keysIn returns the codes whose bits are set, as EVIOCGKEY and EVIOCGBIT deliver them. The bits are the kernel's longs, so
// that on the little-endian machines that we build for they lie in the order of the bytes.
func keysIn(bits []byte) []uint16 {
	var all []uint16
	for i, b := range bits {
		for bit := range 8 {
			if b>>bit&1 == 1 {
				all = append(all, uint16(8*i+bit))
			}
		}
	}
	return all
}
