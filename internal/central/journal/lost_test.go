package journal_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/proof/faultnet"
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
	url := postgres.Database(t)
	hanging, _, _ := journaltest.Open(t, url+"&idle_in_transaction_session_timeout=3s")
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

// swallowing returns the URL of a database behind a proxy, and a function after which the proxy answers for the server on the connections
// that there are, and passes nothing on.
func swallowing(t *testing.T) (through string, swallow func()) {
	t.Helper()
	server := dbtest.StartPostgres(t)
	address, err := url.Parse(server.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	p, err := faultnet.Listen(filepath.Join(server.Dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	stop := make(chan struct{})
	p.Later(faultnet.Stall(stop))
	return "postgres://postgres@" + p.Addr() + "/" + strings.TrimPrefix(address.Path, "/") + "?sslmode=disable", func() {
		close(stop)
		p.Later(faultnet.Pass)
	}
}

// A server that is gone without a word, behind a proxy that answers for it, is given up, for all that waits at once; then others are tried.
func TestAServerThatSwallowsIsGivenUp(t *testing.T) {
	through, swallow := swallowing(t)
	const patience = 3 * time.Second
	j, _, _ := journaltest.OpenPatient(t, through, patience)
	b := newBox("box")
	for n := 0; ; n++ { // the machine may be slow
		if _, err := j.Append(t.Context(), b.batch(t, 1), nil); err == nil {
			break
		} else if n == 20 {
			t.Fatal(err)
		}
	}
	swallow()
	const waiting = 200
	told := make(chan error, waiting)
	for i := range waiting {
		if err := j.Submit(t.Context(), newBox(fmt.Sprint("box-", i)).batch(t, 1),
			func(_ journal.Receipt, err error) { told <- err }); err != nil {
			t.Fatal(err)
		}
	}
	failed := 0
	for range waiting {
		select {
		case err := <-told:
			if err != nil && !errors.Is(err, journal.ErrUnavailable) {
				t.Errorf("told %v, want ErrUnavailable", err)
			}
			if err != nil {
				failed++
			}
		case <-time.After(20 * patience): // far from patience for each
			t.Fatalf("nothing is told any more after %d rows", failed)
		}
	}
	if failed == 0 {
		t.Error("nothing has failed: the test proves nothing")
	}
	for end := time.Now().Add(3 * time.Minute); ; {
		_, err := j.Append(t.Context(), b.batch(t, 1), nil)
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the server is not found again: %v", err)
		}
	}
	if err := j.Alive(); err != nil {
		t.Error(err)
	}
}

// A writer that hangs where nothing bounds it is told of.
func TestAWriterThatHangsIsNoticed(t *testing.T) {
	const patience = 200 * time.Millisecond
	j, _, _ := journaltest.OpenPatient(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"), patience)
	release, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for hung, b := false, newBox("box"); !hung; { // on a slow machine the transaction may not even begin in time
			_, _ = j.Append(context.Background(), b.batch(t, 1), func(context.Context, *db.Tx, int64) error {
				hung = true
				<-release
				return nil
			})
		}
	}()
	for end := time.Now().Add(time.Minute); j.Alive() == nil; time.Sleep(patience / 4) {
		if time.Now().After(end) {
			t.Fatal("nothing is noticed")
		}
	}
	if err := j.Alive(); !errors.Is(err, journal.ErrStuck) {
		t.Error(err)
	}
	close(release)
	<-done
	for end := time.Now().Add(time.Minute); j.Alive() != nil; time.Sleep(patience / 4) {
		if time.Now().After(end) {
			t.Fatal("it hangs still")
		}
	}
}
