package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"haochaping/internal/boltfile"
	"haochaping/internal/rating"
)

// asideSuffix is what a file that was set aside is called, with a number after it.
const asideSuffix = ".damaged-"

// asideNote is the prefix of the notes that say which files Salvage has to read.
const asideNote = "aside:"

// aside is the note about a file that was set aside.
type aside struct {
	Reason   string       `json:"reason"`
	Epoch    rating.Epoch `json:"epoch,omitzero"`     // zero if it could not be read
	Released uint64       `json:"released,omitempty"` // as far as it was known
	Last     uint64       `json:"last,omitempty"`     // likewise
	Told     bool         `json:"told,omitempty"`     // the log tells of the damage
	// What Salvage has taken over is safe when the centre has it: through this seq of this epoch. Until then the file may be
	// needed once more, since the log that took it over can be damaged too.
	In      rating.Epoch `json:"in,omitzero"`
	Through uint64       `json:"through,omitempty"`
	Foreign bool         `json:"foreign,omitempty"` // it is another box's, and stays as it is: the name may be what is wrong
}

// fail replaces a file that a reader has found damaged, unless somebody else has. Other errors are not its business.
func (s *Store) fail(err error, epoch rating.Epoch) {
	if !errors.Is(err, ErrDamaged) {
		return
	}
	s.write.Lock()
	defer s.write.Unlock()
	if s.now().epoch == epoch {
		s.replace(err)
	}
}

// replace sets the damaged file aside and makes a new one. The caller holds write. Whether it succeeded is for ready to
// tell.
func (s *Store) replace(reason error) {
	s.swap.Lock()
	defer s.swap.Unlock()
	if errors.Is(reason, errPanic) {
		s.abandon()
	} else if err := s.shut(); err != nil {
		s.opt.Logger.Warn("the damaged store was not closed as it should", "error", err)
	}
	s.doubt = false
	err := s.setAside(reason)
	if err == nil {
		err = s.openFile()
	}
	if s.trouble = err; err != nil {
		s.opt.Logger.Error("the damaged store cannot be replaced; it is tried again", "path", s.path, "error", err)
	}
}

// setAside gives the file another name and remembers that it has to be salvaged; the file that is made next keeps that
// memory. The caller holds write and swap.
func (s *Store) setAside(reason error) error {
	var to string
	for n := s.lastAside() + 1; ; n++ {
		to = s.path + asideSuffix + strconv.Itoa(n)
		if _, err := os.Lstat(to); err != nil {
			break
		}
	}
	w := readWreck(s.path, s.opt.Device)
	if err := os.Rename(s.path, to); err != nil {
		return fmt.Errorf("set it aside (%w): %w", reason, err)
	}
	note := aside{Reason: clip(reason.Error()), Epoch: w.epoch, Released: w.released}
	s.set(func(k *state) {
		if k.epoch == 0 { // nothing is known but what the file says
			k.boot, k.notes = w.boot, w.notes
		} else {
			note.Epoch, note.Released, note.Last = k.epoch, k.released, k.last
		}
		notes := make(map[string][]byte)
		for name, v := range k.notes {
			notes[name] = v
		}
		if b, err := json.Marshal(note); err == nil {
			notes[asideNote+filepath.Base(to)] = b
		}
		*k = state{boot: k.boot, notes: notes}
	})
	s.opt.Logger.Error("the store was damaged and has been set aside; a new one takes over, and what can be read of the old one is salvaged",
		"reason", reason, "file", to)
	signal(s.damaged)
	if err := syncFolder(to); err != nil { // it has its new name all the same
		return fmt.Errorf("sync the folder: %w", err)
	}
	return nil
}

// lastAside returns the highest number of a file that was set aside, 0 if there is none.
func (s *Store) lastAside() (last int) {
	files, _ := Aside(s.path) // without them the first number will do
	for _, f := range files {
		number := strings.TrimSuffix(strings.TrimPrefix(f, s.path+asideSuffix), suffixRead)
		if n, err := strconv.Atoi(number); err == nil {
			last = max(last, n)
		}
	}
	return last
}

// clip cuts a text to what an event may hold.
func clip(text string) string {
	r := []rune(strings.ToValidUTF8(text, "?"))
	for i, c := range r {
		if unicode.IsControl(c) {
			r[i] = ' '
		}
	}
	return string(r[:min(len(r), 300)])
}

// wreck is what the small values of a damaged file say.
type wreck struct {
	device   rating.DeviceID // empty if it cannot be read
	epoch    rating.Epoch    // 0 if it cannot be read
	released uint64
	boot     bootMark
	notes    map[string][]byte
}

// wreckBytes bounds how much is read to find the small values of a file whose tree is broken, since the window waits.
const wreckBytes = 16 << 20

// readWreck reads the small values of a damaged file, from its tree if that stands, else from whatever pages hold them.
// The file of another box yields nothing.
func readWreck(path string, own rating.DeviceID) wreck {
	none := wreck{notes: make(map[string][]byte)}
	f, err := os.Open(path)
	if err != nil {
		return none
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return none
	}
	w := none
	if image, err := boltfile.Open(f, info.Size()); err == nil {
		w = wreckFromTree(image)
	}
	if w.epoch == 0 || w.device == "" {
		w = wreckFromPages(f, min(info.Size(), wreckBytes))
	}
	if w.device != own {
		none.device = w.device
		return none
	}
	return w
}

func wreckFromTree(image *boltfile.File) wreck {
	w := wreck{notes: make(map[string][]byte)}
	root := image.RootBucket()
	_ = root.Walk(nil, func(e boltfile.Element) error { w.take(e); return nil })
	if meta, err := root.Bucket(metaBucket); err == nil {
		_ = meta.Walk(nil, func(e boltfile.Element) error { w.take(e); return nil })
	}
	return w
}

func wreckFromPages(r io.ReaderAt, size int64) wreck {
	w := wreck{notes: make(map[string][]byte)}
	_, _ = boltfile.Scan(r, size, pageSize, func(_ uint64, e boltfile.Element) error { w.take(e); return nil })
	return w
}

// take notes an element if it is one of the small values and its checksum holds. Of several versions the later counts.
func (w *wreck) take(e boltfile.Element) {
	value, err := unseal(e.Key, e.Value)
	if e.Bucket || err != nil {
		return
	}
	switch key := string(e.Key); {
	case key == keyDevice:
		w.device = rating.DeviceID(value)
	case key == keyEpoch:
		w.epoch, _ = rating.ParseEpoch(string(value))
	case key == string(keyReleased) && len(value) == 8:
		w.released = max(w.released, binary.BigEndian.Uint64(value))
	case key == keyBoot:
		var m bootMark
		if json.Unmarshal(value, &m) == nil && m.Count > w.boot.Count {
			w.boot = m
		}
	case strings.HasPrefix(key, notePrefix):
		w.notes[key[len(notePrefix):]] = append([]byte{}, value...)
	}
}
