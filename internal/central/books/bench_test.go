package books

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// visited appends the records of a visit: that it was opened, an answer about its matter, and how it ended.
func (c *chain) visited(b *testing.B, n int) {
	hash := sha256.Sum256(fmt.Appendf(nil, "%s %d", c.device, n))
	id := rating.VisitID(binary.BigEndian.Uint64(hash[:]))
	at := rating.Stamp{Boot: 1, Mono: int64(n) * 60_000, Wall: noon().UnixMilli() + int64(n)*60_000, Synced: true}
	c.append(b, rating.VisitBody(at, rating.Visit{ID: id, Opener: rating.OpenedByPC, Grouping: rating.Single, WaitSec: 60,
		Subjects: []rating.Subject{rating.StaffSubject, rating.MatterSubject},
		Window:   rating.Window{ID: "A12", Name: "综合受理12号窗口", Hall: "市民中心政务服务大厅", Generation: 1},
		Staff:    rating.Staff{ID: "0417", Name: "王丽", Department: "市公安局"},
		Cases: []rating.Case{{ProjectNo: fmt.Sprintf("6201%s%09d", c.device, n), TaskCode: "11620100MB0153721", TaskName: "居民身份证换领",
			Completed: true}}}),
		rating.EvaluationBody(at.Add(4*time.Second), rating.Evaluation{Visit: id, Subject: rating.MatterSubject, Level: 5,
			Channel: rating.Keypad, WaitedMS: 3200}),
		rating.OutcomeBody(at.Add(9*time.Second), rating.Closing{Visit: id, Outcome: rating.Rated,
			Rated: []rating.Subject{rating.MatterSubject}}))
}

// BenchmarkProject makes the books of b.N visits by 1,000 boxes, one a message or 66, and says how that compares with plain inserts of
// the same records, 200 a transaction on SQLite and by COPY on PostgreSQL. Run it with -benchtime 500000x.
func BenchmarkProject(b *testing.B) {
	for name, batch := range map[string]int{"live": 1, "backlog": 66} {
		b.Run(name, func(b *testing.B) { benchProject(b, batch) })
	}
}

func benchProject(b *testing.B, batch int) {
	b.Run("sqlite", func(b *testing.B) {
		dir := b.TempDir()
		newWorld(b, "sqlite:"+dir+"/journal.db", "sqlite:"+dir+"/books.db").compare(b, batch)
	})
	b.Run("postgres", func(b *testing.B) {
		url := dbtest.StartPostgres(b, "fsync=on", "synchronous_commit=on", "full_page_writes=on", "shared_buffers=256MB",
			"max_wal_size=2GB").Database(b)
		newWorld(b, url, url).compare(b, batch)
	})
}

func (w *world) compare(b *testing.B, batch int) {
	var wait sync.WaitGroup
	boxes := make([]*chain, 1000)
	for i := range boxes {
		boxes[i] = chainOf(rating.DeviceID(fmt.Sprintf("bx-%06d", i)), epoch+rating.Epoch(i)*0x1_0000_0001)
	}
	yard, took := time.Duration(0), time.Duration(0)
	yardCPU, tookCPU := time.Duration(0), time.Duration(0)
	const rounds = 10 // in turns, so that both meet the same machine
	for n, row := 0, 0; n < b.N; {
		var some [][]byte
		for end := min(n+max(b.N/rounds, 1), b.N); n < end; row++ {
			c := boxes[row%len(boxes)]
			for range min(batch, end-n) {
				c.visited(b, n)
				n++
			}
			e := journal.Entry{Kind: journal.Batch, Source: string(c.device), Epoch: c.epoch, First: c.first + 1,
				Received: w.now.UnixMilli(), Parts: c.records}
			some = append(some, c.records...)
			wait.Add(1)
			if err := w.journal.Submit(b.Context(), e, func(_ journal.Receipt, err error) {
				if err != nil {
					b.Error(err)
				}
				wait.Done()
			}); err != nil {
				b.Fatal(err)
			}
			c.first, c.records = c.first+uint64(len(c.records)), nil
		}
		wait.Wait()
		before := burnt(b)
		yard += w.plain(b, some)
		between := burnt(b)
		began := time.Now()
		w.follow(b)
		took += time.Since(began)
		yardCPU, tookCPU = yardCPU+between-before, tookCPU+burnt(b)-between
		b.Logf("%d visits: %.0f records/s", n, float64(len(some))/time.Since(began).Seconds())
	}
	records := float64(3 * b.N)
	b.ReportMetric(records/took.Seconds(), "records/s")
	b.ReportMetric(records/yard.Seconds(), "plain/s")
	b.ReportMetric(yard.Seconds()/took.Seconds(), "ratio")
	b.ReportMetric(yardCPU.Seconds()/tookCPU.Seconds(), "cpu-ratio") // which a busy machine does not move
}

// burnt returns the time that all cores have spent on this process.
func burnt(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// plain writes records into a table, 200 a transaction, and returns how long that took.
func (w *world) plain(b *testing.B, records [][]byte) time.Duration {
	blob, key := "BLOB", "INTEGER PRIMARY KEY"
	if w.booksDB.Engine() == db.Postgres {
		blob, key = "BYTEA", "BIGINT PRIMARY KEY"
	}
	ctx := b.Context()
	if err := w.journalDB.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx,
			"CREATE TABLE IF NOT EXISTS yardstick (id "+key+", device TEXT NOT NULL, seq BIGINT NOT NULL, raw "+blob+" NOT NULL)")
		return err
	}); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	for i := 0; i < len(records); i += 200 {
		var rows [][]any
		for _, r := range records[i:min(len(records), i+200)] {
			w.plained++
			rows = append(rows, []any{w.plained, "bx-000001", w.plained, r})
		}
		if err := w.journalDB.Write(ctx, func(tx *db.Tx) error {
			return tx.Insert(ctx, "yardstick", []string{"id", "device", "seq", "raw"}, rows)
		}); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began)
}

// BenchmarkStarts makes the books of one record a start of the box, b.N in one epoch, 200 a batch, all received at once.
func BenchmarkStarts(b *testing.B) {
	dir := b.TempDir()
	w, c := newWorld(b, "sqlite:"+dir+"/journal.db", "sqlite:"+dir+"/books.db"), newChain()
	for i := range b.N {
		c.append(b, rating.EvaluationBody(rating.Stamp{Boot: uint32(i) + 1, Mono: 60_000, Wall: 7},
			rating.Evaluation{Visit: rating.VisitID(i + 1), Subject: rating.StaffSubject, Level: 3, Channel: rating.Keypad}))
	}
	for first := 1; first <= b.N; first += 200 {
		w.append(b, c.batch(first, min(first+199, b.N), 0))
	}
	b.ResetTimer()
	w.follow(b)
}
