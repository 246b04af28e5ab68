package books

import (
	"context"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// nothing is empty tables.
type nothing struct{ loader }

func (nothing) findings(context.Context, int64, int64, FindingKind) ([]*finding, error) {
	return nil, nil
}

func (nothing) standing(context.Context, int64, FindingKind) (int64, error) { return 0, nil }

// runsOf returns the numbers of a set as texts of runs.
func runsOf(set map[uint64]bool) (all []string) {
	for n := uint64(1); n <= 60; n++ {
		if !set[n] || set[n-1] {
			continue
		}
		last := n
		for set[last+1] {
			last++
		}
		all = append(all, fmt.Sprint(n, "-", last))
	}
	return all
}

// TestNeighboursAreOneFinding finds and resolves numbers in any order: what stands and what is resolved is as few rows as go.
func TestNeighboursAreOneFinding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newState(counters{})
		s.ctx, s.load = context.Background(), nothing{}
		a := about{1, 1, ForkGap}
		stand, resolved := make(map[uint64]bool), make(map[uint64]bool)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			s.received++
			first := rapid.Uint64Range(1, 50).Draw(t, "first")
			last := first + rapid.Uint64Range(0, 3).Draw(t, "more")
			k, err := s.findingsOf(a)
			if err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "found") {
				for n := first; n <= last; n++ {
					stand[n] = true
				}
				if err := s.find(a, first, last, "x"); err != nil {
					t.Fatal(err)
				}
				continue
			}
			for _, f := range k.open {
				if f.first <= first && first <= f.last {
					s.resolve(k, f, first, min(last, f.last))
					for n := first; n <= min(last, f.last); n++ {
						delete(stand, n)
						resolved[n] = true
					}
					break
				}
			}
		}
		k, err := s.findingsOf(a)
		if err != nil {
			t.Fatal(err)
		}
		rows := func(all []*finding) map[uint64]bool {
			set, ids := make(map[uint64]bool), make(map[int64]bool)
			for _, f := range all {
				if ids[f.id] || f.id == 0 || f.count != int64(f.last-f.first+1) {
					t.Fatalf("%+v", f)
				}
				ids[f.id] = true
				for n := f.first; n <= f.last; n++ {
					if set[n] {
						t.Fatalf("%d stands twice", n)
					}
					set[n] = true
				}
			}
			if len(runsOf(set)) != len(all) {
				t.Fatalf("%d rows for %v", len(all), runsOf(set))
			}
			return set
		}
		if diff := cmp.Diff(runsOf(stand), runsOf(rows(k.open))); diff != "" {
			t.Fatalf("what stands (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(runsOf(resolved), runsOf(rows(k.resolved))); diff != "" {
			t.Fatalf("what is resolved (-want +got):\n%s", diff)
		}
	})
}

func TestShorten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		long := s + s + s + s + s + s + s + s
		if got := shorten(long); len(got) > maxDetail || !utf8.ValidString(got) || len(long) <= maxDetail && got != long {
			t.Fatalf("%d bytes: %q", len(got), got)
		}
	})
}
