// Package journaltest gives tests of other rooms a journal that is written.
package journaltest

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

// patient is the bound of transactions where a test does not ask about it: a busy machine may take longer than a centre's database.
const patient = 3 * time.Minute

// Open opens the journal at an address such as "sqlite:journal.db" and runs it until the test ends or stop is called, which closes its
// database.
func Open(t testing.TB, url string) (j *journal.Journal, d *db.DB, stop func()) {
	t.Helper()
	return OpenPatient(t, url, patient)
}

// OpenPatient is Open with a bound of its own for transactions.
func OpenPatient(t testing.TB, url string, patience time.Duration) (j *journal.Journal, d *db.DB, stop func()) {
	t.Helper()
	return open(t, url, patience, time.Now)
}

// OpenAt is Open with a clock of its own.
func OpenAt(t testing.TB, url string, now func() time.Time) (j *journal.Journal, d *db.DB, stop func()) {
	t.Helper()
	return open(t, url, patient, now)
}

func open(t testing.TB, url string, patience time.Duration, now func() time.Time) (j *journal.Journal, d *db.DB, stop func()) {
	t.Helper()
	d, err := db.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	j, err = journal.Open(context.Background(), journal.Config{DB: d, Secret: make([]byte, 32), Random: rand.Reader, Now: now,
		Logger: slog.New(slog.DiscardHandler), Patience: patience})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, d.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return j, d, stop
}
