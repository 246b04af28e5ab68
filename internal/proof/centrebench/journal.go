package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"syscall"
	"time"

	"haochaping/internal/rating"
)

func timed(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

// messages lets boxes write in turn, some visits a message, while more of them are wanted.
func messages(boxes, visits int, wanted func(messages, records int) bool) (keys map[rating.DeviceID]ed25519.PublicKey, payloads,
	records [][]byte, err error) {
	keys = make(map[rating.DeviceID]ed25519.PublicKey)
	var all []*box
	for n := range boxes {
		x := newBox(n)
		all, keys[x.id] = append(all, x), x.public()
	}
	for n := 0; wanted(n, len(records)); n++ {
		payload, some, err := all[n%boxes].message(visits)
		if err != nil {
			return nil, nil, nil, err
		}
		payloads, records = append(payloads, payload), append(records, some...)
	}
	return keys, payloads, records, nil
}

// backlog gives the journal batches of 200 records, as after weeks without a network, seals them, and compares with the yardstick.
func (b *bench) backlog(ctx context.Context, p *place) error {
	const boxes, visits = 50, 66 // 198 records, the most whole visits within 200
	keys, payloads, records, err := messages(boxes, visits, func(_, records int) bool { return records < b.records })
	if err != nil {
		return err
	}
	yard, err := p.plain(ctx, records, 200, 0)
	if err != nil {
		return err
	}
	took, err := p.take(ctx, keys, payloads, 256)
	if err != nil {
		return err
	}
	seed := sha256.Sum256([]byte("seal"))
	took += timed(func() { _, err = p.journal.Seal(ctx, ed25519.NewKeyFromSeed(seed[:])) })
	if err != nil {
		return err
	}
	rate := float64(len(records)) / took.Seconds()
	say(p.name, rate/yard, "%d records: %.0f/s in batches of 198, decoded, verified, hashed, entered and sealed; yardstick %.0f/s",
		len(records), rate, yard)
	return nil
}

// live gives the journal messages of one visit from many boxes, with one of each under way, as the brokers' configurations allow, and
// compares with a plain transaction a message, in rounds, so that both meet the same machine.
func (b *bench) live(ctx context.Context, p *place) error {
	const boxes, rounds, share = 1000, 10, 10 // of the messages the yardstick gets one in ten
	keys, payloads, records, err := messages(boxes, 1, func(messages, _ int) bool { return messages < b.messages })
	if err != nil {
		return err
	}
	var yard, took, busy time.Duration
	written := 0
	for round := range rounds {
		some := payloads[round*len(payloads)/rounds : (round+1)*len(payloads)/rounds]
		plain := records[written : written+3*(len(some)/share)]
		yard += timed(func() { _, err = p.plain(ctx, plain, 3, written) })
		if err != nil {
			return err
		}
		written += len(plain)
		before := processor()
		d, err := p.take(ctx, keys, some, boxes)
		if err != nil {
			return err
		}
		took, busy = took+d, busy+processor()-before
	}
	rate, plain := float64(len(payloads))/took.Seconds(), float64(written/3)/yard.Seconds()
	say(p.name, rate/plain, "%d messages of three records from %d boxes, one of each under way: %.0f/s, %.0f µs of this program's processor "+
		"time each; yardstick %.0f/s",
		len(payloads), boxes, rate, float64(busy.Microseconds())/float64(len(payloads)), plain)
	return nil
}

// processor returns the processor time that this program has taken.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak returns the most memory in bytes that this program has held.
func peak() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Maxrss << 10
}
