package live

import (
	"fmt"
	"net/http"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/web"
)

// latest is the JSON of what the page shows.
func (p *Pages) latest(c *web.Call) error {
	entries, err := p.entries(c)
	if err != nil {
		return err
	}
	findings, err := p.open(c, books.Filter{Limit: told})
	if err != nil {
		return err
	}
	devices, err := p.devices(c)
	if err != nil {
		return err
	}
	return c.JSON(struct {
		Entries  []books.Entry   `json:"entries"`
		Findings []books.Finding `json:"findings"`
		Devices  []Device        `json:"devices"`
	}{orEmpty(entries), orEmpty(findings), devices})
}

// orEmpty makes JSON's null an empty list.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func (p *Pages) health(c *web.Call) error {
	if _, err := p.cfg.Books.Latest(c.R.Context(), 1); err != nil {
		return err
	}
	if t := p.cfg.Trouble(); !t.Since.IsZero() {
		why := ""
		if c.Local() {
			why = fmt.Sprintf(": %v", t.Err) // which may name servers
		}
		http.Error(c.W, "nothing is taken since "+t.Since.UTC().Format(time.RFC3339)+why, http.StatusServiceUnavailable)
		return nil
	}
	if err := p.cfg.Late(); err != nil {
		why := ": what the pages show is old"
		if c.Local() {
			why = ": " + err.Error() // which may name servers
		}
		http.Error(c.W, "the books are behind"+why, http.StatusServiceUnavailable)
		return nil
	}
	c.W.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = c.W.Write([]byte("ok\n"))
	return nil
}
