package main

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"time"

	"haochaping/internal/central/db"
)

// openPlain opens a SQLite file as the centre does, and without what its package db adds.
func openPlain(path string) (*sql.DB, error) {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(20000)", "secure_delete(1)", "cache_size(-32768)",
	}}
	file, err := sql.Open("sqlite", "file:"+path+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	file.SetMaxOpenConns(1)
	return file, nil
}

func (p *place) yardstickTable(ctx context.Context) error {
	blob, key := "BLOB", "INTEGER PRIMARY KEY"
	if p.db.Engine() == db.Postgres {
		blob, key = "BYTEA", "BIGINT PRIMARY KEY"
	}
	return p.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "CREATE TABLE yardstick (id "+key+", device TEXT NOT NULL, seq BIGINT NOT NULL, raw "+blob+" NOT NULL)")
		return err
	})
}

// plain writes records so many a transaction, by prepared inserts on SQLite and COPY on PostgreSQL, and returns how many a second. From is
// how many the table has already.
func (p *place) plain(ctx context.Context, records [][]byte, group, from int) (float64, error) {
	began := time.Now()
	for i := 0; i < len(records); i += group {
		some := records[i:min(len(records), i+group)]
		rows := make([][]any, len(some))
		for k, r := range some {
			rows[k] = []any{int64(from + i + k + 1), "bx-000001", int64(from + i + k + 1), r}
		}
		if err := p.insert(ctx, rows); err != nil {
			return 0, err
		}
	}
	return float64(len(records)) / time.Since(began).Seconds(), nil
}

func (p *place) insert(ctx context.Context, rows [][]any) (err error) {
	if p.file == nil {
		return p.db.Write(ctx, func(tx *db.Tx) error {
			return tx.Insert(ctx, "yardstick", []string{"id", "device", "seq", "raw"}, rows)
		})
	}
	tx, err := p.file.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	s, err := tx.PrepareContext(ctx, "INSERT INTO yardstick (id, device, seq, raw) VALUES ($1, $2, $3, $4)")
	if err != nil {
		return err
	}
	for _, r := range rows {
		if _, err := s.ExecContext(ctx, r...); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	if err := s.Close(); err != nil {
		return err
	}
	return tx.Commit()
}
