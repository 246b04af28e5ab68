package display

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Errors of OpenDRM.
var (
	ErrNoCard    = errors.New("no graphics card that drives a screen")
	ErrUnplugged = errors.New("no screen is plugged into the graphics card")
)

// DRM is a screen that the kernel's direct rendering manager drives: vc4 on a Raspberry Pi, virtio-gpu, and nearly every
// other since Linux 4. It draws into a dumb buffer, which needs no graphics processor and no library. While it is open the
// console's text is not seen. It is not safe for concurrent use.
type DRM struct {
	card   drmCard
	output drmOutput
	before drmCrtc // what the controller showed before
	fb     uint32  // 0 if none
	handle uint32  // of the dumb buffer, 0 if none
	quiet  bool    // the driver shows what is in memory without being told
	unmet  error   // why the named mode is not the one that is shown, nil if it is
	surface
}

// OpenDRM opens the first of the cards, files as /dev/dri/card0, that has a screen plugged in, in a mode as "1024x600" if the screen
// has it, else in the one that the boot line forces or that the screen prefers. The error wraps ErrNoCard if none of the files can drive a
// screen, ErrUnplugged if one could but has none.
func OpenDRM(cards []string, mode string, rotation Rotation) (*DRM, error) {
	var errs []error
	unplugged := false
	for _, path := range cards {
		d, err := openCard(path, mode, rotation)
		if err == nil {
			return d, nil
		}
		unplugged = unplugged || !errors.Is(err, ErrNoCard)
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return nil, fmt.Errorf("%w: there is none at all; is its driver loaded (on a Raspberry Pi dtoverlay=vc4-kms-v3d)?", ErrNoCard)
	}
	if !unplugged {
		return nil, errors.Join(errs...)
	}
	// A card without outputs beside the one that matters is nothing to report: every Pi has one.
	var serious []error
	for _, err := range errs {
		if !errors.Is(err, ErrNoCard) {
			serious = append(serious, err)
		}
	}
	return nil, errors.Join(serious...)
}

// Cards lists the machine's graphics cards.
func Cards() []string {
	paths, err := filepath.Glob("/dev/dri/card*")
	if err != nil {
		return nil // only a bad pattern gives an error
	}
	return paths
}

func openCard(path, mode string, rotation Rotation) (*DRM, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w: %w; put the daemon's user into the group video", ErrNoCard, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoCard, err)
	}
	d := &DRM{card: drmCard{file}, surface: surface{rotation: rotation}}
	if err := d.start(mode); err != nil {
		return nil, errors.Join(fmt.Errorf("card %s: %w", path, err), d.Halt())
	}
	return d, nil
}

// start shows a picture on the first screen that is plugged in and that the card can drive.
func (d *DRM) start(wanted string) error {
	dumb := drmCap{capability: drmCapDumbBuffer}
	if err := d.card.ask(drmGetCap, unsafe.Pointer(&dumb)); err != nil || dumb.value == 0 {
		return fmt.Errorf("%w: it has no dumb buffers", ErrNoCard)
	}
	crtcs, connectors, err := d.card.resources()
	if err != nil || len(crtcs) == 0 || len(connectors) == 0 {
		return fmt.Errorf("%w: it has no outputs", ErrNoCard)
	}
	screens, err := chooseScreens(connectors, d.card.connector, crtcs, wanted)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range screens {
		d.output = s.output
		err := d.show(s.mode, s.crtc)
		if err == nil {
			d.unmet = lacking(s.output.modes, s.mode, wanted)
			return nil
		}
		errs = append(errs, fmt.Errorf("the screen at connector %d: %w", s.output.connector, err), d.free())
	}
	return errors.Join(errs...)
}

// show makes a buffer for a mode and lets a controller show it. A few small screens know 16 bits a pixel only.
func (d *DRM) show(mode drmMode, crtc uint32) error {
	err := d.allocate(mode, 32)
	if err != nil {
		if again := errors.Join(d.free(), d.allocate(mode, 16)); again != nil {
			return errors.Join(err, again)
		}
	}
	d.before = drmCrtc{id: crtc}
	if err := d.card.ask(drmGetCrtc, unsafe.Pointer(&d.before)); err != nil {
		return fmt.Errorf("ask controller %d what it shows: %w", crtc, err)
	}
	err = d.card.setCrtc(drmCrtc{id: crtc, fb: d.fb, valid: 1, mode: mode}, d.output.connector)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("show a picture of %dx%d: %w; another program draws on this screen, a desktop or a boot splash: end it", mode.width,
			mode.height, err)
	}
	if err != nil {
		return fmt.Errorf("show a picture of %dx%d: %w", mode.width, mode.height, err)
	}
	return nil
}

func (d *DRM) allocate(mode drmMode, bits uint32) error {
	dumb := drmDumb{width: uint32(mode.width), height: uint32(mode.height), bitsPerPixel: bits}
	if err := d.card.ask(drmCreateDumb, unsafe.Pointer(&dumb)); err != nil {
		return fmt.Errorf("create a buffer of %dx%d pixels of %d bits: %w", mode.width, mode.height, bits, err)
	}
	d.handle = dumb.handle
	fb, format := drmFB{width: dumb.width, height: dumb.height, pitch: dumb.pitch, bitsPerPixel: bits, depth: 24, handle: dumb.handle},
		xrgb8888
	if bits == 16 {
		fb.depth, format = 16, rgb565
	}
	d.format, d.scale = format(int(mode.width), int(mode.height), int(dumb.pitch)), mode.scale()
	if err := d.format.check(); err != nil {
		return err
	}
	if err := d.card.ask(drmAddFB, unsafe.Pointer(&fb)); err != nil {
		return fmt.Errorf("make a picture of the buffer: %w", err)
	}
	d.fb = fb.id
	where := drmMap{handle: dumb.handle}
	if err := d.card.ask(drmMapDumb, unsafe.Pointer(&where)); err != nil {
		return fmt.Errorf("find the buffer's memory: %w", err)
	}
	var err error
	// Written only: reading a screen's memory is slow.
	d.memory, err = unix.Mmap(int(d.card.file.Fd()), int64(where.offset), d.format.stride*d.format.height, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map the buffer's memory: %w", err)
	}
	return nil
}

// free gives the buffer back.
func (d *DRM) free() error {
	var errs []error
	if d.memory != nil {
		errs = append(errs, unix.Munmap(d.memory))
		d.memory = nil
	}
	if d.fb != 0 {
		errs = append(errs, d.card.ask(drmRemoveFB, unsafe.Pointer(&d.fb)))
		d.fb = 0
	}
	if d.handle != 0 {
		errs = append(errs, d.card.ask(drmDestroyDumb, unsafe.Pointer(&d.handle)))
		d.handle = 0
	}
	return errors.Join(errs...)
}

// Check returns an error that wraps ErrGone when the screen has been unplugged or the card is gone. It asks the kernel and
// not the screen, which takes microseconds.
func (d *DRM) Check() error {
	plugged, err := d.card.plugged(d.output.connector)
	if err != nil {
		return fmt.Errorf("%w: ask %s for its screen: %w", ErrGone, d.card.file.Name(), err)
	}
	if !plugged {
		return fmt.Errorf("%w: it has been unplugged from %s", ErrGone, d.card.file.Name())
	}
	return nil
}

// Unmet returns which mode was named, which is shown in its place, and which there are; nil if it is the named one or none was named.
func (d *DRM) Unmet() error { return d.unmet }

// String implements conn.Resource.
func (d *DRM) String() string { return "screen at " + d.card.file.Name() }

// Halt lets the card show again what it showed before, as the console, and closes it. What a card that is gone says to
// that is no error.
func (d *DRM) Halt() error {
	var errs []error
	if d.fb != 0 && d.before.valid != 0 && d.before.fb != 0 {
		errs = append(errs, d.card.setCrtc(d.before, d.output.connector))
	}
	errs = append(errs, d.free(), d.card.ask(drmDropMaster, nil))
	var left []error
	for _, err := range errs {
		// Who never became the master cannot stop being it.
		if err != nil && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.EINVAL) && !errors.Is(err, fs.ErrPermission) &&
			!errors.Is(err, fs.ErrNotExist) {
			left = append(left, err)
		}
	}
	return errors.Join(append(left, d.card.file.Close())...)
}

// ColorModel implements display.Drawer.
func (d *DRM) ColorModel() color.Model { return color.RGBAModel }

// Bounds implements display.Drawer.
func (d *DRM) Bounds() image.Rectangle { return d.bounds() }

// Draw implements display.Drawer.
func (d *DRM) Draw(r image.Rectangle, src image.Image, sp image.Point) error {
	written, err := d.draw(r, src, sp)
	if err != nil || written.Empty() {
		return err
	}
	return d.tell([]drmClip{d.clip(written)})
}

// DrawParts draws parts of a frame and tells the driver once.
func (d *DRM) DrawParts(parts []image.Rectangle, frame *image.RGBA) error {
	clips := make([]drmClip, 0, len(parts))
	for _, p := range parts {
		written, err := d.draw(p, frame, p.Min)
		if err != nil {
			return err
		}
		if !written.Empty() {
			clips = append(clips, d.clip(written))
		}
	}
	return d.tell(clips)
}

// DrawReady shows what Ready has kept, and over it parts of a frame, and tells the driver once.
func (d *DRM) DrawReady(over []image.Rectangle, frame *image.RGBA) error {
	written, err := d.drawReady(over, frame)
	if err != nil {
		return err
	}
	clips := make([]drmClip, 0, len(written))
	for _, w := range written {
		if !w.Empty() {
			clips = append(clips, d.clip(w))
		}
	}
	return d.tell(clips)
}

func (d *DRM) clip(r image.Rectangle) drmClip {
	r = d.inMemory(r)
	return drmClip{uint16(r.Min.X), uint16(r.Min.Y), uint16(r.Max.X), uint16(r.Max.Y)}
}

// tell says what was drawn to a driver that wants to know: one that copies the buffer to where the screen is.
func (d *DRM) tell(clips []drmClip) error {
	if d.quiet || len(clips) == 0 {
		return nil
	}
	err := d.card.dirty(d.fb, clips)
	if errors.Is(err, unix.ENOSYS) {
		d.quiet = true
		return nil
	}
	if errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	if err != nil {
		return fmt.Errorf("show what was drawn on %s: %w", d.card.file.Name(), err)
	}
	return nil
}
