package books

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"haochaping/internal/central/db"
)

// sweep drops generations that are neither read nor being made: the ones before, and what an interruption has left. SQLite
// overwrites what it drops, by way of its write-ahead log, so that there each table is emptied a part at a time before. It calls keep now
// and then; another instance that sweeps meanwhile, since the lease was kept too late, does no harm.
func (b *Books) sweep(ctx context.Context, keep func() error) error {
	const back = 8 // an interruption leaves one
	g, err := readGeneration(ctx, b.cfg.DB)
	if err != nil {
		return err
	}
	dropped := false
	for n := max(1, g.last-back); n <= g.last; n++ {
		t := newTables(b.cfg.DB.Engine(), n)
		if n == g.number || n == g.building {
			continue
		}
		some, err := b.sweepOne(ctx, t, keep)
		if err != nil {
			return fmt.Errorf("drop the books of generation %d: %w", n, err)
		}
		dropped = dropped || some
	}
	if dropped && b.cfg.DB.Engine() == db.SQLite {
		if err := b.cfg.DB.Scrub(ctx, ""); err != nil { // which the next one makes good
			b.cfg.Logger.Warn("books that were dropped are still in the database's files", "error", err)
		}
	}
	return nil
}

// sweepOne drops what there is of a generation.
func (b *Books) sweepOne(ctx context.Context, t tables, keep func() error) (dropped bool, err error) {
	is := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1"
	if t.engine == db.Postgres {
		is = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1"
	}
	for _, name := range slices.Backward(tableNames()) {
		n, err := one(ctx, b.cfg.DB, is, t.name(name))
		if err != nil {
			return dropped, err
		}
		if n == 0 {
			continue
		}
		dropped = true
		if t.engine == db.SQLite {
			if err := b.empty(ctx, t, name, keep); err != nil {
				return dropped, err
			}
		}
		if err := b.exec(ctx, "DROP TABLE IF EXISTS "+t.name(name)); err != nil {
			return dropped, err
		}
	}
	return dropped, nil
}

// emptied is how many rows are deleted in one transaction: a few megabytes.
const emptied = 5000

// empty deletes a table's rows on SQLite in the order of their key, after its indexes, in transactions that the write-ahead log can be cut
// back after.
func (b *Books) empty(ctx context.Context, t tables, table string, keep func() error) error {
	indexes, err := db.Query(ctx, b.cfg.DB, func(s db.Scanner) (n string, err error) { return n, s.Scan(&n) },
		"SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = $1 AND sql IS NOT NULL", t.name(table))
	if err != nil {
		return err
	}
	for _, n := range indexes {
		if err := b.exec(ctx, "DROP INDEX IF EXISTS "+n); err != nil {
			return err
		}
	}
	names, err := db.Query(ctx, b.cfg.DB, func(s db.Scanner) (n string, err error) { return n, s.Scan(&n) },
		"SELECT name FROM pragma_table_info($1) WHERE pk > 0 ORDER BY pk", t.name(table)) // of whichever schema it is
	if err != nil {
		return err
	}
	if len(names) == 0 { // somebody else has just dropped it
		return nil
	}
	key := strings.Join(names, ", ")
	text := t.of(fmt.Sprintf("DELETE FROM {%[1]s} WHERE (%[2]s) <= (SELECT %[2]s FROM {%[1]s} ORDER BY %[2]s LIMIT 1 OFFSET %[3]d)", table,
		key, emptied-1))
	for deleted := int64(1); deleted > 0; {
		if err := keep(); err != nil {
			return err
		}
		if err := b.cfg.DB.Write(ctx, func(tx *db.Tx) error {
			there, err := one(ctx, tx, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1", t.name(table))
			if err != nil || there == 0 {
				deleted = 0
				return err
			}
			r, err := tx.ExecContext(ctx, text)
			if err == nil {
				deleted, err = r.RowsAffected()
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// exec runs a statement in a transaction of its own.
func (b *Books) exec(ctx context.Context, text string) error {
	return b.cfg.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, text)
		return err
	})
}
