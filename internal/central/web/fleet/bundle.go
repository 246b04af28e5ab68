package fleet

import (
	"context"
	"errors"
	"fmt"

	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// bundleRow is what a box has sent to support.
type bundleRow struct{ Command, Came, Size string }

func (p *pages) bundles(ctx context.Context, d rating.DeviceID) (rows []bundleRow, err error) {
	all, err := p.Fleet.Bundles(ctx, d)
	for _, x := range all {
		rows = append(rows, bundleRow{x.Command, at(x.Came), fmt.Sprintf("%d KB", (x.Size+1023)>>10)})
	}
	return rows, err
}

// bundle hands out what a box has sent to support. Each time is an act: it says how the box and its network are set up.
func (p *pages) bundle(c *web.Call) error {
	id, command := rating.DeviceID(c.R.PathValue("device")), c.R.PathValue("command")
	content, err := p.Fleet.BundleOf(c.R.Context(), id, command)
	if errors.Is(err, fleet.ErrNoBundle) {
		return web.ErrNotFound
	}
	if err != nil {
		return err
	}
	where, err := p.boxObject(c)
	if err != nil {
		return err
	}
	act := journal.Act{Do: "fleet.bundle", Object: string(id), Data: fmt.Appendf(nil, `{"command":%q}`, command), Domain: where.Area}
	if err := c.Act(act, nil); err != nil {
		return err
	}
	h := c.W.Header()
	h.Set("Content-Type", "application/gzip")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="bundle-%s-%s.tar.gz"`, id, command))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = c.W.Write(content) // a failing write means that the reader is gone
	return nil
}
