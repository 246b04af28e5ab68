package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"path/filepath"
	"strings"
	"time"

	"haochaping/internal/central/db"
)

// The tables of the books' first generation.
const (
	visits      = "b1_visit"
	evaluations = "b1_evaluation"
)

// years is over which time the played week is repeated.
const years = 2

// fill plays a week and repeats it in the books' tables.
func (w *world) fill(ctx context.Context) error {
	path, err := w.organise()
	if err != nil {
		return err
	}
	began := time.Now()
	if _, err := w.command(ctx, "rehearse", "-config", w.config, "-days", "7", path); err != nil {
		return err
	}
	log.Printf("a week is played after %s", time.Since(began).Round(time.Second))
	books := w.books
	if w.server == nil {
		books = "sqlite:" + filepath.Join(w.dir, "centre", "books.db")
	}
	d, err := db.Open(ctx, books)
	if err != nil {
		return err
	}
	began = time.Now()
	err = w.repeat(ctx, d)
	log.Printf("the week is repeated after %s", time.Since(began).Round(time.Second))
	return errors.Join(err, d.Close())
}

// size is how many rows there are, and the greatest number of one.
type size struct{ rows, last int64 }

func sizeOf(ctx context.Context, d *db.DB, table, key string) (size, error) {
	all, err := db.Query(ctx, d, func(s db.Scanner) (x size, err error) { return x, s.Scan(&x.rows, &x.last) },
		fmt.Sprintf("SELECT count(*), coalesce(max(%s), 0) FROM %s", key, table))
	if err != nil {
		return size{}, err
	}
	return all[0], nil
}

// repeat copies the week's rows, each time further in the past.
func (w *world) repeat(ctx context.Context, d *db.DB) error {
	visit, err := sizeOf(ctx, d, visits, "n")
	if err != nil {
		return err
	}
	evaluation, err := sizeOf(ctx, d, evaluations, "id")
	if err != nil {
		return err
	}
	if evaluation.rows == 0 {
		return errors.New("nothing was played")
	}
	copies := max((int64(w.evaluations)-evaluation.rows)/evaluation.rows, 0)
	log.Printf("%d evaluations of a week, %d times", evaluation.rows, copies+1)
	step := (years * 365 * 24 * time.Hour).Milliseconds() / (copies + 1)
	for k := int64(1); k <= copies; k++ {
		more := map[string]int64{"n": k * visit.last, "visit": k * visit.last, "id": k * (evaluation.last + 1), "opened_at": -k * step,
			"moment": -k * step, "closed_at": -k * step, "wall": -k * step, "received_at": -k * step}
		err := d.Write(ctx, func(tx *db.Tx) error {
			own := map[string]int64{"n": more["n"], "opened_at": more["opened_at"], "moment": more["moment"], "closed_at": more["closed_at"]}
			return errors.Join(again(ctx, tx, visits, fmt.Sprintf("n <= %d", visit.last), own),
				again(ctx, tx, evaluations, fmt.Sprintf("id <= %d", evaluation.last), more))
		})
		if err != nil {
			return err
		}
	}
	tidy := "ANALYZE"
	if d.Engine() == db.Postgres {
		tidy = "VACUUM ANALYZE" // as the server does by itself within minutes
	}
	_, err = db.Query(ctx, d, func(db.Scanner) (int, error) { return 0, nil }, tidy)
	return err
}

// again copies rows of a table, with some columns increased.
func again(ctx context.Context, tx *db.Tx, table, which string, more map[string]int64) error {
	rows, err := tx.QueryContext(ctx, "SELECT * FROM "+table+" LIMIT 1")
	if err != nil {
		return err
	}
	names, err := rows.Columns()
	if err := errors.Join(err, rows.Close()); err != nil {
		return err
	}
	values := make([]string, len(names))
	for i, name := range names {
		values[i] = name
		if n := more[name]; n != 0 {
			values[i] = fmt.Sprintf("%s + (%d)", name, n)
		}
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s WHERE %s", table, strings.Join(names, ", "),
		strings.Join(values, ", "), table, which))
	return err
}
