package directory

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

//go:embed schema/*.sql
var schemas embed.FS

// Errors of the directory.
var (
	ErrMeanwhile = errors.New("机构信息在预览之后已被改动，请重新预览 · the organisation was changed after the preview; preview again")
	ErrRefused   = errors.New("有不予接受的内容，未写入任何内容 · something is refused; nothing was written")
	ErrUnknown   = errors.New("机构信息中没有 · the organisation has no such record")
)

// Directory is the organisation. Its methods are safe for concurrent use.
type Directory struct {
	db       *db.DB
	journal  *journal.Journal
	planning chan struct{} // a place for one preview

	mu    sync.Mutex
	atlas *Atlas    // guarded by mu; as it was when last read
	asked time.Time // guarded by mu; when its version was last compared
}

// Open brings the directory's tables up to date.
func Open(ctx context.Context, j *journal.Journal) (*Directory, error) {
	scripts, err := fs.Sub(schemas, "schema")
	if err == nil {
		err = j.DB().Migrate(ctx, "directory", scripts)
	}
	if err != nil {
		return nil, fmt.Errorf("open the directory: %w", err)
	}
	return &Directory{db: j.DB(), journal: j, planning: make(chan struct{}, 1)}, nil
}

const columns = "kind, id, valid_from, valid_to, name, area, unit, hall, window_id, office, person, phone"

func scanRecord(s db.Scanner) (r Record, err error) {
	return r, s.Scan(&r.Kind, &r.ID, &r.From, &r.To, &r.Name, &r.Area, &r.Unit, &r.Hall, &r.Window, &r.Office, &r.Person, &r.Phone)
}

func (r Record) row() []any {
	return []any{string(r.Kind), r.ID, int64(r.From), int64(r.To), r.Name, r.Area, r.Unit, r.Hall, r.Window, r.Office, r.Person, r.Phone}
}

// put writes records over those that begin on the same days.
func put(ctx context.Context, tx *db.Tx, rows [][]any) error {
	return tx.Each(ctx, `INSERT INTO organisation (`+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (kind, id, valid_from) DO UPDATE
		SET valid_to = excluded.valid_to, name = excluded.name, area = excluded.area, unit = excluded.unit,
		hall = excluded.hall, window_id = excluded.window_id, office = excluded.office, person = excluded.person, phone = excluded.phone`, rows)
}

// Version returns the position in the journal of the last change, 0 if there was none.
func (d *Directory) Version(ctx context.Context) (v int64, err error) {
	err = d.db.Read(ctx, func(tx *db.Tx) error {
		v, err = version(ctx, tx)
		return err
	})
	return v, err
}

func version(ctx context.Context, tx *db.Tx) (v int64, err error) {
	if err := tx.QueryRowContext(ctx, "SELECT version FROM organisation_state WHERE id = 1").Scan(&v); err != nil {
		return 0, fmt.Errorf("read the version of the organisation: %w", err)
	}
	return v, nil
}

// read returns the whole organisation at one moment.
func (d *Directory) read(ctx context.Context) (all []Record, v int64, err error) {
	err = d.db.Read(ctx, func(tx *db.Tx) (err error) {
		if v, err = version(ctx, tx); err == nil {
			all, err = db.Query(ctx, tx, scanRecord, "SELECT "+columns+" FROM organisation ORDER BY kind, id, valid_from")
		}
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read the organisation: %w", err)
	}
	return all, v, nil
}

// Preview works out what lines would change, and writes nothing. Without may, everything may be changed. One at a time is worked out, since
// each reads all of the organisation.
func (d *Directory) Preview(ctx context.Context, lines []Line, may May) (Preview, error) {
	end, err := d.plan(ctx)
	if err != nil {
		return Preview{}, err
	}
	defer end()
	return d.preview(ctx, lines, may)
}

// PreviewFile is Preview of what a file says. The file is read in the same turn, so that many at once do not fill the memory.
func (d *Directory) PreviewFile(ctx context.Context, b []byte, may May) (Preview, error) {
	end, err := d.plan(ctx)
	if err != nil {
		return Preview{}, err
	}
	defer end()
	lines, err := Read(b)
	if err != nil {
		return Preview{}, err
	}
	return d.preview(ctx, lines, may)
}

// plan waits for the one turn at planning, and returns what ends it.
func (d *Directory) plan(ctx context.Context) (end func(), err error) {
	select {
	case d.planning <- struct{}{}:
		return func() { <-d.planning }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (d *Directory) preview(ctx context.Context, lines []Line, may May) (Preview, error) {
	all, v, err := d.read(ctx)
	if err != nil {
		return Preview{}, err
	}
	return preview(newTree(all), v, lines, may), nil
}

// Apply enters a preview in the journal as an act of an account, and changes the organisation in the same transaction. What was changed
// since the preview is ErrMeanwhile; a refused line is ErrRefused. A preview that changes nothing enters nothing.
func (d *Directory) Apply(ctx context.Context, account, reason string, a journal.Act, p Preview) error {
	if p.Refused() > 0 {
		return ErrRefused
	}
	if p.Hash != hashOf(p.Version, p.Changes) {
		return ErrMeanwhile
	}
	if len(p.Changes) == 0 {
		return nil
	}
	var err error
	if a.Data, err = p.entered(); err != nil {
		return err
	}
	a.Do, a.Reason = "directory.change", reason
	// The same confirmation twice is one act.
	_, err = d.journal.Do(ctx, account, "directory "+p.Hash, a, func(ctx context.Context, tx *db.Tx, pos int64) error {
		return p.write(ctx, tx, pos)
	})
	d.mu.Lock()
	d.asked = time.Time{} // whoever has changed something finds it changed
	d.mu.Unlock()
	return err
}

// maxEntered bounds the bytes of a change in the journal, whose rows have a bound of their own.
const maxEntered = 14 << 20

// entered returns a change as the journal has it: what is there now, and what was removed. How it was before stands in the rows before.
func (p Preview) entered() ([]byte, error) {
	var e struct {
		Hash    string   `json:"hash"`
		Version int64    `json:"version"`
		Put     []Record `json:"put,omitempty"`
		Remove  []Record `json:"remove,omitempty"`
	}
	e.Hash, e.Version = p.Hash, p.Version
	for _, c := range p.Changes {
		if c.After == nil {
			e.Remove = append(e.Remove, *c.Before)
		} else {
			e.Put = append(e.Put, *c.After)
		}
	}
	b, err := json.Marshal(e)
	if err == nil && len(b) > maxEntered {
		err = faultf("一次改动过大（%d 字节，最多 %d），请分成几个文件", "the change has %d bytes, at most %d are allowed at once; split the file", len(b), maxEntered)
	}
	return b, err
}

// write changes the tables, if the organisation is as the preview has seen it.
func (p Preview) write(ctx context.Context, tx *db.Tx, pos int64) error {
	r, err := tx.ExecContext(ctx, "UPDATE organisation_state SET version = $1 WHERE id = 1 AND version = $2", pos, p.Version)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, ErrMeanwhile)
	}
	var gone, rows [][]any
	for _, c := range p.Changes {
		if c.After == nil {
			gone = append(gone, []any{string(c.Before.Kind), c.Before.ID, int64(c.Before.From)})
			continue
		}
		rows = append(rows, c.After.row())
	}
	if err := tx.Each(ctx, "DELETE FROM organisation WHERE kind = $1 AND id = $2 AND valid_from = $3", gone); err != nil {
		return err
	}
	return put(ctx, tx, rows)
}

// Served notes, in the transaction of an enrolment or move, which window of the organisation a box serves with a generation.
func Served(ctx context.Context, tx *db.Tx, device rating.DeviceID, w rating.Window, pos int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO serving (device, generation, window_id, changed) VALUES ($1, $2, $3, $4)
		ON CONFLICT (device, generation) DO UPDATE SET window_id = excluded.window_id, changed = excluded.changed`, string(device),
		int64(w.Generation), w.ID, pos)
	if err != nil {
		return fmt.Errorf("note which window %s serves: %w", device, err)
	}
	return nil
}
