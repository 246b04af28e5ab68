package report

import (
	"math/rand/v2"
	"testing"
)

// draw returns a window's month: so many visits, of which some ask, some of those are answered, and some of these badly.
func draw(r *rand.Rand, visits int, asks, answers, poor float64) (a Amount) {
	for range visits {
		a.Served++
		if r.Float64() >= asks {
			continue
		}
		a.Asked++
		switch {
		case r.Float64() >= answers:
		case r.Float64() < poor:
			a.Levels[1]++
		default:
			a.Levels[5]++
		}
	}
	return a
}

// TestSigns plays halls of ten windows: where all are alike hardly a sign is raised, and what is amiss at one window raises its sign, and nobody else's.
func TestSigns(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 39735))
	raised := func(windows []Amount) (all []map[string]bool) {
		for i, w := range windows {
			var others Amount
			for j, o := range windows {
				if i != j {
					others = others.Plus(o)
				}
			}
			found := make(map[string]bool)
			for _, s := range Signs() {
				if s.Raised(w, others) {
					found[s.Code] = true
				}
			}
			all = append(all, found)
		}
		return all
	}
	const halls, windows = 200, 10
	alike := make(map[string]int)
	for range halls {
		var all []Amount
		for range windows {
			all = append(all, draw(r, 400, 0.95, 0.6, 0.02))
		}
		for _, found := range raised(all) {
			for code := range found {
				alike[code]++
			}
		}
	}
	for code, n := range alike {
		if n > halls*windows*3/1000 {
			t.Errorf("%s is raised at %d of %d windows that are like their neighbours", code, n, halls*windows)
		}
	}
	for code, amiss := range map[string]Amount{"no_bad": draw(r, 1200, 0.95, 0.6, 0), "few_answer": draw(r, 400, 0.95, 0.15, 0.02), "seldom_asked": draw(r, 400, 0.2, 0.6, 0.02)} {
		all := []Amount{amiss}
		for range windows - 1 {
			all = append(all, draw(r, 400, 0.95, 0.6, 0.02))
		}
		for i, found := range raised(all) {
			if found[code] != (i == 0) {
				t.Errorf("%s is raised at window %d: %v", code, i, found[code])
			}
		}
	}
	for _, s := range Signs() {
		if s.Raised(Amount{}, Amount{}) || s.Raised(draw(r, 20, 1, 1, 0), draw(r, 4000, 1, 1, 0.5)) {
			t.Errorf("%s is raised of next to nothing", s.Code)
		}
	}
}
