package device

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/rating"
)

const ms = time.Millisecond

// edge is a contact that changes.
type edge struct {
	at   time.Duration
	down bool
}

// follow tells a contact's edges and returns what is found until the end. An edge at 0 is how it was at the start.
func follow(edges []edge, end time.Duration) []change {
	c := newContacts(20*ms, []bool{len(edges) > 0 && edges[0] == edge{0, true}}, 0)
	for _, e := range edges {
		c.move(0, e.down, e.at)
	}
	var all []change
	for _, f := range c.until(end) {
		all = append(all, f.change)
	}
	return all
}

func wantChanges(t *testing.T, got []change, want ...change) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(change{})); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestBounceIsOnePress(t *testing.T) {
	got := follow([]edge{{100 * ms, true}, {103 * ms, false}, {105 * ms, true}, {109 * ms, false}, {110 * ms, true}, {400 * ms, false},
		{404 * ms, true}, {406 * ms, false}}, 600*ms)
	wantChanges(t, got, change{Down, 110 * ms}, change{Up, 406 * ms})
}

func TestChatterIsOnePress(t *testing.T) {
	got := follow([]edge{{100 * ms, true}, {123 * ms, false}, {145 * ms, true}, {400 * ms, false}, {425 * ms, true}, {446 * ms, false}},
		600*ms)
	wantChanges(t, got, change{Down, 100 * ms}, change{Up, 123 * ms}, change{Rebound, 145 * ms}, change{Up, 400 * ms},
		change{Rebound, 425 * ms}, change{Up, 446 * ms})
}

func TestRestBegins(t *testing.T) {
	for held, want := range map[time.Duration]int{20 * ms: 0, 20*ms + 1: 1} {
		if got := follow([]edge{{100 * ms, true}, {100*ms + held, false}}, time.Second); len(got) != 2*want {
			t.Errorf("down for %v: %+v, want %d presses", held, got, want)
		}
	}
}

// TestHumNeedsALongerRest hums with a closing that is told too long, and then is pressed.
func TestHumNeedsALongerRest(t *testing.T) {
	var hum []edge
	for at := 100 * ms; at < 400*ms; at += 20 * ms {
		hum = append(hum, edge{at, true}, edge{at + 18*ms, false})
	}
	lacking := append(slices.Clone(hum), edge{400 * ms, true}, edge{436 * ms, false})
	wantChanges(t, follow(lacking, time.Second))
	pressed := append(slices.Clone(hum), edge{400 * ms, true}, edge{500 * ms, false})
	wantChanges(t, follow(pressed, time.Second), change{Down, 400 * ms}, change{Up, 500 * ms})
}

// TestLostEdges loses edges before a contact closes: that is no press until it has rested.
func TestLostEdges(t *testing.T) {
	lost := func(edges ...edge) (all []change) {
		c := newContacts(20*ms, []bool{false}, 0)
		c.move(0, true, 100*ms)
		c.lose(0, 100*ms)
		for _, e := range edges {
			c.move(0, e.down, e.at)
		}
		for _, f := range c.until(30 * time.Second) {
			all = append(all, f.change)
		}
		return all
	}
	wantChanges(t, lost())
	wantChanges(t, lost(edge{5 * time.Second, true}, edge{5100 * ms, false}), change{Up, 5100 * ms})
	wantChanges(t, lost(edge{5 * time.Second, true}, edge{5030 * ms, false}, edge{5060 * ms, true}, edge{5160 * ms, false}),
		change{Up, 5160 * ms})
	wantChanges(t, lost(edge{5 * time.Second, true}), change{HeldStuck, 15 * time.Second})
	wantChanges(t, lost(edge{5 * time.Second, false}, edge{6 * time.Second, true}, edge{6100 * ms, false}),
		change{Down, 6 * time.Second}, change{Up, 6100 * ms})
}

func TestHumIsNoPress(t *testing.T) {
	var hum []edge
	for at := 100 * ms; at < 2*time.Second; at += 10 * ms { // 50 Hz
		hum = append(hum, edge{at, len(hum)%2 == 0})
	}
	wantChanges(t, follow(hum, 3*time.Second))
}

func TestKeyHeldThroughTheStart(t *testing.T) {
	got := follow([]edge{{0, true}, {5 * time.Second, false}, {6 * time.Second, true}, {6100 * ms, false}}, 7*time.Second)
	wantChanges(t, got, change{Up, 5 * time.Second}, change{Down, 6 * time.Second}, change{Up, 6100 * ms})
}

func TestStuckKeyIsReportedOnce(t *testing.T) {
	got := follow([]edge{{time.Second, true}, {40 * time.Second, false}}, 50*time.Second)
	wantChanges(t, got, change{Down, time.Second}, change{HeldStuck, 11 * time.Second}, change{Up, 40 * time.Second})
}

// TestAnyBounceIsOnePress presses a key whose contacts bounce for up to 15 ms at each end.
func TestAnyBounceIsOnePress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var edges []edge
		at := 50 * ms
		presses := rapid.IntRange(0, 8).Draw(t, "presses")
		for range presses {
			for _, down := range []bool{true, false} {
				for _, gap := range rapid.SliceOfN(rapid.IntRange(100, 3700), 0, 2).Draw(t, "bounces in µs") {
					edges = append(edges, edge{at, down})
					at += time.Duration(gap) * time.Microsecond
					edges = append(edges, edge{at, !down})
					at += time.Duration(gap) * time.Microsecond
				}
				edges = append(edges, edge{at, down})
				at += time.Duration(rapid.IntRange(81, 500).Draw(t, "ms")) * ms
			}
		}
		got := follow(edges, at+time.Second)
		if len(got) != 2*presses {
			t.Fatalf("%d presses made %+v", presses, got)
		}
		for i, c := range got {
			if want := []Action{Down, Up}[i%2]; c.action != want {
				t.Fatalf("change %d is %d, want %d", i, c.action, want)
			}
		}
	})
}

func testMap(t *testing.T) Map {
	t.Helper()
	m, err := NewMap([]Binding{{"a", 5}, {"b", 4}, {"c", 3}, {"d", 2}, {"e", 1}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMap(t *testing.T) {
	m := testMap(t)
	if l, ok := m.Level("d"); !ok || l != rating.Dissatisfied {
		t.Errorf("key d: %v, %t", l, ok)
	}
	for _, c := range []Code{"", "f", "A"} {
		if l, ok := m.Level(c); ok || l != 0 {
			t.Errorf("unknown key %q is level %d", c, l)
		}
	}
	for name, keys := range map[string][]Binding{
		"four": {{"a", 5}, {"b", 4}, {"c", 3}, {"d", 2}}, "twice": {{"a", 5}, {"a", 4}, {"c", 3}, {"d", 2}, {"e", 1}},
		"level twice": {{"a", 5}, {"b", 5}, {"c", 3}, {"d", 2}, {"e", 1}}, "no level": {{"a", 5}, {"b", 0}, {"c", 3}, {"d", 2}, {"e", 1}},
	} {
		if _, err := NewMap(keys); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestInterpreter(t *testing.T) {
	i := NewInterpreter(testMap(t), "")
	var got []Signal
	for _, e := range []Event{
		{Action: Down, Code: "a"}, {Action: Up, Code: "a"}, // a press
		{Action: Down, Code: "x"},                            // no level
		{Action: Down, Code: "b"}, {Action: Down, Code: "c"}, // two at once
		{Action: Up, Code: "c"}, {Action: Up, Code: "b"},
		{Action: Down, Code: "d"}, {Action: HeldStuck, Code: "d"}, {Action: Down, Code: "e"}, // a stuck one is in nobody's way
		{Action: Up, Code: "e"}, {Action: Up, Code: "d"},
		{Action: Down, Code: "a"}, {Action: ActionLost}, {Action: ActionBack}, {Action: Down, Code: "b"},
	} {
		got = append(got, i.Step(e)...)
	}
	want := []Signal{
		{Kind: Press, Level: 5, Code: "a"}, {Kind: Unknown, Code: "x"}, {Kind: Press, Level: 4, Code: "b"}, {Kind: Together, Code: "c"},
		{Kind: Press, Level: 2, Code: "d"}, {Kind: Stuck, Code: "d"}, {Kind: Press, Level: 1, Code: "e"}, {Kind: Released, Code: "d"},
		{Kind: Press, Level: 5, Code: "a"}, {Kind: Lost}, {Kind: Back}, {Kind: Press, Level: 4, Code: "b"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("signals (-want +got):\n%s", diff)
	}
}
