package account

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal/journaltest"
)

// The cost that docs/security.md states, in the form that every other program reads.
func TestFullCost(t *testing.T) {
	h := NewHasher(1, FullCost(), rand.Reader)
	hash, err := h.Hash(t.Context(), "correct horse battery staple")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=65536,t=5,p=1$") {
		t.Fatalf("%s, %v", hash, err)
	}
	for password, want := range map[string]bool{"correct horse battery staple": true, "correct horse battery stable": false} {
		if ok, err := h.Matches(t.Context(), password, hash); err != nil || ok != want {
			t.Errorf("%s: %v, %v", password, ok, err)
		}
	}
}

func TestDamagedHashes(t *testing.T) {
	h := NewHasher(1, Cost{64, 1}, rand.Reader)
	for _, bad := range []string{"x", "$argon2i$v=19$m=64,t=1,p=1$AAAA$AAAA", "$argon2id$v=19$m=999999999,t=1,p=1$AAAA$AAAA",
		"$argon2id$v=19$m=64,t=1,p=1$AAAA$", "$argon2id$v=19$m=64,t=0,p=1$AAAA$AAAA"} {
		if ok, err := h.Matches(t.Context(), "x", bad); ok || err == nil {
			t.Errorf("%s: %v, %v", bad, ok, err)
		}
	}
	if h.Made() != 0 {
		t.Error("a damaged hash was computed")
	}
}

// A flood of sign-ins takes the places that it was given; the rest is told to come back, and counts as no failure.
func TestFlood(t *testing.T) {
	j, d, _ := journaltest.Open(t, "sqlite:"+t.TempDir()+"/journal.db")
	h := NewHasher(1, Cost{64, 1}, rand.Reader)
	a, err := Open(t.Context(), Config{Journal: j, Secret: make([]byte, 32), Hasher: h, Random: rand.Reader, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	h.places <- struct{}{} // somebody's hash is being made
	h.line <- struct{}{}
	waiting := make(chan error, cap(h.line))
	for range cap(h.line) - 1 {
		go func() {
			_, err := h.Matches(t.Context(), "x", "")
			waiting <- err
		}()
	}
	for end := time.Now().Add(time.Minute); len(h.line) < cap(h.line); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody waits")
		}
	}
	for range 20 {
		if _, err := a.SignIn(t.Context(), "li", "x", Browser{Address: "192.0.2.1"}); !errors.Is(err, ErrBusy) {
			t.Fatalf("one too many: %v", err)
		}
	}
	if h.Made() != 0 {
		t.Errorf("%d hashes were made past the one place", h.Made())
	}
	many, err := db.Query(t.Context(), d, func(s db.Scanner) (n int64, err error) { return n, s.Scan(&n) },
		"SELECT coalesce(sum(many), 0) FROM account_failure")
	if err != nil || many[0] != 0 {
		t.Errorf("%d failures were counted, %v", many[0], err)
	}
	<-h.places
	for range cap(h.line) - 1 {
		if err := <-waiting; err != nil {
			t.Error(err)
		}
	}
}
