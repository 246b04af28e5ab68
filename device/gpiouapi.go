package device

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file speaks the kernel's GPIO interface, version 2 (include/uapi/linux/gpio.h, Linux 5.10 and later): what chips and
// lines there are and who uses them, inputs with the times of their edges, outputs with their first value. Errors are those
// of the kernel.

const (
	uapiNameSize = 32

	uapiChipInfo    = 0x8044b401 // GPIO_GET_CHIPINFO_IOCTL
	uapiLineInfo    = 0xc100b405 // GPIO_V2_GET_LINEINFO_IOCTL
	uapiLineRequest = 0xc250b407 // GPIO_V2_GET_LINE_IOCTL
	uapiSetConfig   = 0xc110b40d // GPIO_V2_LINE_SET_CONFIG_IOCTL
	uapiGetValues   = 0xc010b40e // GPIO_V2_LINE_GET_VALUES_IOCTL
	uapiSetValues   = 0xc010b40f // GPIO_V2_LINE_SET_VALUES_IOCTL

	uapiUsed         = 1 << 0 // GPIO_V2_LINE_FLAG_USED
	uapiActiveLow    = 1 << 1
	uapiInput        = 1 << 2
	uapiOutput       = 1 << 3
	uapiRisingEdges  = 1 << 4
	uapiFallingEdges = 1 << 5
	uapiPullUp       = 1 << 8
	uapiPullDown     = 1 << 9
	uapiNoPull       = 1 << 10
	uapiAttrOutputs  = 2 // GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES

	uapiRising    = 1 // GPIO_V2_LINE_EVENT_RISING_EDGE
	uapiFalling   = 2
	uapiEventSize = 48

	// uapiQueue is how many edges the kernel keeps for a line, the most that it allows: 5 kHz for a tenth of a second.
	uapiQueue = 1024
)

type uapiChip struct {
	name, label [uapiNameSize]byte
	lines       uint32
}

type uapiAttr struct {
	id, _ uint32
	_     uint64 // value; that of the attributes that we set is 0
}

type uapiConfig struct {
	flags uint64
	attrs uint32
	_     [5]uint32
	attr  [10]struct {
		uapiAttr
		mask uint64
	}
}

type uapiRequest struct {
	offsets  [64]uint32
	consumer [uapiNameSize]byte
	config   uapiConfig
	lines    uint32
	queue    uint32 // edges kept for each line; 0 for 16
	_        [5]uint32
	fd       int32
}

type uapiLine struct {
	name      [uapiNameSize]byte
	consumer  [uapiNameSize]byte
	offset, _ uint32 // and number of attributes
	flags     uint64
	_         [10]uapiAttr
	_         [4]uint32
}

type uapiValues struct{ bits, mask uint64 }

func ioctl[T any](fd int, request uintptr, arg *T) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(arg)))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return errno
	}
}

func text(name [uapiNameSize]byte) string {
	b, _, _ := bytes.Cut(name[:], []byte{0})
	return string(b)
}

// chipInfo returns name, label and number of lines of a chip. It is an error once the chip is gone, from then on for ever: the
// descriptor belongs to that chip and not to one that comes after it under the same name.
func chipInfo(fd int) (name, label string, lines int, err error) {
	var c uapiChip
	if err := ioctl(fd, uapiChipInfo, &c); err != nil {
		return "", "", 0, fmt.Errorf("ask the GPIO chip for its name: %w", err)
	}
	return text(c.name), text(c.label), int(c.lines), nil
}

// lineInfo returns a line's name, who uses it now, and whether anybody does.
func lineInfo(fd, offset int) (name, user string, used bool, err error) {
	l := uapiLine{offset: uint32(offset)}
	if err := ioctl(fd, uapiLineInfo, &l); err != nil {
		return "", "", false, err
	}
	return text(l.name), text(l.consumer), l.flags&uapiUsed != 0, nil
}

// lineFlags returns how a line is used now.
func lineFlags(fd, offset int) (uint64, error) {
	l := uapiLine{offset: uint32(offset)}
	err := ioctl(fd, uapiLineInfo, &l)
	return l.flags, err
}

// requestInput makes a line an input of which the kernel keeps what flags say, and returns its descriptor, whose reads do
// not wait.
func requestInput(fd, offset int, consumer string, flags uint64) (int, error) {
	line, err := requestInputs(fd, []int{offset}, consumer, flags, uapiQueue)
	if err != nil {
		return -1, err
	}
	if err := unix.SetNonblock(line, true); err != nil {
		return -1, errors.Join(err, unix.Close(line))
	}
	return line, nil
}

// requestInputs makes lines inputs together, of which the kernel keeps so many edges, and returns their descriptor.
func requestInputs(fd int, offsets []int, consumer string, flags uint64, queue uint32) (int, error) {
	r := uapiRequest{lines: uint32(len(offsets)), queue: queue}
	for i, n := range offsets {
		r.offsets[i] = uint32(n)
	}
	copy(r.consumer[:uapiNameSize-1], consumer)
	r.config.flags = uapiInput | flags
	if err := ioctl(fd, uapiLineRequest, &r); err != nil {
		return -1, err
	}
	return int(r.fd), nil
}

// configureInputs changes what flags say of requested inputs.
func configureInputs(fd int, flags uint64) error {
	c := uapiConfig{flags: uapiInput | flags}
	return ioctl(fd, uapiSetConfig, &c)
}

// lineLevels reads the levels of requested lines, the first in the lowest bit.
func lineLevels(fd, lines int) (uint64, error) {
	v := uapiValues{mask: ^uint64(0) >> (64 - lines)}
	err := ioctl(fd, uapiGetValues, &v)
	return v.bits, err
}

// lineHigh reads the level of a requested line.
func lineHigh(fd int) (bool, error) {
	v := uapiValues{mask: 1}
	err := ioctl(fd, uapiGetValues, &v)
	return v.bits&1 != 0, err
}

// lineEdge is an edge as the kernel tells it.
type lineEdge struct {
	at     time.Duration // by CLOCK_MONOTONIC
	high   bool
	number uint32 // of the line's edges since its request; the first is 1
}

// parseEdges reads edges of one line (struct gpio_v2_line_event) as a read returns them.
func parseEdges(b []byte) ([]lineEdge, error) {
	if len(b)%uapiEventSize != 0 {
		return nil, fmt.Errorf("%d bytes are no whole number of GPIO edges", len(b))
	}
	edges := make([]lineEdge, 0, len(b)/uapiEventSize)
	for ; len(b) > 0; b = b[uapiEventSize:] {
		at, id := binary.NativeEndian.Uint64(b), binary.NativeEndian.Uint32(b[8:])
		if at > math.MaxInt64 || id != uapiRising && id != uapiFalling {
			return nil, fmt.Errorf("a GPIO edge of kind %d at %d ns is unknown", id, at)
		}
		edges = append(edges, lineEdge{time.Duration(at), id == uapiRising, binary.NativeEndian.Uint32(b[20:])})
	}
	return edges, nil
}

// requestOutput makes a line an output that is off from the first moment on, and returns its descriptor.
func requestOutput(fd, offset int, activeLow bool) (int, error) {
	r := uapiRequest{lines: 1}
	r.offsets[0] = uint32(offset)
	copy(r.consumer[:uapiNameSize-1], "ratingd output")
	r.config.flags = uapiOutput
	if activeLow {
		r.config.flags |= uapiActiveLow
	}
	r.config.attrs = 1
	r.config.attr[0].id, r.config.attr[0].mask = uapiAttrOutputs, 1 // value 0: off, whatever level that is
	if err := ioctl(fd, uapiLineRequest, &r); err != nil {
		return -1, err
	}
	return int(r.fd), nil
}

// setOutput switches an output.
func setOutput(fd int, on bool) error {
	v := uapiValues{mask: 1}
	if on {
		v.bits = 1
	}
	return ioctl(fd, uapiSetValues, &v)
}
