package web

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Sheet writes a table as CSV while it is made, with the mark by which Excel reads it as UTF-8.
type Sheet struct {
	w     *csv.Writer
	c     *Call
	lines int
}

// Sheet begins an answer that is a file of that name.
func (c *Call) Sheet(name string) (*Sheet, error) {
	h := c.W.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", "attachment; filename=\"export.csv\"; filename*=UTF-8''"+url.PathEscape(name))
	if _, err := c.W.Write([]byte("\xef\xbb\xbf")); err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return &Sheet{w: csv.NewWriter(c.W), c: c}, nil
}

// sheetWrite is how long a browser may take for some lines.
const sheetWrite = 30 * time.Second

// Row writes a line. A cell that a spreadsheet would take for a formula becomes text.
func (s *Sheet) Row(cells ...string) error {
	safe := make([]string, len(cells))
	for i, x := range cells {
		safe[i] = Inert(x)
	}
	if s.lines++; s.lines%256 == 0 {
		if err := s.GoOn(); err != nil {
			return err
		}
	}
	return s.w.Write(safe)
}

// GoOn gives the browser time for the lines to come, and for those that are looked for.
func (s *Sheet) GoOn() error {
	// The server's own write timeout is meant for pages that end soon.
	err := http.NewResponseController(s.c.W).SetWriteDeadline(time.Now().Add(sheetWrite))
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

// End writes what is left.
func (s *Sheet) End() error {
	s.w.Flush()
	return s.w.Error()
}

// Whole ends an answer that is sent while it is made. After an error the browser sees a failure, so that no half file passes for a whole
// one.
func (c *Call) Whole(err error) error {
	if err == nil {
		return nil
	}
	if c.R.Context().Err() == nil {
		c.site.cfg.Logger.Error("centre's page, of which a part was sent", "route", c.R.Pattern, "err", err)
	}
	panic(http.ErrAbortHandler)
}

// Inert returns a cell's text so that no spreadsheet computes it: what begins like a formula begins with an apostrophe.
func Inert(s string) string {
	if s != "" && strings.ContainsAny(s[:1], "=+-@\t\r\n") || strings.HasPrefix(s, "＝") || strings.HasPrefix(s, "＋") ||
		strings.HasPrefix(s, "－") || strings.HasPrefix(s, "＠") {
		return "'" + s
	}
	return s
}
