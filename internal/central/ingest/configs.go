package ingest

import (
	"context"
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// maxPublishing is how many configurations may wait for the broker at once, so that a province of them leaves room for
// acknowledgements.
const maxPublishing = 32

// keepConfigs publishes the boxes' configurations until ctx ends, each again when it has changed: a device may be enrolled
// by another process. A broker that was started anew has forgotten them, so each connection publishes them all.
func (in *Ingest) keepConfigs(ctx context.Context) {
	published := make(map[rating.DeviceID]uint32) // generations that the broker has
	again := time.NewTicker(2 * time.Second)
	defer again.Stop()
	for failing := ""; ; {
		err := in.publishConfigs(ctx, published)
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

// publishConfigs publishes the configurations that the broker does not have yet.
func (in *Ingest) publishConfigs(ctx context.Context, published map[rating.DeviceID]uint32) error {
	devices, err := in.cfg.Ledger.Devices(ctx)
	if err != nil {
		return err
	}
	type sent struct {
		device     rating.DeviceID
		generation uint32
		token      mqtt.Token
	}
	var waiting []sent
	confirm := func(most int) error {
		for len(waiting) > most {
			s := waiting[0]
			waiting = waiting[1:]
			if err := confirmed(ctx, s.token); err != nil {
				return fmt.Errorf("configuration of %s: %w", s.device, err)
			}
			published[s.device] = s.generation
		}
		return nil
	}
	for _, d := range devices {
		if published[d.ID] == d.Window.Generation {
			continue
		}
		t, err := in.publish(d.ID, wire.ConfigChannel, true, wire.ConfigPurpose, &wire.Config{Device: d.ID, Window: d.Window, Roster: d.Roster})
		if err != nil {
			return fmt.Errorf("configuration of %s: %w", d.ID, err)
		}
		waiting = append(waiting, sent{d.ID, d.Window.Generation, t})
		if err := confirm(maxPublishing); err != nil {
			return err
		}
	}
	return confirm(0)
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
