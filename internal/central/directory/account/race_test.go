package account

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal/journaltest"
)

// What is changed between the check of a password and the session ends the try: no session is opened by what holds no more.
func TestSessionRaces(t *testing.T) {
	j, _, _ := journaltest.Open(t, "sqlite:"+t.TempDir()+"/journal.db")
	ctx, at := t.Context(), time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	a, err := Open(ctx, Config{Journal: j, Secret: make([]byte, 32), Hasher: NewHasher(2, Cost{Memory: 64, Passes: 1}, rand.Reader),
		Random: rand.Reader,
		Now:    func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	by := By{Account: "operator test"}
	added, err := a.Add(ctx, by, "person", "测试人员", "620000000000")
	if err != nil {
		t.Fatal(err)
	}
	choose := func(password string) error { return a.setPassword(ctx, by, added, password, nil, nil) }
	for what, change := range map[string]func() error{
		"barred":       func() error { return a.Disable(ctx, by, added, true) },
		"new password": func() error { return choose("门口的槐树今年开得早了三天") },
		"a new second factor": func() error {
			return a.db.Write(ctx, func(tx *db.Tx) error {
				_, err := tx.ExecContext(ctx, "UPDATE account SET seed = $1 WHERE id = $2", []byte("another"), added.ID)
				return err
			})
		},
	} {
		if err := errors.Join(a.Disable(ctx, by, added, false), choose("the tram to Xigu leaves late")); err != nil {
			t.Fatal(err)
		}
		checked, err := a.Account(ctx, added.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if _, err := a.enter(ctx, checked, "password", false, Browser{}, nil, nil); !errors.Is(err, ErrWrong) {
			t.Errorf("%s: a session is opened: %v", what, err)
		}
		half := func(tx *db.Tx) error { return a.begin(ctx, tx, checked, AwaitsCode, false, Browser{}, "half") }
		if err := a.db.Write(ctx, half); !errors.Is(err, ErrWrong) {
			t.Errorf("%s: a session waits for a code: %v", what, err)
		}
		if all, err := a.Sessions(ctx, added.ID); err != nil || len(all) != 0 {
			t.Errorf("%s: %d sessions, %v", what, len(all), err)
		}
	}
	// One session that waits becomes one that is open.
	if err := a.Disable(ctx, by, added, false); err != nil {
		t.Fatal(err)
	}
	x, err := a.Account(ctx, added.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.db.Write(ctx, func(tx *db.Tx) error { return a.begin(ctx, tx, x, AwaitsCode, false, Browser{}, "half") }); err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{nil, ErrSignedOut} {
		if err := a.db.Write(context.Background(), func(tx *db.Tx) error { return useSession(ctx, tx, "half") }); !errors.Is(err, want) {
			t.Errorf("use %d of a session that waits: %v, want %v", i, err, want)
		}
	}
}
