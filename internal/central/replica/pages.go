package replica

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"haochaping/internal/central/journal"
	"haochaping/internal/keptfile"
)

// pages is a folder with pages of rows on their way, each named by its first row and its last, so that a line that breaks costs one page.
type pages struct{ folder string }

type page struct {
	after, to int64
	path      string
}

// all returns the pages, the first rows first.
func (p pages) all() (all []page, err error) {
	files, err := os.ReadDir(p.folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read the pages that are here: %w", err)
	}
	for _, f := range files {
		x := page{path: filepath.Join(p.folder, f.Name())}
		if _, err := fmt.Sscanf(f.Name(), "%d-%d", &x.after, &x.to); err == nil {
			all = append(all, x)
		}
	}
	slices.SortFunc(all, func(a, b page) int { return int(a.after - b.after) })
	return all, nil
}

// keepFrom removes the pages unless they begin after a row.
func (p pages) keepFrom(after int64) error {
	all, err := p.all()
	if err == nil && len(all) > 0 && all[0].after != after {
		err = p.remove()
	}
	return err
}

// end returns the last row of the page that begins after one, that one if there is no page.
func (p pages) end(after int64) (int64, error) {
	all, err := p.all()
	for _, x := range all {
		if x.after == after {
			return x.to, err
		}
	}
	return after, err
}

// add keeps a page whose rows are the next ones, no further than a last one.
func (p pages) add(after, last int64, b []byte) error {
	to := after
	err := journal.ReadPage(bytes.NewReader(b), func(e journal.Entry) error {
		if to++; e.Pos != to || to > last {
			return fmt.Errorf("%w: row %d comes where row %d should", journal.ErrBackup, e.Pos, to)
		}
		return nil
	})
	if err == nil && to == after {
		err = fmt.Errorf("%w: it holds no row", journal.ErrBackup)
	}
	if err == nil {
		err = os.MkdirAll(p.folder, 0o700)
	}
	if err == nil {
		err = keptfile.Replace(filepath.Join(p.folder, fmt.Sprintf("%d-%d", after, to)), b)
	}
	if err != nil {
		return fmt.Errorf("take the rows after %d: %w", after, err)
	}
	return nil
}

// read calls take with each row, in order.
func (p pages) read(take func(journal.Entry) error) error {
	all, err := p.all()
	if err != nil {
		return err
	}
	for _, x := range all {
		b, err := os.ReadFile(x.path)
		if err != nil {
			return fmt.Errorf("read a page that is here: %w", err)
		}
		if err := journal.ReadPage(bytes.NewReader(b), take); err != nil {
			return err
		}
	}
	return nil
}

// moveTo keeps the pages elsewhere, in place of what was there.
func (p pages) moveTo(folder string) error {
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("keep refused rows: %w", err)
	}
	if err := os.Rename(p.folder, folder); err != nil {
		return fmt.Errorf("keep refused rows: %w", err)
	}
	return nil
}

func (p pages) remove() error {
	if err := os.RemoveAll(p.folder); err != nil {
		return fmt.Errorf("remove pages: %w", err)
	}
	return nil
}
