package device

import (
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file speaks the kernel's GPIO interface, version 2 (include/uapi/linux/gpio.h, Linux 5.10 and later), for the few
// things that periph cannot do: request an output together with its first value, say who uses a line now, and tell a chip
// that is gone. Errors are those of the kernel.

const (
	uapiNameSize = 32

	uapiChipInfo    = 0x8044b401 // GPIO_GET_CHIPINFO_IOCTL
	uapiLineInfo    = 0xc100b405 // GPIO_V2_GET_LINEINFO_IOCTL
	uapiLineRequest = 0xc250b407 // GPIO_V2_GET_LINE_IOCTL
	uapiSetValues   = 0xc010b40f // GPIO_V2_LINE_SET_VALUES_IOCTL

	uapiUsed        = 1 << 0 // GPIO_V2_LINE_FLAG_USED
	uapiActiveLow   = 1 << 1
	uapiOutput      = 1 << 3
	uapiAttrOutputs = 2 // GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES
)

type uapiChip struct {
	_ [2 * uapiNameSize]byte // name and label
	_ uint32                 // number of lines
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
	_        [6]uint32
	fd       int32
}

type uapiLine struct {
	_         [uapiNameSize]byte // name
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

// chipAlive returns an error once the chip is gone, from then on for ever: the descriptor belongs to that chip and not to
// one that comes after it under the same name.
func chipAlive(fd int) error {
	if err := ioctl(fd, uapiChipInfo, new(uapiChip)); err != nil {
		return fmt.Errorf("ask the GPIO chip for its name: %w", err)
	}
	return nil
}

// lineConsumer returns who uses a line now, and whether anybody does.
func lineConsumer(fd, offset int) (string, bool, error) {
	l := uapiLine{offset: uint32(offset)}
	if err := ioctl(fd, uapiLineInfo, &l); err != nil {
		return "", false, err
	}
	return strings.TrimRight(string(l.consumer[:]), "\x00"), l.flags&uapiUsed != 0, nil
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
