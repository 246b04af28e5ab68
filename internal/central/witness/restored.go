package witness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"haochaping/internal/central/journal"
)

// maxRestores bounds the bytes in which a centre says from what it goes on.
const maxRestores = 1 << 20

// restored reports why a head of another name does not go on from the one before, and what was lost if it does. That needs somebody's word,
// and a row under the centre's head that says from what it goes on; what that row says is left must be there.
func (f *Follower) restored(ctx context.Context, before, now journal.Checkpoint) (Accepted, error) {
	a := Accepted{Checkpoint: now, Before: before}
	if f.AcceptOrigin != now.Origin {
		return a, fmt.Errorf("%w: %s, it was %s; ask the centre why, and accept it by this name if the answer is a good one", ErrOtherOrigin,
			now.Origin, before.Origin)
	}
	head, acts, err := f.restores(ctx, now)
	if err != nil {
		return a, err
	}
	a.Checkpoint = head
	at := slices.IndexFunc(acts, func(r journal.Restored) bool {
		return r.Before == before.Origin || lastKnown(r).Origin == before.Origin
	})
	if at < 0 || acts[len(acts)-1].Origin != now.Origin {
		return a, fmt.Errorf("%w: no row of it says that it goes on from %s", ErrInconsistent, before.Origin)
	}
	act, left := acts[at], acts[at].Rows
	for i, next := range acts[at+1:] {
		if next.Before != acts[at+i].Origin && lastKnown(next).Origin != acts[at+i].Origin {
			return a, fmt.Errorf("%w: no row of it says that it goes on from %s", ErrInconsistent, acts[at+i].Origin)
		}
		left = min(left, next.Rows)
	}
	if act.Before == before.Origin && before.Size <= left {
		return a, f.consistent(ctx, before, head)
	}
	known, err := f.keptOf(act.Before, left)
	if err == nil && known.Size > 0 {
		err = f.consistent(ctx, known, head)
	}
	if a.Lost = before.Size - left; a.Lost <= 0 {
		a.Lost = SomeLost
	}
	a.Unaware = lastKnown(act).Origin != before.Origin || lastKnown(act).Size < before.Size
	return a, err
}

// restores returns what the centre's rows say from what it goes on, and the signed head under which they are, which is the given one or a
// later one.
func (f *Follower) restores(ctx context.Context, now journal.Checkpoint) (head journal.Checkpoint, acts []journal.Restored, err error) {
	text, err := f.get(ctx, "restores", maxRestores)
	if err != nil {
		return now, nil, err
	}
	var proofs []journal.Proof
	if err := json.Unmarshal(text, &proofs); err != nil {
		return now, nil, fmt.Errorf("read from what the centre goes on: %w", err)
	}
	v, err := f.Verifier(now.Origin)
	if err != nil {
		return now, nil, err
	}
	head = now
	for i, p := range proofs {
		c, err := p.Check(v)
		if err == nil && (i > 0 && (c.Size != head.Size || c.Root != head.Root) || p.Header.Kind != journal.Restore) {
			err = errors.New("it is not of one head, or of another kind")
		}
		if err != nil {
			return now, nil, fmt.Errorf("%w: the row by which it goes on is not proven: %w", ErrInconsistent, err)
		}
		head = c
		var act journal.Restored
		if err := json.Unmarshal(p.Content, &act); err != nil {
			return now, nil, fmt.Errorf("read from what the centre goes on: %w", err)
		}
		acts = append(acts, act)
	}
	if len(acts) == 0 {
		return now, nil, fmt.Errorf("%w: no row of it says from what it goes on", ErrInconsistent)
	}
	return head, acts, f.consistent(ctx, now, head)
}

// lastKnown returns the head that a restore names, the zero one if it names none.
func lastKnown(r journal.Restored) journal.Checkpoint {
	c, err := journal.ParseCheckpoint([]byte(r.LastKnown))
	if err != nil {
		return journal.Checkpoint{}
	}
	return c
}

// keptOf returns the greatest head of a journal, of at most so many rows, that was accepted; the zero one if none was.
func (f *Follower) keptOf(origin string, most int64) (last journal.Checkpoint, err error) {
	files, err := os.ReadDir(f.Folder)
	if err != nil {
		return last, fmt.Errorf("read the heads that are known: %w", err)
	}
	for _, file := range files {
		if !strings.HasPrefix(file.Name(), prefix(origin)) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(f.Folder, file.Name()))
		if err != nil {
			return last, fmt.Errorf("read the heads that are known: %w", err)
		}
		c, err := journal.ParseCheckpoint(b)
		if err != nil {
			return last, fmt.Errorf("read the head %s: %w", file.Name(), err)
		}
		if c.Origin == origin && c.Size <= most && c.Size > last.Size {
			last = c
		}
	}
	return last, nil
}
