package powercut

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"haochaping/internal/rating"
)

// scene is how a disk begins.
type scene struct {
	name     string
	medium   []byte
	expected expected
	begin    string // what its writers begin with
	weight   int    // how often it is chosen, relative to the others
	cuts     int    // how many cuts in a row such a disk sees
	old      bool   // its log is of format 1
}

// scenes prepares the disks on which runs begin. Most of what is hard happens in the first moments of a run: creation,
// upgrade, compaction. So most scenes are such beginnings, and few cuts in a row follow on each.
func scenes(m *machine, empty []byte) ([]scene, error) {
	random := newRandom(1, 1)
	all := []scene{
		{name: "no folder", weight: 3, cuts: 4},
		{name: "empty folder", weight: 2, cuts: 4},
		{name: "small log of format 1", weight: 2, cuts: 4, old: true},
		{name: "large log of format 1", weight: 3, cuts: 4, old: true},
		{name: "log to compact", weight: 3, cuts: 5, begin: beginCompact},
		{name: "log to release", weight: 1, cuts: 4, begin: beginAcknowledge},
		{name: "log in use", weight: 2, cuts: 8},
	}
	for i := range all {
		s := &all[i]
		s.medium, s.expected = clone(empty), newExpected()
		if s.name == "no folder" {
			continue
		}
		if err := s.prepare(m, random); err != nil {
			return nil, fmt.Errorf("prepare the scene %q: %w", s.name, err)
		}
	}
	return all, nil
}

// prepare puts a log on the scene's disk. It is written elsewhere and copied, for a process must not map files of its own
// FUSE server.
func (s *scene) prepare(m *machine, random *rand.Rand) (err error) {
	dir, err := os.MkdirTemp(m.dir, "scene")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "log.db")
	b := bodies{run: 1 << 20, random: random} // greater than that of any writer
	switch s.name {
	case "small log of format 1":
		s.expected, err = writeFormat1(path, b.some(60), 20, epochOf(random))
	case "large log of format 1":
		s.expected, err = writeFormat1(path, b.some(2500), 1000, epochOf(random))
	case "log to compact":
		err = s.fill(path, append(append(b.stock(), b.stock()...), b.stock()...))
	case "log in use", "log to release":
		err = s.fill(path, b.some(300))
	}
	if err != nil {
		return err
	}
	if err := m.on(s.medium, random); err != nil {
		return err
	}
	target := logPath(m.mount)
	if err := os.Mkdir(filepath.Dir(target), 0o750); err != nil {
		return err
	}
	if content, err := os.ReadFile(path); err == nil {
		if err := os.WriteFile(target, content, 0o600); err != nil {
			return err
		}
	}
	s.medium, err = m.shutdown()
	return err
}

// fill writes a log of the present format.
func (s *scene) fill(path string, all []rating.Body) error {
	log, err := openLog(path)
	if err != nil {
		return err
	}
	if _, err := log.Append(all...); err != nil {
		return err
	}
	for i, b := range all {
		hash, err := hashBody(b)
		if err != nil {
			return err
		}
		s.expected.bodies[uint64(i)+1] = hash
	}
	s.expected.last, s.expected.epoch = uint64(len(all)), log.Epoch().String()
	return log.Close()
}

func epochOf(random *rand.Rand) rating.Epoch { return rating.Epoch(1 + random.Uint64N(1<<62)) }

func newRandom(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

func clone(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }

// seedOf derives a seed for one of several uses.
func seedOf(seed uint64, use ...uint64) uint64 {
	h := seed
	for _, u := range use {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], u)
		for _, c := range b {
			h = (h ^ uint64(c)) * 1099511628211
		}
	}
	return h
}
