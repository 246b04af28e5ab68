package ratepage

import (
	"slices"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/rating"
	"haochaping/qrcode"
)

// Life is how long a rating link can be used.
const Life = 10 * time.Minute

// issuedCut is what a link's time of issue may lack, because the link carries whole minutes.
const issuedCut = time.Minute

// linkState is what can be done with a link whose signature is good.
type linkState int

const (
	asking  linkState = iota // at least one question can be answered
	used                     // every question has been answered
	expired                  // too late
)

// stateOf decides what can be done with a link at the moment now, by the centre's clock. It returns the questions that
// are still to be answered, in the order in which they are asked.
//
// A box whose clock was set states when it issued the link, and the link lives for Life from then. A box without a set
// clock can state no time: its link is open until the outcome of the visit's asking has been at the centre for Life. The
// same holds for a link from the future, whose clock was set wrongly.
func stateOf(c qrcode.Claim, v books.VisitView, now time.Time) (linkState, []question) {
	todo := open(v, asked(c, v.Visit))
	if len(todo) == 0 {
		return used, nil
	}
	if c.Synced && !c.Issued.After(now.Add(Life)) {
		if !now.Before(c.Issued.Add(Life + issuedCut)) {
			return expired, nil
		}
		return asking, todo
	}
	if !v.ClosedAt.IsZero() && now.Sub(v.ClosedAt) >= Life {
		return expired, nil
	}
	return asking, todo
}

// ratedByPhone reports whether some question of the claim has an answer by phone that counts.
func ratedByPhone(c qrcode.Claim, v books.VisitView) bool {
	for q, channel := range v.Rated {
		if c.Asks(q.Subject) && channel == rating.Phone {
			return true
		}
	}
	return false
}

// matters returns the names of the matters that a visit completed, each once, and the number of completed cases.
func matters(v *rating.Visit) (names []string, cases int) {
	for _, c := range v.Cases {
		if !c.Completed {
			continue
		}
		cases++
		if c.TaskName != "" && !slices.Contains(names, c.TaskName) {
			names = append(names, c.TaskName)
		}
	}
	return names, cases
}
