package ingest

import (
	"context"
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
	"haochaping/sync/wire"
)

// maxPublishing is how many configurations may wait for the broker at once, so that a province of them leaves room for
// acknowledgements.
const maxPublishing = 32

// changedAtOnce is how many devices are read together, whose rosters may have photographs.
const changedAtOnce = 50

// keepConfigs publishes the boxes' configurations until ctx ends, each again when it has changed: a device may be enrolled
// by another process. A broker that was started anew has forgotten them, so each connection publishes them all.
func (in *Ingest) keepConfigs(ctx context.Context) {
	var published int64 // what changed later in the journal, the broker does not have
	again := time.NewTicker(2 * time.Second)
	defer again.Stop()
	for failing := ""; ; {
		var err error
		published, err = in.publishConfigs(ctx, published)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failing = ""
		case err.Error() != failing:
			failing = err.Error()
			in.cfg.Logger.Error("the boxes' configurations cannot be published; they are tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// publishConfigs publishes the configurations that have changed after a position of the journal, and returns up to which the broker has
// them.
func (in *Ingest) publishConfigs(ctx context.Context, after int64) (published int64, err error) {
	type sent struct {
		device  rating.DeviceID
		changed int64
		token   mqtt.Token
	}
	var waiting []sent
	published = after
	confirm := func(most int) error {
		for len(waiting) > most {
			s := waiting[0]
			waiting = waiting[1:]
			if err := confirmed(ctx, s.token); err != nil {
				return fmt.Errorf("configuration of %s: %w", s.device, err)
			}
			published = s.changed
		}
		return nil
	}
	for {
		devices, err := in.cfg.Fleet.Changed(ctx, after, changedAtOnce)
		if err != nil {
			return published, err
		}
		for _, d := range devices {
			window, roster := d.Told()
			rules, err := in.cfg.Fleet.Rules(ctx, d.Rules)
			if err != nil {
				return published, fmt.Errorf("configuration of %s: %w", d.ID, err)
			}
			t, err := in.publish(d.ID, wire.ConfigChannel, true, wire.ConfigPurpose, &wire.Config{Device: d.ID, Window: window, Roster: roster,
				Algorithms: algorithmsFor(d.Key), Rules: rules})
			if err != nil {
				return published, fmt.Errorf("configuration of %s: %w", d.ID, err)
			}
			waiting = append(waiting, sent{d.ID, d.Changed, t})
			if err := confirm(maxPublishing); err != nil {
				return published, err
			}
			after = d.Changed
		}
		if len(devices) < changedAtOnce {
			return published, confirm(0)
		}
	}
}

func confirmed(ctx context.Context, t mqtt.Token) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	case <-timeout.C:
		return fmt.Errorf("the broker has not taken it within %s", patience)
	}
}

// algorithmsFor returns what the centre says to a box of the algorithms that it takes: nothing where the key is of Ed25519.
func algorithmsFor(key []byte) []recordkey.Algorithm {
	if wire.Named(key) == "" {
		return nil
	}
	return []recordkey.Algorithm{recordkey.Ed25519, recordkey.SM2}
}
