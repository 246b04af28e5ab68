package display

import "slices"

// drmOutput is a connector and what it can show.
type drmOutput struct {
	connector uint32
	connected bool
	modes     []drmMode // the best first, as the kernel sorts them
	now       uint32    // the controller that drives it now, 0 if none
	crtcs     uint32    // which controllers can drive it: bit n is the nth of the card
}

// The sizes that screens can be drawn at, longer and shorter side.
const (
	longest, shortest           = 1920, 480
	longestAcross, shortestSide = 1080, 320
)

func drawable(m drmMode) bool {
	long, short := int(max(m.width, m.height)), int(min(m.width, m.height))
	return long <= longest && long >= shortest && short <= longestAcross && short >= shortestSide
}

// chooseMode returns the mode that the screen prefers, or else the largest that can be drawn: a screen of more than
// 1920x1080 is driven with fewer pixels. ok is false if there is none.
func chooseMode(modes []drmMode) (best drmMode, ok bool) {
	for _, m := range modes {
		if !drawable(m) {
			continue
		}
		if m.kind&drmPreferred != 0 {
			return m, true
		}
		if !ok || int(m.width)*int(m.height) > int(best.width)*int(best.height) {
			best, ok = m, true
		}
	}
	return best, ok
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
