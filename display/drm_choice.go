package display

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// drmOutput is a connector and what it can show.
type drmOutput struct {
	connector uint32
	connected bool
	unknown   bool      // the driver cannot tell whether a screen is connected
	modes     []drmMode // the best first, as the kernel sorts them
	now       uint32    // the controller that drives it now, 0 if none
	crtcs     uint32    // which controllers can drive it: bit n is the nth of the card
}

// The sizes that screens can be drawn at, longer and shorter side.
const (
	longest, shortest           = 1920, 480
	longestAcross, shortestSide = 1200, 320
)

// sizesDrawn says which sizes these are.
const sizesDrawn = "480x320 to 1920x1200, or several times that"

// mostScale bounds how many of a panel's pixels along a side show one of the image's.
const mostScale = 4

// scaleOf returns how many of a panel's pixels along a side show one of the image's, 1 on all but those that are larger than what is
// drawn; 0 if the panel is too small, or far too large.
func scaleOf(width, height int) int {
	for n := 1; n <= mostScale; n++ {
		long, short := max(width, height)/n, min(width, height)/n
		if long <= longest && long >= shortest && short <= longestAcross && short >= shortestSide {
			return n
		}
	}
	return 0
}

func (m drmMode) scale() int { return scaleOf(int(m.width), int(m.height)) }

// drawable reports whether a mode can be shown: in a size that can be drawn, or several times that, and without flickering by interlacing.
func (m drmMode) drawable() bool { return m.scale() > 0 && m.flags&drmInterlaced == 0 }

// is reports whether a mode is the one that somebody has named, as "1024x600" or "1024x600@60".
func (m drmMode) is(wanted string) bool {
	size := fmt.Sprintf("%dx%d", m.width, m.height)
	return wanted == size || wanted == fmt.Sprintf("%s@%d", size, m.refresh)
}

// lacking returns why a screen is not shown in the mode that somebody has named, nil if it is or none was.
func lacking(modes []drmMode, taken drmMode, wanted string) error {
	if wanted == "" || taken.is(wanted) {
		return nil
	}
	const most = 8
	var all []string
	for _, m := range modes {
		if s := fmt.Sprintf("%dx%d@%d", m.width, m.height, m.refresh); m.drawable() && !slices.Contains(all, s) && len(all) < most {
			all = append(all, s)
		}
	}
	return fmt.Errorf("%s → %dx%d; %s", wanted, taken.width, taken.height, strings.Join(all, " "))
}

// chooseMode returns the mode to show, of those that can be drawn: the one that wanted names, as "1024x600" or "1024x600@60", and if
// there is none, or none is named, the one that the boot line forces (video=), the one that the screen prefers, or the largest. One in
// which each pixel is drawn as several is taken only if it was named or forced, or there is no other. ok is false if there is none.
func chooseMode(modes []drmMode, wanted string) (best drmMode, ok bool) {
	rank := func(m drmMode) int64 {
		switch {
		case m.is(wanted):
			return 1 << 40
		case m.kind&drmUserDefined != 0:
			return 1 << 39
		case m.scale() > 1 && m.kind&drmPreferred != 0:
			return 0
		case m.scale() > 1:
			return -int64(m.width) * int64(m.height)
		case m.kind&drmPreferred != 0:
			return 1 << 38
		}
		return int64(m.width) * int64(m.height)
	}
	for _, m := range modes {
		if m.drawable() && (!ok || rank(m) > rank(best)) {
			best, ok = m, true
		}
	}
	return best, ok
}

// screenChoice is how a screen is driven.
type screenChoice struct {
	output drmOutput
	mode   drmMode
	crtc   uint32
}

// chooseScreens looks at connectors in their order for the screens that can be drawn. Of what may be no screen, since its driver cannot
// tell, it takes notice where there is nothing else, as the kernel's console does. The error says why there is none, and is
// ErrUnplugged if there is none at all.
func chooseScreens(connectors []uint32, look func(uint32) (drmOutput, error), crtcs []uint32, wanted string) ([]screenChoice, error) {
	var errs []error
	var sure, unsure []screenChoice
	for _, id := range connectors {
		o, err := look(id)
		if err != nil {
			errs = append(errs, fmt.Errorf("look at connector %d: %w", id, err))
			continue
		}
		if !o.connected && !o.unknown {
			continue
		}
		mode, drawn := chooseMode(o.modes, wanted)
		crtc, free := chooseCrtc(o, crtcs)
		switch {
		case o.unknown && len(o.modes) == 0:
		case !drawn:
			errs = append(errs, fmt.Errorf("the screen at connector %d has no mode that can be drawn, which are %s and not interlaced", id,
				sizesDrawn))
		case !free:
			errs = append(errs, fmt.Errorf("the card has no free controller for the screen at connector %d", id))
		case o.unknown:
			unsure = append(unsure, screenChoice{o, mode, crtc})
		default:
			sure = append(sure, screenChoice{o, mode, crtc})
		}
	}
	if all := append(sure, unsure...); len(all) > 0 {
		return all, nil
	}
	if len(errs) == 0 {
		errs = append(errs, ErrUnplugged)
	}
	return nil, errors.Join(errs...)
}

// chooseCrtc returns the controller that drives an output, the one that does so already if any. ok is false if none can.
func chooseCrtc(o drmOutput, crtcs []uint32) (id uint32, ok bool) {
	if o.now != 0 && slices.Contains(crtcs, o.now) {
		return o.now, true
	}
	for i, id := range crtcs {
		if i < 32 && o.crtcs>>i&1 == 1 {
			return id, true
		}
	}
	return 0, false
}
