package upward

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Bounds of an answer: its bytes, and the characters that are kept of words.
const (
	mostAnswer = 1 << 20
	mostWords  = 300
)

// receipt is the superior system's answer to a batch.
type receipt struct {
	Code    code     `json:"code"`
	Message string   `json:"message"`
	Results []result `json:"results"`
}

// result is what it says of one record.
type result struct {
	ID      string `json:"id"`
	Version int64  `json:"version"` // that it has, or was about; 0: it does not say
	Code    code   `json:"code"`
	Message string `json:"message"`
}

// code is a code that may come as a number or as text.
type code string

// UnmarshalJSON implements json.Unmarshaler.
func (c *code) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err == nil {
		*c = code(s)
		return nil
	}
	var n int64
	if err := json.Unmarshal(b, &n); err != nil {
		return errors.New("a code is a text or a whole number")
	}
	*c = code(fmt.Sprint(n))
	return nil
}

// parseReceipt reads an answer. One that contradicts itself is no answer.
func parseReceipt(b []byte) (receipt, error) {
	var r receipt
	if len(b) > mostAnswer {
		return r, errors.New("the answer is too long")
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return receipt{}, fmt.Errorf("the answer is no receipt: %w", err)
	}
	if r.Code == "" {
		return receipt{}, errors.New("the answer is no receipt: it has no code")
	}
	said := make(map[string]result, len(r.Results))
	for i := range r.Results {
		x := &r.Results[i]
		x.Message = clip(x.Message)
		if x.ID == "" || x.Code == "" || x.Version < 0 {
			return receipt{}, errors.New("the answer is no receipt: a result without id or code")
		}
		if old, ok := said[x.ID]; ok && (old.Code != x.Code || old.Version != x.Version) {
			return receipt{}, errors.New("the answer says two things of one record")
		}
		said[x.ID] = *x
	}
	r.Message = clip(r.Message)
	return r, nil
}

// clip makes of words what can be kept and shown: valid, in a line, not too long.
func clip(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "?")), " ")
	if all := []rune(s); len(all) > mostWords {
		return string(all[:mostWords-1]) + "…"
	}
	return s
}

// outcome is what an answer means for a record.
type outcome int

// The outcomes.
const (
	unsaid  outcome = iota // nothing was said: it goes again
	taken                  // it is there
	refused                // it is not, and people have to see why
	early                  // its service is missing
	later                  // it goes again
	behind                 // there is a greater version, of a time that a restore has undone
)

// judge returns what a result means for a record of which this version, or one, had left before. That something is there already means this
// version only where that is known: else it may be an older one, which the change has not replaced.
func (t *Table) judge(x Record, r result, before bool) outcome {
	a, c := t.Answers, string(r.Code)
	if r.Version != 0 && r.Version < x.Version && !slices.Contains(a.Accepted, c) && !slices.Contains(a.Already, c) {
		return unsaid // it is about an older version
	}
	switch {
	case slices.Contains(a.Accepted, c):
		if r.Version != 0 && r.Version != x.Version {
			return unsaid
		}
		return taken
	case slices.Contains(a.Already, c):
		switch {
		case r.Version > x.Version:
			return behind
		case r.Version == x.Version, r.Version == 0 && (before || x.tried == 0):
			return taken
		}
		return refused
	case slices.Contains(a.NotThere, c) && x.Gone:
		return taken
	case slices.Contains(a.NoService, c) && x.kind == Evaluation:
		return early
	case slices.Contains(a.Later, c):
		return later
	}
	return refused
}

// results returns what an answer says of each record of a batch, by its id.
func (t *Table) results(r receipt, batch []Record) map[string]result {
	out := make(map[string]result)
	for _, x := range r.Results {
		out[x.ID] = x
	}
	all := slices.Contains(slices.Concat(t.Answers.Accepted, t.Answers.Already), string(r.Code))
	if len(r.Results) == 0 && t.Answers.Whole && (all || len(batch) == 1) { // else it is not known which one is meant
		for _, x := range batch {
			out[x.ID()] = result{ID: x.ID(), Code: r.Code, Message: r.Message}
		}
	}
	return out
}
