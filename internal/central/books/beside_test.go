package books

import (
	"context"
	"testing"

	"haochaping/internal/rating"
)

// checkBooksFollowBesideBoxesThatWait has books follow while boxes wait: a little at a time, and on by themselves when nothing more comes.
func checkBooksFollowBesideBoxesThatWait(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		const rows = 3*maxBehind/2 + 1
		for i := range rows {
			c.append(t, press(int64(i), rating.VisitID(i+1), 5, 0))
		}
		var last int64
		for seq := 1; seq <= rows; seq++ {
			last = w.append(t, c.batch(seq, seq, 0)).Pos
		}
		more, err := w.projector.follow(t.Context(), true)
		if err != nil || !more || w.projector.pos != maxBehind {
			t.Fatalf("one look took %d rows, and says that there are more: %t; %v", w.projector.pos, more, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.books.RunBeside(ctx, func() bool { return true }) }()
		if err := w.books.Wait(t.Context(), last); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
