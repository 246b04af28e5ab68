package directory

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
)

// province is records of 3,000 halls, 30,000 windows and 100,000 staff, with 1,400 areas and a unit for each hall.
func province(b *testing.B) (all []Record) {
	b.Helper()
	always := Period{Date(2020, 1, 1), Forever}
	areas := []string{"620000000000"}
	for city := 1; city <= 14; city++ {
		areas = append(areas, fmt.Sprintf("62%02d00000000", city))
		for county := 1; county <= 6; county++ {
			areas = append(areas, fmt.Sprintf("62%02d%02d000000", city, county))
			for town := 1; town <= 15; town++ {
				areas = append(areas, fmt.Sprintf("62%02d%02d%03d000", city, county, town))
			}
		}
	}
	for _, code := range areas {
		all = append(all, Record{Kind: Area, ID: code, Period: always, Name: "区划" + code})
	}
	for i := range 3000 {
		code := fmt.Sprintf("116200000MB%06d", i)
		check, err := creditCheck(code)
		if err != nil {
			b.Fatal(err)
		}
		unit, area, hall := code+string(check), areas[i%len(areas)], fmt.Sprintf("H%04d", i)
		all = append(all, Record{Kind: Unit, ID: unit, Period: always, Name: "单位" + code, Area: area, Office: "综合科", Person: "示例"},
			Record{Kind: Hall, ID: hall, Period: always, Name: "政务服务大厅" + hall, Area: area, Unit: unit})
		for w := range 10 {
			window := fmt.Sprintf("%s-%02d", hall, w)
			all = append(all, Record{Kind: Window, ID: window, Period: always, Name: window + "号窗口", Hall: hall})
			for s := range 4 {
				if n := (i*10+w)*4 + s; n < 100_000 {
					all = append(all, Record{Kind: Staff, ID: fmt.Sprintf("S%06d", n), Period: always, Name: "示例", Unit: unit, Window: window})
				}
			}
		}
	}
	return all
}

// BenchmarkProvince does each of what pages, boxes and reports ask for, with a province in the tables.
func BenchmarkProvince(b *testing.B) {
	j, _, _ := journaltest.Open(b, "sqlite:"+filepath.Join(b.TempDir(), "journal.db"))
	d, err := Open(context.Background(), j)
	if err != nil {
		b.Fatal(err)
	}
	all := province(b)
	ctx := context.Background()
	var lines []Line
	for _, r := range all {
		lines = append(lines, Line{Record: r})
	}
	for len(lines) > 0 {
		n := min(maxLines, len(lines))
		begin := used(b)
		p, err := d.Preview(ctx, lines[:n], nil)
		if err != nil || p.Refused() > 0 {
			b.Fatal(err, p.Refused())
		}
		planned := used(b) - begin
		if err := d.Apply(ctx, "bench", "", journal.Act{}, p); err != nil {
			b.Fatal(err)
		}
		fmt.Printf("%d lines: preview %s, applied in %s of a core\n", n, planned.Round(time.Millisecond),
			(used(b) - begin - planned).Round(time.Millisecond))
		lines = lines[n:]
	}
	if _, err := j.Do(ctx, "bench", "", journal.Act{Do: "bench"}, func(ctx context.Context, tx *db.Tx, pos int64) error {
		for i := range 30_000 {
			if err := Served(ctx, tx, rating.DeviceID(fmt.Sprintf("d%05d", i)),
				rating.Window{ID: fmt.Sprintf("H%04d-%02d", i/10, i%10), Generation: 1}, pos); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	ms := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			begin := used(b)
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64((used(b)-begin).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
	fail := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	day := DayOf(time.Now())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	a, err := d.Atlas(ctx)
	fail(err)
	runtime.GC()
	runtime.ReadMemStats(&after)
	fmt.Printf("the copy in memory takes %d MB\n", (after.HeapAlloc-before.HeapAlloc)>>20)
	ms("place", func() {
		if _, ok := a.Place("d29999", "H2999-09", 1, time.Now()); !ok {
			b.Fatal("not found")
		}
	})
	ms("atlas", func() {
		d.atlas = nil
		_, err := d.Atlas(ctx)
		fail(err)
	})
	ms("posts", func() { _, err := d.Posts(ctx, day); fail(err) })
	ms("list", func() { _, err := d.List(ctx, Filter{Kind: Window, Day: day, After: "H1500", Limit: 50}); fail(err) })
	ms("search", func() { _, err := d.List(ctx, Filter{Kind: Staff, Day: day, Text: "s099999", Limit: 50}); fail(err) })
	ms("preview-one", func() {
		_, err := d.Preview(ctx, []Line{{Record: Record{Kind: Window, ID: "H0001-01", Name: "新", Hall: "H0001", Period: Period{day, Forever}}}},
			nil)
		fail(err)
	})
}

// used returns the processor time that the process has used, which does not depend on what else the machine does.
func used(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
