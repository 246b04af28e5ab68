package journal_test

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
)

// A connection that ends during a commit is not the row's fault, though the database can be written the next moment.
func TestALostConnectionIsNoRowsFault(t *testing.T) {
	j, d, _ := journaltest.Open(t, dbtest.StartPostgres(t).Database(t))
	for name, end := range map[string]func(backend int) error{
		"ended by an administrator": func(backend int) error {
			return d.Write(t.Context(), func(tx *db.Tx) error {
				_, err := tx.ExecContext(t.Context(), "SELECT pg_terminate_backend($1, 10000)", backend)
				return err
			})
		},
		"killed": func(backend int) error { return syscall.Kill(backend, syscall.SIGKILL) },
	} {
		b := newBox("box")
		_, err := j.Append(t.Context(), b.batch(t, 1), func(ctx context.Context, tx *db.Tx, _ int64) error {
			var backend int
			if err := tx.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
				return err
			}
			return end(backend)
		})
		if !errors.Is(err, journal.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
}

// The lock of an instance that hangs in a commit does not stop the others for ever, and what it has not committed is not entered.
func TestAnInstanceThatHangsLosesItsLock(t *testing.T) {
	url := dbtest.StartPostgres(t).Database(t)
	hanging, _, _ := journaltest.Open(t, url+"&idle_in_transaction_session_timeout=200ms")
	other, _, _ := journaltest.Open(t, url)
	entered := make(chan error, 1)
	_, err := hanging.Append(t.Context(), newBox("box-1").batch(t, 1), func(ctx context.Context, _ *db.Tx, _ int64) error {
		_, err := other.Append(ctx, newBox("box-2").batch(t, 1), nil)
		entered <- err
		return nil
	})
	if !errors.Is(err, journal.ErrUnavailable) {
		t.Errorf("the instance that hangs: %v, want ErrUnavailable", err)
	}
	if err := <-entered; err != nil {
		t.Errorf("the other instance: %v", err)
	}
	if n, err := other.Head(t.Context()); err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
}
