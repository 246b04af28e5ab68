package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/rating"
	"haochaping/store"
	"haochaping/sync/uplink"
	"haochaping/sync/wire"
)

// drain measures how fast a box hands over a backlog, beside a client that publishes one message a record, in turns.
func (w *world) drain(ctx context.Context, o options, out io.Writer) error {
	var boxes []*author
	for i := range o.rounds {
		boxes = append(boxes, newAuthor(i))
	}
	stop, err := w.begin(ctx, o, boxes)
	if err != nil {
		return err
	}
	defer stop()
	var yardsticks, drains, ratios []float64
	var taken [3]time.Duration
	for i, b := range boxes {
		yardstick, drained, took, err := w.round(ctx, o, b)
		if err != nil {
			return err
		}
		for i := range taken {
			taken[i] += took[i]
		}
		log.Printf("round %d: %.0f records/s, the plain client %.0f messages/s", i+1, drained, yardstick)
		yardsticks, drains, ratios = append(yardsticks, yardstick), append(drains, drained), append(ratios, drained/yardstick)
	}
	perRecord := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(o.drain*o.rounds) }
	_, err = fmt.Fprintf(out, "drain_yardstick_per_s %.0f\ndrain_records_per_s %.0f\ndrain %.2f\n"+
		"drain_centre_us_per_record %.1f\ndrain_broker_us_per_record %.1f\ndrain_box_us_per_record %.1f\n",
		median(yardsticks), median(drains), median(ratios), perRecord(taken[0]), perRecord(taken[1]), perRecord(taken[2]))
	return err
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// round returns how many records a second the plain client and the box of one author bring through, and the processor time
// that the centre, the broker and this program took for the box's.
func (w *world) round(ctx context.Context, o options, a *author) (yardstick, drained float64, took [3]time.Duration, err error) {
	folder := filepath.Join(w.dir, string(a.device))
	if err := os.Mkdir(folder, 0o700); err != nil {
		return 0, 0, took, err
	}
	log, err := store.Open(filepath.Join(folder, "log.db"), store.Options{Device: a.device, Random: rand.Reader, Logger: slog.Default()})
	if err != nil {
		return 0, 0, took, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if err := fill(log, a, o.drain); err != nil {
		return 0, 0, took, err
	}
	if yardstick, err = w.plain(log); err != nil {
		return 0, 0, took, err
	}
	m := &meter{w: w}
	began := m.cpu()
	drained, err = w.drainBox(ctx, log, a.key)
	for i, now := range m.cpu() {
		took[i] = now - began[i]
	}
	return yardstick, drained, took, err
}

// fill writes a backlog.
func fill(log *store.Store, a *author, records int) error {
	for log.Last() < uint64(records) {
		var some []rating.Body
		for range min(200, (records-int(log.Last())+recordsPerVisit-1)/recordsPerVisit) {
			some = append(some, bodies(a.device, a.visits, rating.VisitID(a.random.Uint64()|1))...)
			a.visits++
		}
		if _, err := log.Append(some[:min(len(some), records-int(log.Last()))]...); err != nil {
			return err
		}
	}
	return nil
}

// plain publishes each pending record as a message, with a hundred on their way, and returns how many a second the broker takes.
func (w *world) plain(log *store.Store) (float64, error) {
	_, records, err := log.Pending(0, int(log.Last()), 1<<40)
	if err != nil {
		return 0, err
	}
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + w.address).SetClientID("plain"))
	if t := client.Connect(); !t.WaitTimeout(patience) || t.Error() != nil {
		return 0, fmt.Errorf("the plain client: %w", t.Error())
	}
	defer client.Disconnect(0)
	const atOnce = 100
	tokens := make([]mqtt.Token, atOnce)
	began := time.Now()
	for i, r := range records {
		if t := tokens[i%atOnce]; t != nil && !t.WaitTimeout(patience) {
			return 0, errors.New("the broker does not take what the plain client sends")
		}
		tokens[i%atOnce] = client.Publish("plain/records", 1, false, r)
	}
	for _, t := range tokens {
		if t != nil && !t.WaitTimeout(patience) {
			return 0, errors.New("the broker does not take what the plain client sends")
		}
	}
	return float64(len(records)) / time.Since(began).Seconds(), nil
}

// drainBox runs a box's uplink until its log is released and returns how many records a second went.
func (w *world) drainBox(ctx context.Context, log *store.Store, key ed25519.PrivateKey) (float64, error) {
	u, err := uplink.New(uplink.Config{
		Brokers: []string{"mqtt://" + w.address}, Username: string(log.Device()), Key: key, Centre: w.key, Log: log,
		Presence: wire.Presence{V: wire.Version}, Health: func() wire.Health { return wire.Health{V: wire.Version} },
		Now: time.Now, Random: mathrand.Float64, Logger: slog.Default(),
	})
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- u.Run(ctx) }()
	for log.Released() < log.Last() && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	took := time.Since(began)
	released := log.Released()
	cancel()
	if err := <-done; err != nil {
		return 0, err
	}
	if released < log.Last() {
		return 0, fmt.Errorf("%d of %d records were acknowledged within 10 minutes", released, log.Last())
	}
	return float64(released) / took.Seconds(), nil
}

// receive takes batches in place of the centre: it reads and verifies them and acknowledges what came without a gap.
func (w *world) receive(boxes []*author) (stop func(), err error) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	w.key = public
	keys := make(map[rating.DeviceID]ed25519.PublicKey)
	for _, b := range boxes {
		keys[b.device] = b.public()
	}
	through := make(map[rating.DeviceID]uint64)
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + w.address).SetClientID("receiver"))
	if t := client.Connect(); !t.WaitTimeout(patience) || t.Error() != nil {
		return nil, fmt.Errorf("the receiver: %w", t.Error())
	}
	t := client.Subscribe(wire.AllDevices(wire.RecordsChannel), 1, func(_ mqtt.Client, m mqtt.Message) { // one after the other
		b, err := wire.DecodeBatch(m.Payload())
		if err != nil || !b.Verify(keys[b.Device]) || b.First > through[b.Device]+1 || b.Last() <= through[b.Device] {
			return
		}
		through[b.Device] = b.Last()
		payload, err := wire.Seal(key, wire.AckPurpose, &wire.Ack{Device: b.Device, Epoch: b.Epoch, Through: b.Last(), Head: b.Head(),
			Time: time.Now().UnixMilli()})
		if err != nil {
			log.Print(err)
			return
		}
		client.Publish(wire.Topic(b.Device, wire.AckChannel), 1, false, payload)
	})
	if !t.WaitTimeout(patience) || t.Error() != nil {
		return nil, fmt.Errorf("the receiver: %w", t.Error())
	}
	return func() { client.Disconnect(0) }, nil
}
