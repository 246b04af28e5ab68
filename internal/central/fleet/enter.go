package fleet

import (
	"context"
	"encoding/json"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/sync/wire"
)

// entered is what the journal says of a device that somebody has entered by hand.
type entered struct {
	Window     string `json:"window"`
	Generation uint32 `json:"generation"`
	Key        string `json:"key"`                  // fingerprint
	Former     string `json:"former_key,omitempty"` // fingerprint of the one that it takes the place of
}

// Enter is Put by whoever works on the centre's machine. Their act stands before what it does, so that nobody gives a box another key or
// window and ends the command before it is said who did.
func (f *Fleet) Enter(ctx context.Context, account string, d Device) error {
	return notEnrolled(d, f.put(ctx, d, func(before Device) error { return f.sayEntered(ctx, account, d, before) },
		func(context.Context, *db.Tx) error { return nil }))
}

// EnterAll enters many devices, whose rows the journal commits together. The first error ends it.
func (f *Fleet) EnterAll(ctx context.Context, account string, all []Device) error {
	return atOnce(ctx, all, func(ctx context.Context, d Device) error { return f.Enter(ctx, account, d) })
}

// sayEntered enters the act of a device that is to be entered where another stands, or none.
func (f *Fleet) sayEntered(ctx context.Context, account string, d, before Device) error {
	x := entered{Window: d.Window.ID, Generation: d.Window.Generation, Key: wire.Fingerprint(d.Key)}
	if before.ID != "" && wire.Fingerprint(before.Key) != x.Key {
		x.Former = wire.Fingerprint(before.Key)
	}
	data, err := json.Marshal(x)
	if err != nil {
		return err
	}
	_, err = f.journal.Do(ctx, account, "", journal.Act{Do: "enrol.enter", Object: string(d.ID), Data: data, Domain: d.Window.Area}, nil)
	return err
}

// compare returns a device as it stands, and the text of what it is to be. Its error is errSame if nothing would change.
func (f *Fleet) compare(ctx context.Context, d Device) (before Device, text []byte, err error) {
	if err := d.check(); err != nil {
		return before, nil, err
	}
	if f.reserved(d) {
		return before, nil, ErrReserved
	}
	if text, err = d.text(); err != nil {
		return before, nil, err
	}
	err = f.db.Read(ctx, func(tx *db.Tx) (err error) {
		before, err = fresh(ctx, tx, d, text)
		return err
	})
	return before, text, err
}
