package intake

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

//go:embed schema/*.sql
var schemas embed.FS

// Room is what the channels keep beside the journal: what terminals have just finished, and forms that wait for a second entry.
type Room struct {
	journal *journal.Journal
	db      *db.DB
}

// Open brings the room's tables up to date.
func Open(ctx context.Context, j *journal.Journal) (*Room, error) {
	scripts, err := fs.Sub(schemas, "schema")
	if err == nil {
		err = j.DB().Migrate(ctx, "intake", scripts)
	}
	if err != nil {
		return nil, fmt.Errorf("open the channels: %w", err)
	}
	return &Room{j, j.DB()}, nil
}

func tables() []string { return []string{"terminal_visit", "paper_form"} }

// Room implements journal.Room.
func (r *Room) Room() string { return "intake" }

// Export writes the tables into a backup. It implements journal.Room.
func (r *Room) Export(ctx context.Context, put func([]byte) error) error {
	return r.db.Dump(ctx, tables(), put)
}

// Import writes a row of a backup. It implements journal.Room.
func (r *Room) Import(ctx context.Context, section []byte) error {
	return r.db.Fill(ctx, tables(), section)
}
