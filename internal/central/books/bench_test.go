package books

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
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
		Cases:    []rating.Case{{ProjectNo: fmt.Sprintf("6201%s%09d", c.device, n), TaskCode: "11620100MB0153721", TaskName: "居民身份证换领", Completed: true}}}),
		rating.EvaluationBody(at.Add(4*time.Second), rating.Evaluation{Visit: id, Subject: rating.MatterSubject, Level: 5, Channel: rating.Keypad, WaitedMS: 3200}),
		rating.OutcomeBody(at.Add(9*time.Second), rating.Closing{Visit: id, Outcome: rating.Rated, Rated: []rating.Subject{rating.MatterSubject}}))
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
		url := dbtest.StartPostgres(b, "fsync=on", "synchronous_commit=on", "full_page_writes=on", "shared_buffers=256MB", "max_wal_size=2GB").Database(b)
		newWorld(b, url, url).compare(b, batch)
	})
}

func (w *world) compare(b *testing.B, batch int) {
	var wait sync.WaitGroup
	boxes := make([]*chain, 1000)
	for i := range boxes {
		boxes[i] = chainOf(rating.DeviceID(fmt.Sprintf("bx-%06d", i)), epoch+rating.Epoch(i)*0x1_0000_0001)
	}
	yard := time.Duration(0)
	for n, row := 0, 0; n < b.N; {
		var some [][]byte
		for range boxes { // some messages of some boxes, so that not all records are in memory
			if n >= b.N {
				break
			}
			c := boxes[row%len(boxes)]
			sent := len(c.records)
			for range min(batch, b.N-n) {
				c.visited(b, n)
				n++
			}
			e := journal.Entry{Kind: journal.Batch, Source: string(c.device), Epoch: c.epoch, First: c.first + uint64(sent) + 1, Received: w.now.UnixMilli(), Parts: c.records[sent:]}
			some = append(some, c.records[sent:]...)
			wait.Add(1)
			if err := w.journal.Submit(context.Background(), e, func(_ journal.Receipt, err error) {
				if err != nil {
					b.Error(err)
				}
				wait.Done()
			}); err != nil {
				b.Fatal(err)
			}
			c.first, c.records = c.first+uint64(len(c.records)), nil
			row++
		}
		wait.Wait()
		yard += w.plain(b, some)
	}
	b.ResetTimer()
	began := time.Now()
	w.follow(b)
	took := time.Since(began)
	b.StopTimer()
	records := float64(3 * b.N)
	b.ReportMetric(records/took.Seconds(), "records/s")
	b.ReportMetric(records/yard.Seconds(), "plain/s")
	b.ReportMetric(yard.Seconds()/took.Seconds(), "ratio")
}

// plain writes records into a table, 200 a transaction, and returns how long that took.
func (w *world) plain(b *testing.B, records [][]byte) time.Duration {
	blob, key := "BLOB", "INTEGER PRIMARY KEY"
	if w.booksDB.Engine() == db.Postgres {
		blob, key = "BYTEA", "BIGINT PRIMARY KEY"
	}
	ctx := b.Context()
	if err := w.journalDB.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS yardstick (id "+key+", device TEXT NOT NULL, seq BIGINT NOT NULL, raw "+blob+" NOT NULL)")
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
