package intake

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/central/books/bookstest"
	"haochaping/internal/central/cases"
	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
)

// portal lets everybody speak at all doors.
type portal struct{}

func (portal) Holder(string) (cases.Holder, bool) {
	return cases.Holder{Name: "portal", Doors: cases.Doors()}, true
}

// BenchmarkAnswers has systems hand on answers about cases that are completed, many requests under way, and waits until the books have
// decided about each.
func BenchmarkAnswers(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		dir := b.TempDir()
		answers(b, "sqlite:"+filepath.Join(dir, "journal.db"), "sqlite:"+filepath.Join(dir, "books.db"))
	})
	b.Run("postgres", func(b *testing.B) {
		at := dbtest.StartPostgres(b).Database(b)
		answers(b, at, at)
	})
}

func answers(b *testing.B, journalAt, booksAt string) {
	const systems, texts = 64, "排队时间太长，窗口只开了一个"
	j, _, _ := journaltest.Open(b, journalAt)
	books, _ := bookstest.Follow(b, j, booksAt)
	h := Handler(Config{cases.Door{Tokens: portal{}, Logger: slog.New(slog.DiscardHandler)}, j})
	wait := func() {
		b.Helper()
		head, err := j.Head(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
		defer cancel()
		if err := books.Wait(ctx, head); err != nil {
			b.Fatal(err)
		}
	}
	now := time.Now()
	for n := 0; n < b.N; n += journal.MaxParts {
		var facts []journal.Fact
		for i := n; i < min(b.N, n+journal.MaxParts); i++ {
			facts = append(facts, journal.Fact{Fact: rating.CaseFact{Area: "620100000000", ProjectNo: fmt.Sprint(i), TaskCode: "t",
				AsOf: now.UnixMilli(), CompletedAt: now.UnixMilli()}})
		}
		if _, err := j.Tell(b.Context(), "system", fmt.Sprint(n), facts); err != nil {
			b.Fatal(err)
		}
	}
	wait()
	var work sync.WaitGroup
	next := make(chan int)
	b.ResetTimer()
	began, cpu := time.Now(), used(b)
	for range systems {
		work.Go(func() {
			for i := range next {
				body := fmt.Appendf(nil, `{"answers":[{"area":"620100","project_no":"%d","level":2,"channel":"portal","given_at":%q,`+
					`"reasons":["214"],"text":%q}]}`, i, now.Format(time.RFC3339), texts)
				r := httptest.NewRequest("POST", "/v1/answers", bytes.NewReader(body))
				r.Header.Set("Authorization", "Bearer x")
				r.Header.Set("Idempotency-Key", fmt.Sprint(i))
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"accepted":1`) {
					b.Errorf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
	for i := range b.N {
		next <- i
	}
	close(next)
	work.Wait()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "saved/s")
	wait()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "decided/s")
	b.ReportMetric(float64((used(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/answer")
	f, err := books.CaseFigures(b.Context())
	if err != nil || f.Rated != int64(b.N) {
		b.Errorf("%+v, %v", f, err)
	}
}

// used returns the processor time of this process so far.
func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
