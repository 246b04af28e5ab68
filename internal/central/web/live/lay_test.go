package live

import (
	"testing"

	"haochaping/internal/rating"
)

// Few boxes stand above the evaluations, of many only those that need somebody.
func TestManyBoxesStandBelow(t *testing.T) {
	all := make([]Device, few)
	for i := range all {
		all[i] = Device{ID: rating.DeviceID(rune('a' + i)), Presence: "online"}
	}
	var v body
	v.lay(all)
	if len(v.Above.Devices) != few || !v.Above.Whole || v.Below.Devices != nil {
		t.Errorf("few boxes: %d above, %d below", len(v.Above.Devices), len(v.Below.Devices))
	}
	for _, sick := range []Device{{Presence: "refused"}, {Presence: "unenrolled"}, {Presence: "online", Pending: 3, OldestSec: lateSec + 1},
		{Presence: "online", Troubles: []string{"store.broken"}}} {
		v = body{}
		v.lay(append(all, sick))
		if len(v.Above.Devices) != 1 || v.Above.Whole || len(v.Below.Devices) != few || !v.Below.Whole {
			t.Errorf("%+v: %d above, %d below", sick, len(v.Above.Devices), len(v.Below.Devices))
		}
	}
	v = body{Open: make([]findingView, 1)}
	v.lay(append(all, Device{Presence: "offline"}))
	if len(v.Above.Devices) != 0 || v.Below.Whole {
		t.Errorf("with a finding: %d above, whole %t", len(v.Above.Devices), v.Below.Whole)
	}
}
