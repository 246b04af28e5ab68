package deadline

import (
	"context"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
)

// TestDefaultsSwitchedOnLater: what began before that is left as it was, also after a restart and in a backup; what begins later is not.
func TestDefaultsSwitchedOnLater(t *testing.T) {
	b := newBureau(t)
	err := b.journal.DB().Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "DELETE FROM silence_since") // they were never on
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	done := b.complete(t, "silent-before", "")
	b.complete(t, "late-before", "")
	b.answer(t, "late-before", done)
	time.Sleep(5 * time.Millisecond) // the clock goes on between the last case and the switch
	b.once(t, time.Now())
	last := b.complete(t, "silent", "")
	b.once(t, calendar(t).Default(last).At.Add(72*time.Hour))
	for project, want := range map[string]books.CaseState{
		"silent-before": books.CaseCompleted, "late-before": books.CaseRated, "silent": books.CaseDefault} {
		if got := b.state(t, project); got != want {
			t.Errorf("%s is %s, want %s", project, got, want)
		}
	}
	kept := 0
	if err := b.open(t).Export(context.Background(), func([]byte) error { kept++; return nil }); err != nil || kept != 1 {
		t.Errorf("a backup has %d rows, %v", kept, err)
	}
}
