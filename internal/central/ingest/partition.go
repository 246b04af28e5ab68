package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Times of partitions. Whoever dies is replaced after the life of its leases and one step more: 7.5 s.
const (
	partitionLife = 6 * time.Second
	partitionStep = 1500 * time.Millisecond
)

// Prefixes of the names of leases.
const (
	memberLease    = "ingest/instance/"
	partitionLease = "ingest/partition/"
)

// Leases is what Partitions needs of the database that all instances share. An instance is the holder of what it acquires.
type Leases interface {
	// Acquire takes a lease that nobody has, or keeps it, for ttl from now, and reports whether this instance has it then.
	Acquire(ctx context.Context, name string, ttl time.Duration) (held bool, err error)
	// Release gives a lease back.
	Release(ctx context.Context, name string) error
	// Current returns the names of the leases with a prefix that have not ended.
	Current(ctx context.Context, prefix string) (names []string, err error)
}

// PartitionsConfig names the parts of Partitions.
type PartitionsConfig struct {
	Count    int    // of partitions, from 0 on
	Instance string // differs between the instances
	Leases   Leases
	// Take begins to read a partition, Leave ends it before another instance can have it. They are called from Run.
	Take  func(partition int) error
	Leave func(partition int)
	// Now is only compared with itself.
	Now    func() time.Time
	Logger *slog.Logger
}

// Partitions decides which partitions of the boxes' records an instance reads, where a broker divides them by subject and not by
// a shared subscription. Each is read by the holder of its lease; a holder that dies is replaced within ten seconds, and the
// instances that live have equal numbers, give or take one.
//
// That two instances read one partition for a moment is possible, if their clocks run apart, and harmless: the journal knows
// a batch that it has.
type Partitions struct {
	cfg  PartitionsConfig
	held map[int]time.Time // until when, by Now
}

// NewPartitions returns Partitions that hold nothing before Run.
func NewPartitions(c PartitionsConfig) *Partitions {
	return &Partitions{cfg: c, held: make(map[int]time.Time)}
}

// Run takes and keeps partitions until ctx ends or Take fails, and leaves them all. A failure of the leases is no end: what
// is held stays until it would have ended.
func (p *Partitions) Run(ctx context.Context) error {
	defer p.leaveAll(ctx)
	step := time.NewTicker(partitionStep)
	defer step.Stop()
	failing := false
	for {
		err := p.step(ctx)
		if take := new(takeError); errors.As(err, &take) {
			return err
		}
		if err != nil && !failing && ctx.Err() == nil {
			p.cfg.Logger.Error("the leases of partitions cannot be kept; other instances will take over", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-step.C:
		}
	}
}

// takeError says that a partition cannot be read.
type takeError struct{ error }

// Unwrap returns why.
func (e *takeError) Unwrap() error { return e.error }

// step keeps what this instance should have, and takes or leaves the rest.
func (p *Partitions) step(ctx context.Context) error {
	share, taken, err := p.share(ctx)
	if err == nil {
		err = p.keep(ctx)
	}
	p.expire()
	if err != nil {
		return err
	}
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(p.held))) {
		if len(p.held) <= share {
			break
		}
		p.leave(n)
		if err := p.cfg.Leases.Release(ctx, partitionName(n)); err != nil {
			return err
		}
	}
	for n := 0; n < p.cfg.Count && len(p.held) < share; n++ {
		if _, mine := p.held[n]; mine || taken[partitionName(n)] {
			continue
		}
		if err := p.take(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// share returns how many partitions this instance should have beside those that live, and which leases of partitions are held.
func (p *Partitions) share(ctx context.Context) (share int, taken map[string]bool, err error) {
	me := memberLease + p.cfg.Instance
	if held, err := p.cfg.Leases.Acquire(ctx, me, partitionLife); err != nil || !held {
		return 0, nil, errors.Join(err, fmt.Errorf("announce the instance %s, held %v", p.cfg.Instance, held))
	}
	members, err := p.cfg.Leases.Current(ctx, memberLease)
	if err != nil {
		return 0, nil, fmt.Errorf("list the instances: %w", err)
	}
	partitions, err := p.cfg.Leases.Current(ctx, partitionLease)
	if err != nil {
		return 0, nil, fmt.Errorf("list the partitions: %w", err)
	}
	taken = make(map[string]bool)
	for _, name := range partitions {
		taken[name] = true
	}
	slices.Sort(members)
	rank := max(slices.Index(members, me), 0)
	living := max(len(members), 1)
	share = p.cfg.Count / living
	if rank < p.cfg.Count%living {
		share++
	}
	return share, taken, nil
}

// keep renews the leases that are held.
func (p *Partitions) keep(ctx context.Context) error {
	var errs []error
	for _, n := range slices.Sorted(maps.Keys(p.held)) {
		until := p.cfg.Now().Add(partitionLife) // not later than the database has it
		held, err := p.cfg.Leases.Acquire(ctx, partitionName(n), partitionLife)
		switch {
		case err != nil:
			errs = append(errs, err)
		case held:
			p.held[n] = until
		default:
			p.leave(n)
		}
	}
	return errors.Join(errs...)
}

// expire leaves what could not be renewed, since another may have it.
func (p *Partitions) expire() {
	now := p.cfg.Now()
	for _, n := range slices.Sorted(maps.Keys(p.held)) {
		if !now.Before(p.held[n]) {
			p.leave(n)
		}
	}
}

func (p *Partitions) take(ctx context.Context, n int) error {
	until := p.cfg.Now().Add(partitionLife)
	held, err := p.cfg.Leases.Acquire(ctx, partitionName(n), partitionLife)
	if err != nil || !held {
		return err
	}
	if err := p.cfg.Take(n); err != nil {
		return &takeError{errors.Join(fmt.Errorf("read partition %d: %w", n, err), p.cfg.Leases.Release(ctx, partitionName(n)))}
	}
	p.held[n] = until
	return nil
}

func (p *Partitions) leave(n int) {
	p.cfg.Leave(n)
	delete(p.held, n)
}

// leaveAll gives everything back, so that the others need not wait for it to end.
func (p *Partitions) leaveAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	var errs []error
	for _, n := range slices.Sorted(maps.Keys(p.held)) {
		p.leave(n)
		errs = append(errs, p.cfg.Leases.Release(ctx, partitionName(n)))
	}
	errs = append(errs, p.cfg.Leases.Release(ctx, memberLease+p.cfg.Instance))
	if err := errors.Join(errs...); err != nil {
		p.cfg.Logger.Warn("the leases of partitions are not given back; they end by themselves", "error", err)
	}
}

func partitionName(n int) string { return partitionLease + strconv.Itoa(n) }

// trimPartition takes the partition off a topic to which a broker has added it, so that the box's own topic is left.
func trimPartition(topic string) string {
	at := strings.LastIndexByte(topic, '/')
	if at < 0 || at+1 == len(topic) || strings.Trim(topic[at+1:], "0123456789") != "" {
		return topic
	}
	return topic[:at]
}
