package display

import (
	"os"
	"runtime"
	"unsafe"
)

// The kernel's requests, from drm/drm.h and drm/drm_mode.h: 'd', the number, and the size of the structure.
const (
	drmGetCap       = 0xc010640c
	drmDropMaster   = 0x641f
	drmGetResources = 0xc04064a0
	drmGetCrtc      = 0xc06864a1
	drmSetCrtc      = 0xc06864a2
	drmGetEncoder   = 0xc01464a6
	drmGetConnector = 0xc05064a7
	drmAddFB        = 0xc01c64ae
	drmRemoveFB     = 0xc00464af
	drmDirtyFB      = 0xc01864b1
	drmCreateDumb   = 0xc02064b2
	drmMapDumb      = 0xc01064b3
	drmDestroyDumb  = 0xc00464b4

	drmCapDumbBuffer = 1
	drmConnected     = 1      // a connector's connection
	drmUnknown       = 3      // the same: its driver cannot tell
	drmPreferred     = 1 << 3 // in a mode's kind
	drmUserDefined   = 1 << 5 // in a mode's kind: forced by the boot line
	drmInterlaced    = 1 << 4 // in a mode's flags
)

type drmCap struct{ capability, value uint64 }

type drmResources struct {
	framebuffers, crtcs, connectors, encoders                     uint64 // addresses
	countFramebuffers, countCrtcs, countConnectors, countEncoders uint32
	minWidth, maxWidth, minHeight, maxHeight                      uint32
}

// drmMode is a size and timing that a screen can show.
type drmMode struct {
	clock                                       uint32
	width, hsyncStart, hsyncEnd, htotal, hskew  uint16
	height, vsyncStart, vsyncEnd, vtotal, vscan uint16
	refresh, flags, kind                        uint32
	name                                        [32]byte
}

type drmCrtc struct {
	connectors                    uint64 // address
	countConnectors, id, fb, x, y uint32
	gammaSize, valid              uint32
	mode                          drmMode
}

type drmEncoder struct{ id, kind, crtc, crtcs, clones uint32 }

type drmConnector struct {
	encoders, modes, props, values          uint64 // addresses
	countModes, countProps, countEncoders   uint32
	encoder, id, kind, number               uint32
	connection, mmWidth, mmHeight, subpixel uint32
	_                                       uint32
}

type drmFB struct{ id, width, height, pitch, bitsPerPixel, depth, handle uint32 }

type drmDirty struct {
	fb, flags, colour, clips uint32
	rectangles               uint64 // address
}

type drmClip struct{ x1, y1, x2, y2 uint16 }

type drmDumb struct {
	height, width, bitsPerPixel, flags, handle, pitch uint32
	size                                              uint64
}

type drmMap struct {
	handle, _ uint32
	offset    uint64
}

// drmCard is an open card, asked through its driver.
type drmCard struct{ file *os.File }

func (c drmCard) ask(request uintptr, arg unsafe.Pointer) error { return ioctl(c.file, request, arg) }

// address returns where a list lies, for a structure that the kernel reads it from, and keeps it there until p unpins it.
func address[T any](p *runtime.Pinner, list []T) uint64 {
	if len(list) == 0 {
		return 0
	}
	p.Pin(&list[0])
	return uint64(uintptr(unsafe.Pointer(&list[0])))
}

// resources lists the card's controllers and connectors.
func (c drmCard) resources() (crtcs, connectors []uint32, err error) {
	var n drmResources
	if err := c.ask(drmGetResources, unsafe.Pointer(&n)); err != nil {
		return nil, nil, err
	}
	crtcs, connectors = make([]uint32, n.countCrtcs), make([]uint32, n.countConnectors)
	var pin runtime.Pinner
	defer pin.Unpin()
	m := drmResources{
		crtcs: address(&pin, crtcs), countCrtcs: n.countCrtcs,
		connectors: address(&pin, connectors), countConnectors: n.countConnectors,
	}
	if err := c.ask(drmGetResources, unsafe.Pointer(&m)); err != nil {
		return nil, nil, err
	}
	// A connector can go or come between the two questions.
	return crtcs[:min(n.countCrtcs, m.countCrtcs)], connectors[:min(n.countConnectors, m.countConnectors)], nil
}

// connector looks what is plugged into a connector. It can take the time of reading a monitor's data.
func (c drmCard) connector(id uint32) (out drmOutput, err error) {
	n := drmConnector{id: id}
	if err := c.ask(drmGetConnector, unsafe.Pointer(&n)); err != nil {
		return drmOutput{}, err
	}
	if n.connection != drmConnected && n.connection != drmUnknown {
		return drmOutput{connector: id}, nil
	}
	modes, encoders := make([]drmMode, n.countModes), make([]uint32, n.countEncoders)
	var pin runtime.Pinner
	defer pin.Unpin()
	m := drmConnector{
		id: id, modes: address(&pin, modes), countModes: n.countModes,
		encoders: address(&pin, encoders), countEncoders: n.countEncoders,
	}
	if n.countModes == 0 {
		m.modes, m.countModes = address(&pin, make([]drmMode, 1)), 1 // none asked for would be another look at the screen
	}
	if err := c.ask(drmGetConnector, unsafe.Pointer(&m)); err != nil {
		return drmOutput{}, err
	}
	out = drmOutput{connector: id, connected: m.connection == drmConnected, unknown: m.connection == drmUnknown,
		modes: modes[:min(n.countModes, m.countModes)]}
	for _, id := range encoders[:min(n.countEncoders, m.countEncoders)] {
		e := drmEncoder{id: id}
		if err := c.ask(drmGetEncoder, unsafe.Pointer(&e)); err != nil {
			return drmOutput{}, err
		}
		if id == m.encoder {
			out.now = e.crtc
		}
		out.crtcs |= e.crtcs
	}
	return out, nil
}

// plugged tells what the kernel knows of a connector without looking anew: its interrupts keep it up to date.
func (c drmCard) plugged(id uint32) (bool, error) {
	mode := make([]drmMode, 1)
	var pin runtime.Pinner
	defer pin.Unpin()
	n := drmConnector{id: id, modes: address(&pin, mode), countModes: 1}
	err := c.ask(drmGetConnector, unsafe.Pointer(&n))
	return n.connection == drmConnected || n.connection == drmUnknown, err
}

// dirty tells the driver what was drawn. At most 256 rectangles are accepted.
func (c drmCard) dirty(fb uint32, clips []drmClip) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	d := drmDirty{fb: fb, clips: uint32(len(clips)), rectangles: address(&pin, clips)}
	return c.ask(drmDirtyFB, unsafe.Pointer(&d))
}

// setCrtc lets a controller show a framebuffer through a connector.
func (c drmCard) setCrtc(crtc drmCrtc, connector uint32) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	list := []uint32{connector}
	crtc.connectors, crtc.countConnectors = address(&pin, list), 1
	return c.ask(drmSetCrtc, unsafe.Pointer(&crtc))
}
