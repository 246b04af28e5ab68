package journal

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"

	"haochaping/internal/central/db"
)

// A backup is a zstd stream of sections: a letter, a length in seven-bit groups, and as many bytes. It begins with a BackupHead and ends
// with the SHA-256 of everything before, so that half a backup is known as one. It does not depend on the database's engine.
const (
	sectionHead   = 'H' // BackupHead
	sectionEntry  = 'E' // the row but its parts as JSON after its length, then the parts
	sectionSigned = 'C' // a signed head
	sectionSecret = 'S' // the wrapped key of a text
	sectionOther  = 'O' // what another room keeps beside the journal, after the room's name and a line break
	sectionEnd    = 'Z' // SHA-256
	maxSection    = maxBody + 1<<20
	backupFormat  = 1
)

// ErrBackup says that a file is no whole backup.
var ErrBackup = errors.New("the file is no whole backup")

// BackupHead says what a backup holds.
type BackupHead struct {
	Format int    `json:"format"`
	At     int64  `json:"at"` // when it was begun, milliseconds since 1970-01-01 UTC
	Origin string `json:"origin"`
	Rows   int64  `json:"rows"`
}

// Room is another room's part of a backup.
type Room interface {
	// Room returns its name, which has no line break.
	Room() string
	Export(ctx context.Context, put func([]byte) error) error
	Import(ctx context.Context, section []byte) error
}

// Export writes what the rooms keep, and the journal as it is once that was read, while it grows. The keys of texts that are erased
// meanwhile are not in it. Progress is told now and then.
func (j *Journal) Export(ctx context.Context, w io.Writer, rooms []Room, progress func(done, all int64)) (BackupHead, error) {
	h := BackupHead{Format: backupFormat, At: j.Now()}
	var err error
	if h.Origin, err = j.Origin(ctx); err != nil {
		return h, err
	}
	beside, rows, err := j.beside(ctx, rooms)
	if err != nil {
		return h, fmt.Errorf("back up what is kept beside the journal: %w", err)
	}
	h.Rows = rows
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return h, err
	}
	out := &sections{w: z, sum: sha256.New()}
	if err := errors.Join(j.export(ctx, out, h, beside, progress), z.Close()); err != nil {
		return h, fmt.Errorf("back up the journal: %w", err)
	}
	return h, nil
}

// beside returns the rooms' parts as sections, compressed, and the journal's head after they were read: what a room keeps of a row must not
// be in a backup without the row. Rooms that were changed while they were read are read anew a few times, so that they lack no row either.
func (j *Journal) beside(ctx context.Context, rooms []Room) (parts []byte, rows int64, err error) {
	const most = 10
	before, err := j.Head(ctx)
	if err != nil {
		return nil, 0, err
	}
	for range most {
		if parts, err = readRooms(ctx, rooms); err != nil {
			return nil, 0, err
		}
		if rows, err = j.Head(ctx); err != nil {
			return nil, 0, err
		}
		changes, err := db.Query(ctx, j.cfg.DB, scanInt, "SELECT count(*) FROM entry WHERE pos > $1 AND pos <= $2 AND kind IN ('device', 'act')",
			before, rows) // no other kind changes what a room keeps
		if err != nil {
			return nil, 0, err
		}
		if changes[0] == 0 {
			break
		}
		before = rows
	}
	return parts, rows, nil
}

// readRooms returns the rooms' parts as sections, compressed.
func readRooms(ctx context.Context, rooms []Room) ([]byte, error) {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	out := &sections{w: z, sum: sha256.New()}
	for _, room := range rooms {
		name := room.Room() + "\n"
		if err := room.Export(ctx, func(b []byte) error { return out.put(sectionOther, append([]byte(name), b...)) }); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", room.Room(), err), z.Close())
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (j *Journal) export(ctx context.Context, out *sections, h BackupHead, beside []byte, progress func(done, all int64)) error {
	if err := out.putJSON(sectionHead, h); err != nil {
		return err
	}
	for after := int64(0); after < h.Rows; {
		some, err := j.Read(ctx, after, 500)
		if err != nil {
			return err
		}
		for _, e := range some {
			if e.Pos > h.Rows {
				break
			}
			if err := out.putEntry(e); err != nil {
				return err
			}
		}
		after += int64(len(some))
		progress(min(after, h.Rows), h.Rows)
	}
	signed, err := db.Query(ctx, j.cfg.DB, scanText, "SELECT signed FROM checkpoint WHERE size <= $1 ORDER BY size", h.Rows)
	if err != nil {
		return err
	}
	for _, s := range signed {
		if err := out.put(sectionSigned, []byte(s)); err != nil {
			return err
		}
	}
	if err := j.exportSecrets(ctx, out, h.Rows); err != nil {
		return err
	}
	z, err := zstd.NewReader(bytes.NewReader(beside), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer z.Close()
	if _, err := z.WriteTo(io.MultiWriter(out.w, out.sum)); err != nil {
		return err
	}
	return out.put(sectionEnd, out.sum.Sum(nil))
}

// secret is a row of the table secret.
type secret struct {
	Pos  int64  `json:"pos"`
	Part int64  `json:"part"`
	Key  []byte `json:"key"`
}

func (j *Journal) exportSecrets(ctx context.Context, out *sections, rows int64) error {
	const step = 1000
	last := secret{Part: -1}
	for {
		some, err := db.Query(ctx, j.cfg.DB, func(s db.Scanner) (x secret, err error) { return x, s.Scan(&x.Pos, &x.Part, &x.Key) },
			"SELECT pos, part, key FROM secret WHERE (pos > $1 OR pos = $1 AND part > $2) AND pos <= $3 ORDER BY pos, part LIMIT $4", last.Pos,
			last.Part, rows, step)
		if err != nil {
			return err
		}
		for _, x := range some {
			if err := out.putJSON(sectionSecret, x); err != nil {
				return err
			}
			last = x
		}
		if len(some) < step {
			return nil
		}
	}
}

// sections writes sections and their sum.
type sections struct {
	w   io.Writer
	sum hash.Hash
}

func (s *sections) put(kind byte, b []byte) error {
	head := binary.AppendUvarint([]byte{kind}, uint64(len(b)))
	for _, x := range [][]byte{head, b} {
		if _, err := s.w.Write(x); err != nil {
			return err
		}
		if _, err := s.sum.Write(x); err != nil {
			return err
		}
	}
	return nil
}

func (s *sections) putJSON(kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.put(kind, b)
}

func (s *sections) putEntry(e Entry) error {
	parts := frame(e.Parts)
	e.Parts = nil
	meta, err := json.Marshal(e)
	if err != nil {
		return err
	}
	b := binary.AppendUvarint(nil, uint64(len(meta)))
	return s.put(sectionEntry, append(append(b, meta...), parts...))
}

// readSections calls take with each section of a backup, and returns ErrBackup unless the backup is whole and all of the file. Where the
// file cannot be read it returns that error.
func readSections(r io.Reader, take func(kind byte, b []byte) error) error {
	from := &source{r: r}
	// bad says that the file is no backup, unless it could not be read.
	bad := func(err error) error {
		if from.err != nil {
			return fmt.Errorf("read the backup: %w", from.err)
		}
		return fmt.Errorf("%w: %w", ErrBackup, err)
	}
	z, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return bad(err)
	}
	defer z.Close()
	in, sum := bufio.NewReader(z), sha256.New()
	for {
		kind, b, err := readSection(in)
		if err != nil {
			return bad(err)
		}
		if kind == sectionEnd {
			if string(b) != string(sum.Sum(nil)) {
				return bad(errors.New("it was changed"))
			}
			if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
				return bad(errors.New("something follows after its end"))
			}
			return nil
		}
		head := binary.AppendUvarint([]byte{kind}, uint64(len(b)))
		_, _ = sum.Write(head) // a hash never fails
		_, _ = sum.Write(b)
		if err := take(kind, b); err != nil {
			return err
		}
	}
}

// source remembers why it could not be read.
type source struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (s *source) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func readSection(in *bufio.Reader) (kind byte, b []byte, err error) {
	if kind, err = in.ReadByte(); err != nil {
		return 0, nil, io.ErrUnexpectedEOF
	}
	n, err := binary.ReadUvarint(in)
	if err != nil || n > maxSection {
		return 0, nil, io.ErrUnexpectedEOF
	}
	b = make([]byte, n)
	if _, err = io.ReadFull(in, b); err != nil {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return kind, b, nil
}

// readEntrySection reads a section that putEntry wrote.
func readEntrySection(b []byte) (e Entry, err error) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return e, fmt.Errorf("%w: a row is damaged", ErrBackup)
	}
	if err := json.Unmarshal(b[w:w+int(n)], &e); err != nil {
		return e, fmt.Errorf("%w: a row is damaged: %w", ErrBackup, err)
	}
	e.Parts, err = unframe(b[w+int(n):])
	return e, err
}
