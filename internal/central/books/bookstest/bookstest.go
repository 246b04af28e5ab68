// Package bookstest gives tests of other rooms books that follow a journal.
package bookstest

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

// Follow opens the books at an address such as "sqlite:books.db" and has them follow a journal until the test ends or stop is called, which
// closes their database.
func Follow(t testing.TB, j *journal.Journal, url string) (b *books.Books, stop func()) {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	b, err = books.Open(t.Context(), books.Config{DB: d, Journal: j, Holder: rand.Text(), Now: time.Now,
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, d.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return b, stop
}
