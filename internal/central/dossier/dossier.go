package dossier

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

//go:embed schema/*.sql
var schemas embed.FS

// Source is who opens dossiers, in the journal, if it is no account.
const Source = "dossier"

// Errors of dossiers.
var (
	ErrNone      = errors.New("没有这份卷宗 · there is no such dossier")
	ErrMeanwhile = errors.New("刚有别人办理过，请看过最新情况后再办 · somebody else has worked on it meanwhile; look at it again")
)

// Dossiers is the room. Its methods are safe for concurrent use.
type Dossiers struct {
	journal *journal.Journal
	db      *db.DB
}

// Open brings the room's tables up to date.
func Open(ctx context.Context, j *journal.Journal) (*Dossiers, error) {
	d := &Dossiers{j, j.DB()}
	scripts, err := fs.Sub(schemas, "schema")
	if err == nil {
		err = d.db.Migrate(ctx, "dossier", scripts)
	}
	if err != nil {
		return nil, fmt.Errorf("open the dossiers: %w", err)
	}
	return d, nil
}

func tables() []string { return []string{"dossier", "dossier_act"} }

// Room implements journal.Room.
func (d *Dossiers) Room() string { return "dossier" }

// Export writes the dossiers into a backup. It implements journal.Room.
func (d *Dossiers) Export(ctx context.Context, put func([]byte) error) error {
	return d.db.Dump(ctx, tables(), put)
}

// Import writes a row of a backup. It implements journal.Room.
func (d *Dossiers) Import(ctx context.Context, section []byte) error {
	return d.db.Fill(ctx, tables(), section)
}
