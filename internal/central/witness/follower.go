package witness

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
	"golang.org/x/mod/sumdb/tlog"

	"haochaping/internal/central/journal"
	"haochaping/internal/keptfile"
)

// ErrInconsistent says that the centre has shown a head that does not go on from the one that is known: rows under that one were changed,
// or taken away.
var ErrInconsistent = errors.New("the centre's journal does not go on from the head that is known")

// ErrOtherOrigin says that the centre's journal has another name than the head that is known, as after a backup was restored.
var ErrOtherOrigin = errors.New("the centre's journal goes on under another name, as after a backup was restored")

// Follower follows one centre. It belongs to one goroutine.
type Follower struct {
	// URL is where the centre's Handler is.
	URL string
	// Key is the centre's public key for heads, in the note format's form without its name: it is the same under each origin.
	Verifier func(origin string) (note.Verifier, error)
	// Signer countersigns the heads that are accepted.
	Signer note.Signer
	// Folder holds the heads: the latest, and each that was accepted.
	Folder string
	Client *http.Client
	// AcceptOrigin is the name under which the journal may go on after a restore, as somebody has asked its operator; empty: none. A later
	// restore has another name. What was lost is Accepted.Lost.
	AcceptOrigin string
}

// Accepted is a head that was accepted.
type Accepted struct {
	journal.Checkpoint
	Before journal.Checkpoint // zero for the first
	Lost   int64              // rows under the head before that the journal no longer has, after a restore; or SomeLost
	// Unaware says that the centre did not know of the head before when it was restored, so that it does not name all that was lost.
	Unaware bool
}

// SomeLost says that rows were lost with a restore, and not how many.
const SomeLost = -1

const latest = "latest"

// Step fetches the centre's head, compares it with the one that is known, and keeps it. A head that is known already is accepted and not
// kept again.
func (f *Follower) Step(ctx context.Context) (Accepted, error) {
	signed, err := f.get(ctx, "checkpoint", 1<<16)
	if err != nil {
		return Accepted{}, err
	}
	plain, err := journal.ParseCheckpoint(signed)
	if err != nil {
		return Accepted{}, err
	}
	v, err := f.Verifier(plain.Origin)
	if err != nil {
		return Accepted{}, err
	}
	now, err := journal.OpenCheckpoint(signed, v)
	if err != nil {
		return Accepted{}, err
	}
	before, err := f.Known()
	if err != nil {
		return Accepted{}, err
	}
	a := Accepted{Checkpoint: now, Before: before}
	switch {
	case before.Size == 0:
	case before.Origin != now.Origin:
		a, err = f.restored(ctx, before, now)
	default:
		err = f.consistent(ctx, before, now)
	}
	if err != nil {
		return a, err
	}
	if before.Origin == a.Origin && before.Size == a.Size {
		return a, nil
	}
	return a, f.keep(a.Checkpoint, v)
}

// consistent reports why a head does not go on from one that was accepted before.
func (f *Follower) consistent(ctx context.Context, before, now journal.Checkpoint) error {
	if now.Size < before.Size {
		return fmt.Errorf("%w: it has %d rows, and had %d", ErrInconsistent, now.Size, before.Size)
	}
	reader := tlog.TileHashReader(tlog.Tree{N: now.Size, Hash: now.Root}, &tileReader{f: f, ctx: ctx})
	root, err := tlog.TreeHash(before.Size, reader)
	if err != nil {
		return fmt.Errorf("read the centre's tree: %w", err)
	}
	if root != before.Root {
		return fmt.Errorf("%w: its first %d rows are not those of %d rows that it signed earlier", ErrInconsistent, before.Size, before.Size)
	}
	return nil
}

// Known returns the latest head that was accepted, the zero one if none was.
func (f *Follower) Known() (journal.Checkpoint, error) {
	b, err := os.ReadFile(filepath.Join(f.Folder, latest))
	if errors.Is(err, os.ErrNotExist) {
		return journal.Checkpoint{}, nil
	}
	if err != nil {
		return journal.Checkpoint{}, fmt.Errorf("read the head that is known: %w", err)
	}
	return journal.ParseCheckpoint(b)
}

// keep countersigns a head and writes it as the latest and under its own name.
func (f *Follower) keep(c journal.Checkpoint, v note.Verifier) error {
	signed, err := c.Countersign(f.Signer, note.VerifierList(v))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.Folder, 0o700); err != nil {
		return fmt.Errorf("keep a head: %w", err)
	}
	name := fmt.Sprintf("%s%012d", prefix(c.Origin), c.Size)
	for _, path := range []string{name, latest} {
		if err := keptfile.Replace(filepath.Join(f.Folder, path), signed.Signed); err != nil {
			return fmt.Errorf("keep a head: %w", err)
		}
	}
	return nil
}

func (f *Follower) get(ctx context.Context, path string, most int64) (b []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(f.URL, "/")+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := f.Client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask the centre for %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode == http.StatusNotFound {
		return nil, fmt.Errorf("ask the centre for %s: nothing is at %s; the address must end in /seal, and a new centre signs its first head "+
			"within a minute",
			path, r.URL)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask the centre for %s: it answers %s", path, res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, most))
}

// tileReader fetches tiles. It implements tlog.TileReader.
type tileReader struct {
	f   *Follower
	ctx context.Context
}

// Height implements tlog.TileReader.
func (t *tileReader) Height() int { return height }

// ReadTiles implements tlog.TileReader.
func (t *tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, tile := range tiles {
		b, err := t.f.get(t.ctx, tile.Path(), tlog.HashSize<<height)
		if err != nil {
			return nil, err
		}
		out[i] = b
	}
	return out, nil
}

// SaveTiles implements tlog.TileReader. Nothing is saved: the latest tiles are few, and change.
func (t *tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

// prefix begins the names of the files of a journal's heads.
func prefix(origin string) string {
	return strings.NewReplacer("/", "_", ".", "_").Replace(origin) + "-"
}
