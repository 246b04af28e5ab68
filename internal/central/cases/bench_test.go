package cases

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"
)

// BenchmarkTell has eight systems tell cases, a hundred a request, and waits until the books have them.
func BenchmarkTell(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n, " a request"), func(b *testing.B) {
			o := newOffice(b)
			var told sync.WaitGroup
			next := make(chan int)
			cpu := processorTime(b)
			for range inFlight {
				told.Go(func() {
					for i := range next {
						var facts []string
						for k := range n {
							facts = append(facts, fmt.Sprintf(`{"area":"620100","project_no":"%d-%d","task_code":"t","contact":"13812345678",`+
								`"completed_at":"2026-03-02T09:00:00+08:00","as_of":"2026-03-02T09:00:00+08:00"}`, i, k))
						}
						if status, says := o.ask(b, "POST", "/v1/cases", fmt.Sprint(i), body(facts...)); status != 200 {
							b.Error(status, says)
						}
					}
				})
			}
			for i := 0; b.Loop(); i++ {
				next <- i
			}
			close(next)
			told.Wait()
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "cases/s")
			o.follow(b)
			b.ReportMetric(float64((processorTime(b)-cpu).Microseconds())/float64(n*b.N), "µs-cpu/case")
		})
	}
}

// processorTime returns what this process has used so far.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
