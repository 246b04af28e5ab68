package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"haochaping/internal/central/journal"
	"haochaping/internal/keptfile"
)

// ErrChanged says that the centre shows another journal than the one that was copied: rows were changed or taken away, or two histories are
// told. What it has signed is kept in the folder, as evidence.
var ErrChanged = errors.New("the centre's journal is not the one that was copied")

// ErrOtherOrigin says that the centre's journal goes on under another name, as after a backup was restored. It goes on here once somebody
// has accepted that name.
var ErrOtherOrigin = errors.New("the centre's journal goes on under another name, as after a backup was restored")

const (
	maxPage = 64 << 20 // bytes of a page as it is sent
	maxHead = 1 << 16
	// patience is how long a page may take. A line may be slow; one that is dead ends sooner, by TCP.
	patience = 2 * time.Minute
)

// Follower copies one centre's journal into one of its own. It belongs to one goroutine.
type Follower struct {
	URL   string // where the centre's Handler is
	Token string
	// Verifier returns by which key heads of an origin are checked.
	Verifier func(origin string) (note.Verifier, error)
	Journal  *journal.Journal
	// Folder holds pages until all up to a head are there, and heads that were refused.
	Folder string
	Client *http.Client
	// AcceptOrigin is the name under which the journal may go on after a restore; empty: none.
	AcceptOrigin string
}

// Step copies the rows up to the next signed head, and returns the head; the one that is known if there is no other yet. A step that fails
// has entered nothing and is done again.
func (f *Follower) Step(ctx context.Context) (head journal.Checkpoint, more bool, err error) {
	known, err := f.Journal.LastCheckpoint(ctx)
	if err != nil && !errors.Is(err, journal.ErrNoEntry) {
		return known, false, err
	}
	next, err := f.head(ctx, fmt.Sprintf("head?after=%d", known.Size))
	if errors.Is(err, journal.ErrNoEntry) {
		return known, false, f.same(ctx, known)
	}
	if err == nil {
		err = f.goesOn(known, next)
	}
	if err != nil {
		return known, false, err
	}
	pages, err := f.fetch(ctx, known.Size, next.Size)
	if err != nil {
		return known, false, err
	}
	err = f.Journal.Extend(ctx, next, pages.read)
	switch {
	case errors.Is(err, journal.ErrSeal):
		err = errors.Join(fmt.Errorf("%w: %w", ErrChanged, err), f.keepRefused(next), pages.moveTo(f.refused(next)+".rows"))
	case errors.Is(err, journal.ErrBackup): // a page was whole when it came, and is not any more: it is fetched anew
		err = errors.Join(err, pages.remove())
	}
	if err != nil {
		return known, false, err
	}
	return next, true, pages.remove()
}

// head fetches a head and checks its signature.
func (f *Follower) head(ctx context.Context, path string) (journal.Checkpoint, error) {
	signed, err := f.get(ctx, path, maxHead)
	if err != nil {
		return journal.Checkpoint{}, err
	}
	plain, err := journal.ParseCheckpoint(signed)
	if err != nil {
		return plain, err
	}
	v, err := f.Verifier(plain.Origin)
	if err != nil {
		return plain, err
	}
	return journal.OpenCheckpoint(signed, v)
}

// goesOn reports why a head cannot follow on the one that is known.
func (f *Follower) goesOn(known, next journal.Checkpoint) error {
	switch {
	case known.Size > 0 && next.Origin != known.Origin && next.Origin != f.AcceptOrigin:
		return fmt.Errorf("%w: %s, it was %s", ErrOtherOrigin, next.Origin, known.Origin)
	case next.Size <= known.Size:
		return fmt.Errorf("the centre answers with a head of %d rows, where one of more than %d was asked for", next.Size, known.Size)
	}
	return nil
}

// same reports why the centre, which has no later head, does not show the one that is known.
func (f *Follower) same(ctx context.Context, known journal.Checkpoint) error {
	if known.Size == 0 {
		return nil
	}
	now, err := f.head(ctx, fmt.Sprintf("head?after=%d", known.Size-1))
	switch {
	case errors.Is(err, journal.ErrNoEntry):
		return fmt.Errorf("%w: it has fewer than the %d rows that it has signed, or goes on under another name", ErrChanged, known.Size)
	case err != nil:
		return err
	case now.Origin != known.Origin:
		return fmt.Errorf("%w: %s, it was %s", ErrOtherOrigin, now.Origin, known.Origin)
	case now.Size == known.Size && now.Root != known.Root:
		return errors.Join(fmt.Errorf("%w: it has signed two heads of %d rows", ErrChanged, known.Size), f.keepRefused(now))
	}
	return nil
}

// keepRefused writes a head that does not go on from what is here.
func (f *Follower) keepRefused(c journal.Checkpoint) error {
	if err := os.MkdirAll(f.Folder, 0o700); err != nil {
		return fmt.Errorf("keep a head that was refused: %w", err)
	}
	if err := keptfile.Replace(f.refused(c), c.Signed); err != nil {
		return fmt.Errorf("keep a head that was refused: %w", err)
	}
	return nil
}

func (f *Follower) refused(c journal.Checkpoint) string {
	return filepath.Join(f.Folder, fmt.Sprintf("refused-%012d-%x", c.Size, c.Root[:4]))
}

// fetch brings the pages of the rows after one, up to a last one.
func (f *Follower) fetch(ctx context.Context, after, last int64) (pages, error) {
	p := pages{filepath.Join(f.Folder, "pages")}
	if err := p.keepFrom(after); err != nil {
		return p, err
	}
	for at := after; at < last; {
		end, err := p.end(at)
		if err != nil {
			return p, err
		}
		if end > last { // of a head that was fetched before, and is not the next one any more
			return p, errors.Join(errors.New("a page goes beyond the head; it is fetched anew"), p.remove())
		}
		if end > at {
			at = end
			continue
		}
		b, err := f.get(ctx, fmt.Sprintf("rows?after=%d&to=%d", at, last), maxPage)
		if err == nil {
			err = p.add(at, last, b)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

func (f *Follower) get(ctx context.Context, path string, most int64) (b []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(f.URL, "/")+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+f.Token)
	res, err := f.Client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask the centre for %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, fmt.Errorf("ask the centre for %s: %w", path, journal.ErrNoEntry)
	case http.StatusUnauthorized:
		return nil, fmt.Errorf("ask the centre for %s: %w", path, ErrToken)
	default:
		return nil, fmt.Errorf("ask the centre for %s: it answers %s", path, res.Status)
	}
	if b, err = io.ReadAll(io.LimitReader(res.Body, most)); err != nil {
		return nil, fmt.Errorf("ask the centre for %s: %w", path, err)
	}
	return b, nil
}
