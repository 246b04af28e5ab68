package rating

import (
	"errors"
	"fmt"
)

// Reason is why a citizen has answered as they did, chosen on the keys after the answer was recorded.
type Reason struct {
	Visit     VisitID `json:"visit"`
	Subject   Subject `json:"subject"`
	Case      string  `json:"case,omitempty"` // as the evaluation has it
	Of        uint64  `json:"of"`             // seq of the evaluation that it explains, in the same log
	Code      string  `json:"code"`           // of the catalogue of reasons
	Catalogue uint32  `json:"catalogue"`      // version of that catalogue
}

// ReasonBody returns the body that records a reason.
func ReasonBody(at Stamp, r Reason) Body { return Body{At: at, Kind: KindReason, Reason: &r} }

// Question returns what the evaluation answers that r explains.
func (r Reason) Question() Question { return Question{r.Subject, r.Case} }

// Check reports the first bound that r breaks.
func (r Reason) Check() error {
	switch {
	case r.Visit == 0:
		return errors.New("reason: visit is empty")
	case !r.Subject.Valid():
		return fmt.Errorf("reason: subject %q is unknown", r.Subject)
	case r.Case != "" && r.Subject != MatterSubject:
		return fmt.Errorf("reason: subject %q of case %q, only the matter has a case", r.Subject, r.Case)
	case r.Of == 0 || r.Of > maxSafeInt:
		return fmt.Errorf("reason: of %d: out of range", r.Of)
	case r.Code == "":
		return errors.New("reason: code is empty")
	case r.Catalogue == 0:
		return errors.New("reason: catalogue is 0, the first version is 1")
	}
	if err := firstError(checkCode("case", r.Case), checkCode("code", r.Code)); err != nil {
		return fmt.Errorf("reason: %w", err)
	}
	return nil
}

// GivenReason is a reason with its place in a box's log.
type GivenReason struct {
	Device DeviceID
	Epoch  Epoch
	Seq    uint64
	Reason Reason
}

// Explains reports whether r is about g: it names g by its number in the same log, stands after it, and is about the same
// question of the same visit. A correction has another number, so that the reason of what it replaces is not its own.
func (r GivenReason) Explains(g Given) bool {
	return r.Device == g.Device && r.Epoch == g.Epoch && r.Reason.Of == g.Seq && r.Seq > g.Seq && g.Evaluation.Channel == Keypad &&
		r.Reason.Visit == g.Evaluation.Visit && r.Reason.Question() == g.Evaluation.Question()
}

// ReasonOf returns the index of the reason that holds for g, -1 if none does. It is the first in the log, since the keys take
// one reason for each evaluation, whatever the order of arrival.
func ReasonOf(g Given, all []GivenReason) int {
	first := -1
	for i, r := range all {
		if r.Explains(g) && (first < 0 || r.Seq < all[first].Seq) {
			first = i
		}
	}
	return first
}
