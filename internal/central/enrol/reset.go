package enrol

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/fleet"
	"haochaping/sync/wire"
)

// OrderHeader has what a box that waits is to do, signed as a command is, in base64url.
const OrderHeader = "Hcp-Order"

// resetLead is how long a code must hold for a box to hear in time what it is told under it.
const resetLead = 15 * time.Second

// Reset has a box that waits under its code forget all when it asks next: one that is not let in hears no command. GiveUp is its name where
// records that it has not sent are given up. The order, which KeepReset writes in the transaction of its act, holds as long as the code; it
// is ErrNoCode for one that ends at once.
func (r *Room) Reset(p Pending, random, giveUp string) (order string, err error) {
	if p.Until.Sub(r.now()) < resetLead {
		return "", ErrNoCode
	}
	c := fleet.NewCommand(random, p.Device, wire.CommandErase, "", r.now())
	c.Expires = p.Until
	if giveUp != "" {
		c.Args = map[string]string{"give_up": giveUp}
	}
	told := c.Wire()
	sealed, err := wire.Seal(r.cfg.Key, wire.CommandPurpose, &told)
	if err != nil {
		return "", fmt.Errorf("order a box to forget all: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Told returns what a box is told when it asks next, empty for nothing.
func (p Pending) Told() string { return p.orders }

// KeepReset writes what a box that waits is told, for as long as its code holds. It is ErrNoCode if it has stopped waiting under it.
func KeepReset(ctx context.Context, tx *db.Tx, p Pending, order string) error {
	return p.set(ctx, tx, "orders = $3", order)
}
