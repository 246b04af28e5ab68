package main

import (
	"testing"

	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/internal/terminal"
)

// The centre hears at once that a box has no longer a trouble, or another one, and not again while nothing changes.
func TestTroublesAreToldWhenTheyChange(t *testing.T) {
	told := 0
	n := news{tell: func() { told++ }}
	for i, look := range []struct {
		codes []string
		want  int // told by then
	}{
		{nil, 0}, {[]string{"window.unenrolled", "link.name"}, 1}, {[]string{"window.unenrolled"}, 1}, {nil, 2}, {nil, 2},
		{[]string{"link.silent"}, 2}, {[]string{"keys.lost"}, 3},
	} {
		var h opsapi.Health
		for _, code := range look.codes {
			h.Parts = append(h.Parts, opsapi.Part{Code: condition.Code(code)})
		}
		if n.heard(h); told != look.want {
			t.Errorf("look %d: told %d times, want %d", i, told, look.want)
		}
	}
}

// The parts are looked at when the box has got its window, for what was seen before would be told for a minute.
func TestALookFollowsTheEnrolment(t *testing.T) {
	looks := 0
	a := newAudience(nil, func() { looks++ })
	a.show(terminal.View{State: terminal.Enrolling})
	before := looks
	if a.show(terminal.View{State: terminal.Idle}); looks != before+1 {
		t.Errorf("%d looks followed the enrolment, want 1", looks-before)
	}
	if a.show(terminal.View{State: terminal.Asking}); looks != before+1 {
		t.Error("a look followed a question")
	}
}
