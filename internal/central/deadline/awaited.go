package deadline

import (
	"slices"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/fleet"
	"haochaping/internal/rating"
)

// AwaitedFor is how long it is said which boxes may still hold an answer in time.
const AwaitedFor = 30 * 24 * time.Hour

// Awaited returns the boxes that may still hold an answer given before a case's deadline: those in the case's area that have not said since
// then that they hold nothing. While there are any its default is provisional. A case that is handled online waits for none, and none waits
// for more than 30 days.
func Awaited(c books.Case, boxes []fleet.State, now time.Time) (all []rating.DeviceID) {
	deadline := time.UnixMilli(c.Deadline)
	if c.State() != books.CaseDefault || c.Handling == rating.Online || now.Sub(deadline) > AwaitedFor {
		return nil
	}
	for _, b := range boxes {
		mayHold := b.Enrolled && (b.Window.Area == c.Key.Area || b.Window.Area == "")
		clear := b.Health != nil && b.Health.Pending == 0 && !b.HealthAt.Before(deadline)
		if mayHold && !clear {
			all = append(all, b.ID)
		}
	}
	slices.Sort(all)
	return all
}
