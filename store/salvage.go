package store

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"haochaping/internal/boltfile"
	"haochaping/internal/rating"
)

// Bounds of what Salvage appends at once, so that a press never waits long behind it.
const (
	salvageRecords = 100
	salvageBytes   = 256 << 10
)

// maxSalvaged is the size of the largest record that another can hold.
const maxSalvaged = 64 << 10

// Salvage reads the files that were set aside and appends what it finds in them as salvaged records, but for what the
// centre is known to have; an event before says what was damaged, one after it what was found. The last few files stay, under
// a name that says that they were read. A file
// that it could not finish is begun anew when it is called again, which repeats records; the books know them by their own
// numbers. It is to be called now and then, for a file is let go only when the centre has what was in it.
// Now stamps what is appended.
func (s *Store) Salvage(ctx context.Context, now func() rating.Stamp) error {
	s.upkeep.Lock()
	defer s.upkeep.Unlock()
	files, err := unread(s.path)
	if err != nil {
		return err
	}
	for _, file := range files {
		w := salvage{s: s, ctx: ctx, now: now, file: file, met: make(map[place]met)}
		note, known := s.now().notes[asideNote+filepath.Base(file)]
		if !known { // the disk was too full to remember more than the file itself
			w.note.Reason = "it was found beside the log, set aside before this start"
		} else if err := json.Unmarshal(note, &w.note); err != nil {
			return fmt.Errorf("salvage %s: its note: %w", file, err)
		}
		if err := w.work(); err != nil {
			return fmt.Errorf("salvage %s: %w", file, err)
		}
	}
	return s.forget()
}

// keptRead is how many files that were read through stay. More would fill the disk of a box whose card is dying, and keep
// its keys out of service.
const keptRead = 3

// forget removes the oldest of the files that were read through.
func (s *Store) forget() error {
	all, err := Aside(s.path)
	if err != nil {
		return err
	}
	type numbered struct {
		n    int
		path string
	}
	var read []numbered
	for _, path := range all {
		number, isRead := strings.CutSuffix(strings.TrimPrefix(path, s.path+asideSuffix), suffixRead)
		if n, err := strconv.Atoi(number); isRead && err == nil {
			read = append(read, numbered{n, path})
		}
	}
	slices.SortFunc(read, func(a, b numbered) int { return a.n - b.n })
	for _, f := range read[:max(0, len(read)-keptRead)] {
		if err := os.Remove(f.path); err != nil {
			return fmt.Errorf("remove an old damaged file: %w", err)
		}
		s.opt.Logger.Info("removed a damaged store that was read through", "file", f.path)
	}
	return nil
}

// suffixRead is added to the name of a file that was set aside when Salvage has read it to its end.
const suffixRead = ".read"

// unread lists the files beside the log that were set aside and wait for Salvage.
func unread(path string) (files []string, err error) {
	all, err := Aside(path)
	for _, file := range all {
		if !strings.HasSuffix(file, suffixRead) {
			files = append(files, file)
		}
	}
	return files, err
}

// place is where a record stands in the books.
type place struct {
	epoch rating.Epoch
	seq   uint64
}

// met is a record that was found.
type met struct {
	hash [8]byte // of its bytes
	live bool    // found where the file's tree leads
}

// salvage is the work on one file.
type salvage struct {
	s    *Store
	ctx  context.Context
	now  func() rating.Stamp
	file string
	note aside

	met         map[place]met
	found       int
	first, last uint64 // of the seqs that were found under the file's own epoch
	batch       []rating.Body
	size        int
}

// work takes the file over, if this log has not, and lets it go once the centre has what was in it.
func (w *salvage) work() error {
	k := w.s.now()
	switch {
	case w.note.In == 0 || w.note.In != k.epoch:
		return w.run()
	case w.note.Foreign || k.released < w.note.Through:
		return nil
	}
	if err := rename(w.file, w.file+suffixRead); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return w.s.SetNote(asideNote+filepath.Base(w.file), nil)
}

func (w *salvage) run() error {
	name := filepath.Base(w.file)
	if !w.note.Told {
		if err := w.event(rating.EventDamage, "file", name, "reason", w.note.Reason); err != nil {
			return err
		}
		w.note.Told = true
		if err := w.keep(); err != nil {
			return err
		}
	}
	problem := ""
	unreadable, err := w.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		problem = "the file is not there any more"
	case errors.Is(err, errForeign):
		problem = clip(err.Error())
		w.note.Foreign = true
	case err != nil:
		return err
	}
	first, last := w.first, max(w.last, w.note.Last)
	if w.note.Epoch != 0 {
		first = w.note.Released + 1
	}
	pairs := []string{"file", name, "found", strconv.Itoa(w.found)}
	if first > 0 && last >= first {
		pairs = append(pairs, "first", strconv.FormatUint(first, 10), "last", strconv.FormatUint(last, 10))
	}
	if unreadable > 0 {
		pairs = append(pairs, "unreadable_pages", strconv.Itoa(unreadable))
	}
	if problem != "" {
		pairs = append(pairs, "problem", problem)
	}
	if err := w.event(rating.EventSalvage, pairs...); err != nil {
		return err
	}
	w.s.opt.Logger.Info("a damaged store has been read through", "file", w.file, "found", w.found, "unreadable_pages", unreadable, "problem",
		problem)
	k := w.s.now()
	w.note.In, w.note.Through = k.epoch, k.last
	return w.keep()
}

func (w *salvage) event(name string, pairs ...string) error {
	if w.note.Epoch != 0 {
		pairs = append(pairs, "epoch", w.note.Epoch.String())
	}
	_, err := w.s.Append(rating.EventBody(w.now(), name, pairs...))
	return err
}

func (w *salvage) keep() error {
	b, err := json.Marshal(w.note)
	if err != nil {
		return err
	}
	return w.s.SetNote(asideNote+filepath.Base(w.file), b)
}

var errForeign = errors.New("it is the log of another box; put the card into that box, or send the file to the centre by hand")

// read takes over what the file holds: first along its tree, in order, as far as that leads; then from every page, which
// finds what the tree has lost and, rarely, what was never committed. Two records of one number are both taken over: which
// is right is for the books to say, and not for a box to choose unseen.
func (w *salvage) read() (unreadable int, err error) {
	f, err := os.Open(w.file)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	var live *boltfile.File
	small := wreck{}
	if image, err := boltfile.Open(f, info.Size()); err == nil {
		live, small = image, wreckFromTree(image)
	}
	if small.device == "" || small.epoch == 0 {
		small = wreckFromPages(f, info.Size())
	}
	if small.device != "" && small.device != w.s.opt.Device {
		return 0, errForeign
	}
	if w.note.Epoch == 0 {
		w.note.Epoch, w.note.Released = small.epoch, small.released
	}
	if live != nil {
		root := live.RootBucket()
		take := func(e boltfile.Element) error { return w.take(e, true) }
		if records, err := root.Bucket(recordsBucket); err == nil {
			if err := records.Walk(nil, take); err != nil && !errors.Is(err, boltfile.ErrDamaged) && w.stopped(err) {
				return 0, err
			}
		}
		if err := root.Walk(nil, take); err != nil && !errors.Is(err, boltfile.ErrDamaged) && w.stopped(err) {
			return 0, err
		}
	}
	unreadable, err = boltfile.Scan(f, info.Size(), pageSize, func(_ uint64, e boltfile.Element) error { return w.take(e, false) })
	if err != nil {
		return unreadable, err
	}
	return unreadable, w.flush()
}

// errStore marks an error of the log that Salvage writes to, as opposed to the file that it reads.
var errStore = errors.New("cannot be taken over")

// stopped reports whether an error is a reason to stop: not what the damaged file does, but the log or the caller.
func (w *salvage) stopped(err error) bool { return errors.Is(err, errStore) || w.ctx.Err() != nil }

// take takes a record over if that is what the element is.
func (w *salvage) take(e boltfile.Element, live bool) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if e.Bucket || !isSeq(e.Key) {
		return nil
	}
	raw, err := unseal(e.Key, e.Value)
	if err != nil {
		raw = e.Value // a file of format 1 has no checksums; one of format 2 does not decode with its broken one
	}
	r, err := rating.DecodeRecord(raw)
	if err != nil || r.Device != w.s.opt.Device || r.Seq != binary.BigEndian.Uint64(e.Key) {
		return nil
	}
	if r.Epoch == w.note.Epoch && r.Seq <= w.note.Released {
		return nil
	}
	for len(raw) > maxSalvaged && r.Kind == rating.KindSalvaged { // what it holds is what matters
		raw = r.Salvaged.Record
		if r, err = rating.DecodeRecord(raw); err != nil {
			return nil
		}
	}
	hash := rating.HashOf(raw)
	m := met{hash: [8]byte(hash[:8]), live: live}
	at := place{r.Epoch, r.Seq}
	if old, ok := w.met[at]; ok && (old.live || old.hash == m.hash) || len(raw) > maxSalvaged {
		return nil
	}
	w.met[at] = m
	if w.note.Epoch == 0 {
		w.note.Epoch = r.Epoch
	}
	if r.Epoch == w.note.Epoch {
		if w.first == 0 || r.Seq < w.first {
			w.first = r.Seq
		}
		w.last = max(w.last, r.Seq)
	}
	w.found++
	w.batch = append(w.batch, rating.SalvagedBody(w.now(), append([]byte(nil), raw...)))
	if w.size += len(raw); len(w.batch) < salvageRecords && w.size < salvageBytes {
		return nil
	}
	return w.flush()
}

func (w *salvage) flush() error {
	if len(w.batch) == 0 {
		return nil
	}
	if _, err := w.s.Append(w.batch...); err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	w.batch, w.size = nil, 0
	return nil
}
