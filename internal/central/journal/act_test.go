package journal_test

import (
	"context"
	"errors"
	"testing"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
)

// What a person did is a row, and what it changes is written with it or not at all.
func TestDo(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		j, d, _ := journaltest.Open(t, url)
		write := func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.ExecContext(ctx, "CREATE TABLE done (id BIGINT)")
			return err
		}
		a := journal.Act{Do: "directory.put", Object: "hall 1", Reason: "moved", Data: []byte(`{"name":"市民中心"}`)}
		refused := errors.New("refused")
		if _, err := j.Do(t.Context(), "li", "", a, func(ctx context.Context, tx *db.Tx,
			_ int64) error {
			return errors.Join(write(ctx, tx), refused)
		}); !errors.Is(err, refused) {
			t.Fatalf("an act whose change is refused: %v", err)
		}
		r, err := j.Do(t.Context(), "li", "once", a, func(ctx context.Context, tx *db.Tx, _ int64) error { return write(ctx, tx) })
		if err != nil || r.Pos != 1 || !r.Entered {
			t.Fatalf("an act: %+v, %v", r, err)
		}
		if again, err := j.Do(t.Context(), "li", "once", a, nil); err != nil || again.Entered || again.Pos != 1 {
			t.Errorf("the same act again: %+v, %v", again, err)
		}
		e, err := j.Entry(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Act(); err != nil || e.Source != "li" || got.Object != a.Object || got.Reason != a.Reason ||
			string(got.Data) != string(a.Data) {
			t.Errorf("row 1 says %+v by %s, %v", got, e.Source, err)
		}
		if err := d.Read(t.Context(), func(tx *db.Tx) error {
			_,
				err := tx.ExecContext(t.Context(), "SELECT id FROM done")
			return err
		}); err != nil {
			t.Errorf("what the act changed: %v", err)
		}
		if _, err := j.Do(t.Context(), "", "", a, nil); err == nil {
			t.Error("an act of nobody was entered")
		}
	})
}
