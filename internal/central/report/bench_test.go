package report

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// BenchmarkYearOfAProvince adds up 300 halls with 10 windows each, a tenth of a large province, or as many halls as HCP_HALLS says, which
// three channels have rated on each day: a calendar year by hall, the year up to a day in its last month, twelve months that begin within
// one, and one hall's year by window.
func BenchmarkYearOfAProvince(b *testing.B) {
	halls := 300
	if n, err := strconv.Atoi(os.Getenv("HCP_HALLS")); err == nil {
		halls = n
	}
	const windows = 10
	dir := b.TempDir()
	w := newWorld(b, "sqlite:"+filepath.Join(dir, "journal.db"), "sqlite:"+filepath.Join(dir, "books.db"))
	for first := 0; first < halls; first += 300 {
		var text strings.Builder
		text.WriteString("类别,编号,名称,生效日期,区划代码,所属单位,大厅\n")
		for h := first; h < min(first+300, halls); h++ {
			fmt.Fprintf(&text, "大厅,H%04d,大厅%d,2020-01-01,%s,116299006MB0066664,\n", h, h, district)
			for n := range windows {
				fmt.Fprintf(&text, "窗口,H%04d-%02d,窗口%d,2020-01-01,,,H%04d\n", h, n, n, h)
			}
		}
		w.change(b, text.String())
	}
	ctx := context.Background()
	fail := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	_, err := w.journal.Do(ctx, "bench", "", journal.Act{Do: "bench"}, func(ctx context.Context, tx *db.Tx, pos int64) error {
		for i := range halls * windows {
			if err := directory.Served(ctx, tx, rating.DeviceID(fmt.Sprintf("d%05d", i)),
				rating.Window{ID: fmt.Sprintf("H%04d-%02d", i/windows, i%windows), Generation: 1}, pos); err != nil {
				return err
			}
		}
		return nil
	})
	fail(err)
	var posts [][]any
	for i := range halls * windows {
		posts = append(posts, []any{i + 1, fmt.Sprintf("d%05d", i), 1, fmt.Sprintf("H%04d-%02d", i/windows, i%windows), "", ""})
	}
	fail(w.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Insert(ctx, "report_post", []string{"id", "device", "generation", "window_id", "area", "unit"}, posts)
	}))
	fill := func(grain int64, at directory.Day) {
		var rows [][]any
		for i := range halls * windows {
			for _, k := range [][2]string{{"staff", ""}, {"staff", "keypad"}, {"staff", "phone"}, {"matter", "keypad"}, {"matter", "phone"},
				{"matter", "default"}} {
				rows = append(rows, []any{0, grain, int64(at), i + 1, "", k[0], k[1], 3, 3, 0, 0, 1, 1, 1})
			}
		}
		fail(w.db.Write(ctx, func(tx *db.Tx) error {
			return tx.Insert(ctx, "report_count", []string{"split", "grain", "at", "post", "of", "subject", "channel", "served", "asked", "n1", "n2",
				"n3", "n4", "n5"}, rows)
		}))
	}
	for m := range 12 {
		fill(months, monthOf(directory.Date(2025, 1, 1)+directory.Day(31*m)))
	}
	for d := range 10 { // of the days at the ends a part, so that the benchmark begins within a minute
		fill(days, directory.Date(2025, 1, 22)+directory.Day(d))
	}
	fill(days, directory.Date(2025, 1, 10)) // so that the month is not the whole one
	began := used(b)
	fail(w.reports.Bundle(ctx))
	b.Logf("bundled with %s of processor time", (used(b) - began).Round(time.Millisecond))
	year := directory.Period{From: directory.Date(2025, 1, 1), To: directory.Date(2026, 1, 1)}
	late := directory.Period{From: directory.Date(2025, 1, 22), To: directory.Date(2026, 1, 1)}
	byHall := func(w Where, _ string) string { return w.Hall }
	sofar := directory.Period{From: year.From, To: directory.Date(2025, 12, 21)}
	for name, ask := range map[string]Ask{
		"calendar year": {Days: year, Group: byHall}, "with ten days": {Days: late, Group: byHall}, "so far": {Days: sofar, Group: byHall},
		"one hall": {Days: late, Group: func(w Where, _ string) string { return w.Window },
			Fits: func(w Where) bool { return w.Hall == "H0001" }},
	} {
		b.Run(name, func(b *testing.B) {
			begin := used(b)
			for b.Loop() {
				if t := w.sum(b, ask); len(t.Rows) == 0 {
					b.Fatal("nothing was added up")
				}
			}
			b.ReportMetric(float64((used(b)-begin).Milliseconds())/float64(b.N), "cpu-ms/op") // which a busy machine hardly moves
		})
	}
}

// used returns the processor time that the process has used.
func used(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
