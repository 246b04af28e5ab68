package journal

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"haochaping/internal/central/db"
)

// tileHeight is that of the tiles, as https://c2sp.org/tlog-tiles has it: 256 hashes.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// ErrSeal says that the tree of hashes is damaged, or was tampered with.
var ErrSeal = errors.New("the seal is damaged")

// tileID names a tile.
type tileID struct{ level, n int64 }

// tiles are read from the database as they are needed, and written together.
type tiles struct {
	ctx     context.Context
	q       db.Querier
	known   map[tileID][]byte
	changed map[tileID]bool
}

func newTiles(ctx context.Context, q db.Querier) *tiles {
	return &tiles{ctx: ctx, q: q, known: make(map[tileID][]byte), changed: make(map[tileID]bool)}
}

// tile returns a tile's hashes one after another, none for a tile that does not exist.
func (t *tiles) tile(id tileID) ([]byte, error) {
	if b, ok := t.known[id]; ok {
		return b, nil
	}
	b, err := t.read(id)
	if err != nil {
		return nil, err
	}
	if len(b)%tlog.HashSize != 0 || len(b) > tileWidth*tlog.HashSize {
		return nil, fmt.Errorf("tile %d/%d: %w: it has %d bytes", id.level, id.n, ErrSeal, len(b))
	}
	t.known[id] = b
	return b, nil
}

// read returns a tile as it is stored, nothing for one that does not exist.
func (t *tiles) read(id tileID) ([]byte, error) {
	all, err := db.Query(t.ctx, t.q, func(s db.Scanner) (b []byte, err error) { return b, s.Scan(&b) },
		"SELECT hashes FROM tile WHERE level = $1 AND n = $2", id.level, id.n)
	if err != nil {
		return nil, fmt.Errorf("read tile %d/%d: %w", id.level, id.n, err)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all[0], nil
}

// add puts a hash at a place of a level, and what follows from a full tile on the level above.
func (t *tiles) add(level, place int64, h tlog.Hash) error {
	id := tileID{level, place / tileWidth}
	b, err := t.tile(id)
	if err != nil {
		return err
	}
	// A tile may hold hashes of a head that was never signed, since the signing failed.
	at := int(place%tileWidth) * tlog.HashSize
	if len(b) < at {
		return fmt.Errorf("tile %d/%d: %w: it has %d hashes, want %d", id.level, id.n, ErrSeal, len(b)/tlog.HashSize, place%tileWidth)
	}
	if !t.changed[id] { // the database's bytes stay as they are
		b = append(make([]byte, 0, tileWidth*tlog.HashSize), b[:at]...)
		t.changed[id] = true
	}
	b = append(b[:at], h[:]...)
	t.known[id] = b
	if len(b) == tileWidth*tlog.HashSize {
		return t.add(level+1, id.n, rootOf(b))
	}
	return nil
}

// rootOf returns the root of a full tile.
func rootOf(b []byte) tlog.Hash {
	row := make([]tlog.Hash, len(b)/tlog.HashSize)
	for i := range row {
		copy(row[i][:], b[i*tlog.HashSize:])
	}
	for len(row) > 1 {
		for i := range len(row) / 2 {
			row[i] = tlog.NodeHash(row[2*i], row[2*i+1])
		}
		row = row[:len(row)/2]
	}
	return row[0]
}

// ReadHashes implements tlog.HashReader.
func (t *tiles) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		where := tlog.TileForIndex(tileHeight, x)
		b, err := t.tile(tileID{int64(where.L), where.N})
		if err != nil {
			return nil, err
		}
		if len(b) < where.W*tlog.HashSize {
			return nil, fmt.Errorf("tile %d/%d: %w: it has %d hashes, want %d", where.L, where.N, ErrSeal, len(b)/tlog.HashSize, where.W)
		}
		if out[i], err = tlog.HashFromTile(where, b[:where.W*tlog.HashSize], x); err != nil {
			return nil, fmt.Errorf("tile %d/%d: %w", where.L, where.N, err)
		}
	}
	return out, nil
}

// save writes the tiles that have changed.
func (t *tiles) save(tx *db.Tx) error {
	var rows [][]any
	for id := range t.changed {
		rows = append(rows, []any{id.level, id.n, t.known[id]})
	}
	return tx.Each(t.ctx, "INSERT INTO tile (level, n, hashes) VALUES ($1, $2, $3) ON CONFLICT (level, n) DO UPDATE SET hashes = "+
		"excluded.hashes", rows)
}

// Tile returns the first w hashes of a tile, 1 to 256, for whoever checks the seal from outside.
func (j *Journal) Tile(ctx context.Context, level int, n int64, w int) ([]byte, error) {
	b, err := newTiles(ctx, j.cfg.DB).tile(tileID{int64(level), n})
	if err != nil {
		return nil, err
	}
	if w < 1 || len(b) < w*tlog.HashSize {
		return nil, fmt.Errorf("tile %d/%d: %w", level, n, ErrNoEntry)
	}
	return b[:w*tlog.HashSize], nil
}
