package fleet

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// moods are how a box of the test is for a while.
func moods() []string {
	return []string{"well", "well", "well", "ill", "off", "stubborn", "old trouble"}
}

// drawn is a box as the test has drawn it, minute by minute.
type drawn struct {
	before string // its mood when the change was sent, whose troubles are known
	since  int    // minutes for which it has been in its mood
	mood   string
}

// as returns what is heard of a box in a mood.
func (d drawn) as(b RolloutBox, now time.Time) State {
	h := wire.Health{V: 1, KeysOK: true, StoreOK: true, Generation: b.Generation}
	s := State{ID: b.Device, Enrolled: true, Window: rating.Window{ID: b.Window}, Presence: &wire.Presence{V: 1, Online: d.mood != "off"},
		PresenceAt: now, Health: &h, HealthAt: now}
	switch d.mood {
	case "off":
		s.HealthAt = now.Add(-10 * time.Minute)
	case "stubborn":
		h.Generation--
	case "ill":
		h.Troubles = []string{"screen.lost"}
	case "old trouble":
		h.Troubles = []string{"sound.failed"}
	}
	return s
}

// TestStepHolds draws how boxes are, minute by minute: a rollout goes on only when all boxes that have the change, and were not away
// before, were well for as long as was said; and it halts when one has been sick for too long, and for no other reason.
func TestStepHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 3, 2, 9, 0, 0, 0, rating.Shanghai())
		hold := rapid.IntRange(5, 12).Draw(t, "hold")
		r := Rollout{Hold: time.Duration(hold) * time.Minute, State: Running, Stage: OneWindow, Last: AllHalls, Looked: now}
		stages := []int{OneWindow, OneHall, OneHall, AllHalls, AllHalls}
		boxes, boxOf := make([]RolloutBox, len(stages)), make([]drawn, len(stages))
		for i, stage := range stages {
			boxes[i] = RolloutBox{Device: rating.DeviceID([]string{"a", "b", "c", "d", "e"}[i]), Window: string(rune('1' + i)), Hall: "H",
				Stage: stage, State: BoxWaits, Generation: 7}
			boxOf[i] = drawn{mood: rapid.SampledFrom([]string{"well", "well", "off", "old trouble"}).Draw(t, "first mood")}
		}
		boxOf[0].mood = "well"
		quiet := 0 // minutes for which all that matter were well
		for range 80 {
			for i := range boxes {
				if boxes[i].State == BoxWaits && boxes[i].Stage <= r.Stage {
					boxes[i].State, boxes[i].Sent, boxOf[i].before = BoxSent, now, boxOf[i].mood
					boxes[i].Known = boxOf[i].as(boxes[i], now).known(now)
					quiet = 0
				}
				boxOf[i].since++
				if rapid.IntRange(0, 14).Draw(t, "changes") == 0 {
					if mood := rapid.SampledFrom(moods()).Draw(t, "mood"); mood != boxOf[i].mood {
						boxOf[i].mood, boxOf[i].since = mood, 0
					}
				}
			}
			how := make(map[rating.DeviceID]State)
			allWell, shown, sick := true, false, false
			for i, b := range boxes {
				how[b.Device] = boxOf[i].as(b, now)
				if b.Stage > r.Stage {
					continue
				}
				switch d := boxOf[i]; {
				case d.mood == "well", d.mood == d.before && (d.mood == "ill" || d.mood == "old trouble"):
					shown = shown || b.Stage == r.Stage
				case d.mood == "off" && d.before == "off":
				default:
					allWell = false
					limit := int(settle / time.Minute)
					if d.mood == "stubborn" {
						limit = int(takes / time.Minute)
					}
					sick = sick || d.since >= limit && now.Sub(b.Sent) >= time.Duration(limit)*time.Minute
				}
				if boxOf[i].mood != "off" && boxOf[i].before == "off" { // from now on it is a new trouble when it goes
					boxOf[i].before = "back"
				}
			}
			next, seen := r.step(boxes, how, func(string) bool { return true }, now)
			if allWell && shown {
				quiet++
			} else {
				quiet = 0
			}
			if moved := next.Stage != r.Stage || next.State == Finished; moved != (quiet > hold) {
				t.Fatalf("after %d quiet minutes of %d it goes from stage %d to %d (%s)", quiet-1, hold, r.Stage, next.Stage, next.State)
			}
			if (next.State == Halted) != sick {
				t.Fatalf("sick %v, and it is %s for %s (%s)", sick, next.State, next.Sick, next.Why)
			}
			if next.State != Running {
				return
			}
			if next.Stage != r.Stage {
				quiet = 0
			}
			next.Looked = now
			r, boxes, now = next, seen, now.Add(time.Minute)
		}
	})
}
