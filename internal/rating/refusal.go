package rating

import "slices"

// Refusal is that a review has found an answer mistaken or malicious: it does not count, what it corrected does not either, and no default
// follows in its place (不予采纳, article 17).
type Refusal struct {
	Cases []string // keys of those for which it does not count, none: all, and the person
}

// About reports whether the answer does not count for the case of a key, or for its visit's item, whose key is empty.
func (r Refusal) About(key string) bool {
	return len(r.Cases) == 0 || key != "" && slices.Contains(r.Cases, key)
}

// Judge notes what a review has found about an evaluation, nil that it is adopted after all. The last word holds.
func (h *History) Judge(g Given, r *Refusal) {
	if h.refused == nil {
		h.refused = make(map[givenKey]Refusal)
	}
	if r == nil {
		delete(h.refused, g.key())
		return
	}
	h.refused[g.key()] = *r
}

// refuses reports whether a review has taken an evaluation out of a contest.
func (h *History) refuses(index int, item Item) bool {
	r, ok := h.refused[h.given[index].key()]
	return ok && r.About(item.Case.String())
}
