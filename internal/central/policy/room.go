package policy

import (
	"context"
	"crypto/ed25519"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

//go:embed schema/*.sql
var schemas embed.FS

// Source is who takes a policy over the line, in the journal.
const Source = "policy"

// Way is how a policy came.
type Way string

// The ways.
const (
	Issued   Way = "issued"
	ByLine   Way = "line"
	FromFile Way = "file"
)

// Chinese returns the way's name.
func (w Way) Chinese() string {
	return map[Way]string{Issued: "本级发布", ByLine: "由线路取得", FromFile: "由文件导入"}[w]
}

// Taken is a policy that is here.
type Taken struct {
	Document Document
	Signed   Signed
	Way      Way
	Came     time.Time
	Pos      int64 // row of the journal
}

// Config names what a Room needs.
type Config struct {
	Journal *journal.Journal
	// Above is the key of the level above. Nil: there is none, and this centre issues.
	Above ed25519.PublicKey
	Own   ed25519.PrivateKey
}

// Room keeps the policies. Its methods are safe for concurrent use.
type Room struct {
	cfg Config
	db  *db.DB
}

// Open brings the room's tables up to date.
func Open(ctx context.Context, c Config) (*Room, error) {
	r := &Room{c, c.Journal.DB()}
	scripts, err := fs.Sub(schemas, "schema")
	if err == nil {
		err = r.db.Migrate(ctx, "policy", scripts)
	}
	if err != nil {
		return nil, fmt.Errorf("open the policies: %w", err)
	}
	return r, nil
}

// Issues reports whether this centre issues policies, and takes none.
func (r *Room) Issues() bool { return r.cfg.Above == nil }

// key is whose policies hold here.
func (r *Room) key() ed25519.PublicKey {
	if r.Issues() {
		return r.cfg.Own.Public().(ed25519.PublicKey)
	}
	return r.cfg.Above
}

// After returns the policies that are here with greater numbers, in order. Those that another key has signed, as before this centre had a
// level above, are left out.
func (r *Room) After(ctx context.Context, number int64) ([]Taken, error) {
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (t Taken, err error) {
		var came int64
		var text string
		if err := s.Scan(&came, &t.Way, &t.Pos, &text); err != nil {
			return t, err
		}
		t.Came = time.UnixMilli(came)
		return t, json.Unmarshal([]byte(text), &t.Signed)
	}, "SELECT came, way, pos, signed FROM policy_document WHERE number > $1 ORDER BY number", number)
	if err != nil {
		return nil, fmt.Errorf("read the policies: %w", err)
	}
	kept := all[:0]
	for _, t := range all {
		if t.Document, err = t.Signed.Open(r.key()); err == nil {
			kept = append(kept, t)
		}
	}
	return kept, nil
}

// Choices returns what was chosen here.
func (r *Room) Choices(ctx context.Context) (map[Name]string, error) {
	type row struct {
		name  Name
		value string
	}
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (x row, err error) { return x, s.Scan(&x.name, &x.value) },
		"SELECT name, value FROM policy_choice")
	if err != nil {
		return nil, fmt.Errorf("read what was chosen: %w", err)
	}
	out := make(map[Name]string)
	for _, x := range all {
		out[x.name] = x.value
	}
	return out, nil
}

// Standing is all that is here at a moment.
type Standing struct {
	All     []Taken // by number
	Holding *Taken
	Choices map[Name]string
	Line    Line
}

// Standing returns what is here.
func (r *Room) Standing(ctx context.Context, now time.Time) (s Standing, err error) {
	if s.All, err = r.After(ctx, 0); err != nil {
		return s, err
	}
	if s.Choices, err = r.Choices(ctx); err != nil {
		return s, err
	}
	s.Holding = Holding(s.All, now)
	s.Line, err = r.Line(ctx)
	return s, err
}

// Next returns the policies after the one that holds, all if none does.
func (s Standing) Next() (all []Taken) {
	for _, t := range s.All {
		if s.Holding == nil || t.Document.Number > s.Holding.Document.Number {
			all = append(all, t)
		}
	}
	return all
}

// Document returns the policy that holds, nil: none does.
func (s Standing) Document() *Document {
	if s.Holding == nil {
		return nil
	}
	return &s.Holding.Document
}

func tables() []string { return []string{"policy_document", "policy_choice", "policy_line"} }

// Room implements journal.Room.
func (r *Room) Room() string { return "policy" }

// Export writes the policies into a backup. It implements journal.Room.
func (r *Room) Export(ctx context.Context, put func([]byte) error) error {
	return r.db.Dump(ctx, tables(), put)
}

// Import writes a row of a backup. It implements journal.Room.
func (r *Room) Import(ctx context.Context, section []byte) error {
	return r.db.Fill(ctx, tables(), section)
}
