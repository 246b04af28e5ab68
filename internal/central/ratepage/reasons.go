package ratepage

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"haochaping/internal/rating"
)

//go:embed reasons.json
var reasonsJSON []byte

// ReasonSet says how much of the catalogue of reasons is offered.
type ReasonSet string

// The sets of reasons. A hall chooses one of them and may not add or remove single reasons.
const (
	CoreReasons     ReasonSet = "core"     // three reasons a level
	ExtendedReasons ReasonSet = "extended" // eight reasons a level
)

// Reason is one answer to why somebody was satisfied or not.
type Reason struct {
	Code  string       `json:"code"`
	Level rating.Level `json:"level"` // the level that it explains; it is offered with no other
	Set   ReasonSet    `json:"set"`   // the smallest set that it is in
	Text  string       `json:"text"`
}

// Catalogue is the catalogue of reasons (evalDetail). It is not changed after LoadCatalogue.
type Catalogue struct {
	Version int      `json:"version"` // grows with each change of the catalogue
	Reasons []Reason `json:"reasons"`
}

// LoadCatalogue returns the built-in catalogue, limited to the given set.
func LoadCatalogue(set ReasonSet) (Catalogue, error) {
	if set != CoreReasons && set != ExtendedReasons {
		return Catalogue{}, fmt.Errorf("set of reasons %q: want %s or %s", set, CoreReasons, ExtendedReasons)
	}
	var all Catalogue
	if err := json.Unmarshal(reasonsJSON, &all); err != nil {
		return Catalogue{}, fmt.Errorf("built-in catalogue of reasons: %w", err)
	}
	c := Catalogue{Version: all.Version}
	for _, r := range all.Reasons {
		if set == ExtendedReasons || r.Set == CoreReasons {
			c.Reasons = append(c.Reasons, r)
		}
	}
	return c, nil
}

// Of returns the reasons that are offered with a level.
func (c Catalogue) Of(l rating.Level) []Reason {
	var out []Reason
	for _, r := range c.Reasons {
		if r.Level == l {
			out = append(out, r)
		}
	}
	return out
}

// Find returns the reason with a code.
func (c Catalogue) Find(code string) (Reason, bool) {
	for _, r := range c.Reasons {
		if r.Code == code {
			return r, true
		}
	}
	return Reason{}, false
}
