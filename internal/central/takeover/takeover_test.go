package takeover_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/central/db"
	"haochaping/internal/central/takeover"
	"haochaping/internal/proof/inspect"
)

// TestOldBooksStandAsTheyStood takes over books that the last version of the first kind wrote: logs that were forked, salvaged and
// quarantined, with gaps and clocks that were not set, a part of the batches without a signature, and ratings by phone. Each evaluation
// stands as it stood, but for those that newer rules have decided otherwise, and all of it verifies. The second time nothing changes.
func TestOldBooksStandAsTheyStood(t *testing.T) {
	files, err := filepath.Glob("testdata/*.db.gz")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".db.gz"), func(t *testing.T) {
			old := unpack(t, file)
			c, err := inspect.Open(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}()
			want := decidedAnew(t, filepath.Base(file), standings(t, old))
			interrupted(t, old, c)
			for range 2 {
				r, err := takeover.Run(t.Context(), old, c.Journal, c.Fleet, func(int64, int64) {})
				if err != nil || len(r.Broken) > 0 {
					t.Fatalf("%+v, %v", r, err)
				}
				entries, err := c.Entries(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, e := range entries {
					epoch := ""
					if e.Epoch != 0 {
						epoch = e.Epoch.String()
					}
					got = append(got, fmt.Sprintf("%s %s %d %s %s %s %d %s %s", e.Device, epoch, e.Seq, e.Visit, e.Subject, e.Case, e.Level, e.Channel,
						e.Status))
				}
				slices.Sort(got)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("(-old +new):\n%s", diff)
				}
			}
			if problems, err := c.Verify(t.Context()); err != nil || len(problems) > 0 {
				t.Errorf("it does not verify: %q, %v", problems, err)
			}
		})
	}
}

// decidedAnew returns how evaluations stand by today's rules. The old ones looked at the cases that a visit's own record called completed;
// by article 14 a matter is completed or rated over its whole life, and the answer to a batch holds for all that was filed with it.
func decidedAnew(t *testing.T, file string, old []string) []string {
	t.Helper()
	if file != "books-decide-as-the-history-does.db.gz" {
		return old
	}
	for from, to := range map[string]string{
		// an earlier answer holds for its cases, whatever was known of them then
		"box-1 00000000000003e9 4 0000000000000067 matter  1 keypad counted": "later",
		"box-2  0 000000000000025a matter  2 phone counted":                  "later",   // the same
		"box-1 00000000000003f0 2 0000000000000325 matter  3 keypad later":   "unasked", // it counts if the rest of its cases are completed
		"box-2 00000000000003ea 5 00000000000000ca matter  3 keypad later":   "unasked", // the same
	} {
		i := slices.Index(old, from)
		if i < 0 {
			t.Fatalf("%q is not in the old books", from)
		}
		old[i] = from[:strings.LastIndex(from, " ")+1] + to
	}
	slices.Sort(old)
	return old
}

// interrupted ends a run when it first tells of its progress, which is before it reads the books, and another at the last: what it has left
// does not disturb the next.
func interrupted(t *testing.T, old string, c *inspect.Centre) {
	t.Helper()
	for _, last := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		told := 0
		_, err := takeover.Run(ctx, old, c.Journal, c.Fleet, func(done, all int64) {
			if told++; !last || done == all && told > 1 {
				cancel()
			}
		})
		cancel()
		if !last && !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted: %v", err)
		}
		if head, err := c.Journal.Head(t.Context()); err != nil || !last && head > 0 {
			t.Fatalf("%d rows were entered before progress was told of: %v", head, err)
		}
		if left, err := filepath.Glob(old + ".plan*"); err != nil || len(left) > 0 {
			t.Fatalf("the plan was left: %q, %v", left, err)
		}
	}
}

// standings returns how the evaluations stand in the old books.
func standings(t *testing.T, path string) []string {
	t.Helper()
	d, err := db.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	all, err := db.Query(context.Background(), d, func(s db.Scanner) (string, error) {
		var device, epoch, visit, subject, project, channel, status string
		var seq, level int
		err := s.Scan(&device, &epoch, &seq, &visit, &subject, &project, &level, &channel, &status)
		return fmt.Sprintf("%s %s %d %s %s %s %d %s %s", device, epoch, seq, visit, subject, project, level, channel, status), err
	}, "SELECT device, epoch, seq, visit, subject, project, level, channel, status FROM evaluation")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func unpack(t *testing.T, path string) string {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	out := filepath.Join(t.TempDir(), "ledger.db")
	if err := errors.Join(err, os.WriteFile(out, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestOldBooksOfAnEarlierSchemaAreRefused says what to do.
func TestOldBooksOfAnEarlierSchemaAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	d, err := db.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := inspect.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := takeover.Run(t.Context(), path, c.Journal, c.Fleet, func(int64, int64) {}); err == nil ||
		!strings.Contains(err.Error(), "their schema is [0]") {
		t.Errorf("got %v", err)
	}
}
