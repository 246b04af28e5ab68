package books

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// checkOpenVisitsRatedByPhone lets visits be opened, rated by phones and ended at many boxes, or some of it. What a box is still to be told
// follows from that.
func checkOpenVisitsRatedByPhone(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, since := open(t), noon().Add(time.Minute)
		boxes, told := 0, 0
		rapid.Check(t, func(t *rapid.T) {
			boxes++
			d := rating.DeviceID(fmt.Sprintf("told-%d", boxes))
			c := chainOf(d, epoch)
			var want []ByPhone
			for i := range rapid.IntRange(1, 4).Draw(t, "visits") {
				v := rating.VisitID(boxes*10 + i)
				if rapid.Bool().Draw(t, "opened") {
					c.append(t, opened(int64(i), v))
				}
				ended := rapid.Bool().Draw(t, "ended")
				if ended {
					c.append(t, rating.OutcomeBody(at(int64(i)), rating.Closing{Visit: v, Outcome: rating.TimedOut}))
				}
				if !rapid.Bool().Draw(t, "rated") {
					continue
				}
				when := noon().Add(time.Duration(rapid.IntRange(0, 120).Draw(t, "second")) * time.Second)
				rate := journal.Rating{Device: d, Name: v.String(), Received: when.UnixMilli(), Answers: []rating.Evaluation{byPhone(v, 5)}}
				if _, err := w.journal.Rate(context.Background(), rate); err != nil {
					t.Fatal(err)
				}
				if !ended && !when.Before(since) {
					want = append(want, ByPhone{v, rating.Question{Subject: rating.StaffSubject}})
				}
			}
			if len(c.records) > 0 {
				w.append(t, c.all())
			}
			w.follow(t)
			for _, n := range []int{10, 1} {
				got, err := w.books.OpenByPhone(context.Background(), d, since, n)
				slices.SortFunc(got, func(a, b ByPhone) int { return cmp.Compare(a.Visit, b.Visit) })
				if err != nil || n > len(want) && !slices.Equal(got, want) || len(got) != min(n, len(want)) {
					t.Fatalf("to be told, of %d at most: %v, %v, want %v", n, got, err, want)
				}
			}
			told += len(want)
		})
		if told == 0 {
			t.Error("nothing was to be told; the test proves nothing")
		}
	})
}
