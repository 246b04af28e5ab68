package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// history is the boxes that have written years of books, and the books.
type history struct {
	p     *place
	at    *db.DB // of the books
	books *books.Books
	boxes []*box
	keys  map[rating.DeviceID]ed25519.PublicKey
}

// years fills journal and books with many evaluations and prints what then takes how long, and what a visit costs before and after.
func (b *bench) years(ctx context.Context, p *place) (err error) {
	h := &history{p: p, at: p.db, keys: make(map[rating.DeviceID]ed25519.PublicKey)}
	if h.at.Engine() == db.SQLite {
		if h.at, err = db.Open(ctx, "sqlite:"+filepath.Join(p.dir, "books.db")); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, h.at.Close()) }()
	}
	if err := h.open(ctx); err != nil {
		return err
	}
	if err := h.enrol(ctx, 1000); err != nil {
		return err
	}
	if err := h.live(ctx, "empty"); err != nil {
		return err
	}
	if err := h.fill(ctx, b.history); err != nil {
		return err
	}
	if err := h.live(ctx, "full"); err != nil {
		return err
	}
	return h.look(ctx)
}

func (h *history) open(ctx context.Context) (err error) {
	h.books, err = books.Open(ctx, books.Config{DB: h.at, Journal: h.p.journal, Holder: "bench", Now: time.Now,
		Logger: slog.New(slog.DiscardHandler)})
	return err
}

func (h *history) enrol(ctx context.Context, boxes int) error {
	for n := range boxes {
		x := newBox(n)
		h.boxes, h.keys[x.id] = append(h.boxes, x), x.public()
		e, err := journal.Enrol(journal.Enrolment{Device: x.id, Key: x.public(), Window: rating.Window{ID: "A12", Name: "综合受理12号窗口",
			Hall: "市民中心政务服务大厅", Generation: 1}, EnrolledAt: 1_790_000_000_000}, 1_790_000_000_000, "first")
		if err != nil {
			return err
		}
		if _, err := h.p.journal.Append(ctx, e, nil); err != nil {
			return err
		}
	}
	return nil
}

// some lets boxes write so many messages of some visits each, in turn.
func (h *history) some(messages, visits int) (payloads [][]byte, err error) {
	for n := range messages {
		payload, _, err := h.boxes[n%len(h.boxes)].message(visits)
		if err != nil {
			return nil, err
		}
		payloads = append(payloads, payload)
	}
	return payloads, nil
}

// spent runs f and prints how long it took.
func (h *history) spent(what string, f func() error) error {
	began, before := time.Now(), processor()
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	say(h.p.name+"_"+what+"_s", time.Since(began).Seconds(), "%.1f s of this program's processor time; resident at most %d MB",
		(processor() - before).Seconds(), peak()>>20)
	return nil
}

// live gives journal and books messages of one visit and prints what each costs, the projector included.
func (h *history) live(ctx context.Context, when string) error {
	const messages = 10_000
	payloads, err := h.some(messages, 1)
	if err != nil {
		return err
	}
	before := processor()
	if _, err = h.p.take(ctx, h.keys, payloads, 64); err != nil {
		return err
	}
	taken := processor() - before
	if _, err = follow(ctx, h.p, h.books); err != nil {
		return err
	}
	made := processor() - before - taken
	perVisit := func(d time.Duration) float64 { return float64(d.Microseconds()) / messages }
	say(h.p.name+"_visit_us_"+when, perVisit(taken+made), "µs of this program's processor time a visit: %.0f for the journal, %.0f for the "+
		"books",
		perVisit(taken), perVisit(made))
	return nil
}

// fill enters visits in batches, which the books follow in parts, as they would.
func (h *history) fill(ctx context.Context, visits int) error {
	const perMessage, part = 66, 1000
	var journalled, projected time.Duration
	began := time.Now()
	for done := 0; done < visits; done += part * perMessage {
		payloads, err := h.some(part, perMessage)
		if err != nil {
			return err
		}
		d, err := h.p.take(ctx, h.keys, payloads, 256)
		if err != nil {
			return err
		}
		journalled += d
		if d, err = follow(ctx, h.p, h.books); err != nil {
			return err
		}
		projected += d
		fmt.Fprintf(os.Stderr, "%d visits after %s: %s for the journal, %s for the books, the last %d of them %s\n", done+part*perMessage,
			time.Since(began).Round(time.Second), journalled.Round(time.Second), projected.Round(time.Second), part*perMessage,
			d.Round(time.Millisecond))
	}
	say(h.p.name+"_fill_s", (journalled + projected).Seconds(), "%d visits: %.0f s into the journal, %.0f s into the books",
		visits, journalled.Seconds(), projected.Seconds())
	return nil
}

// look prints what the full books take to be opened, read, verified and made anew.
func (h *history) look(ctx context.Context) error {
	seed := sha256.Sum256([]byte("seal"))
	key := ed25519.NewKeyFromSeed(seed[:])
	silent := func(books.Progress) {}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"start", func() error { return h.start(ctx) }},
		{"page", func() error { _, err := h.books.Latest(ctx, 50); return err }},
		{"seal", func() error { _, err := h.p.journal.Seal(ctx, key); return err }},
		{"rebuild", func() error { return h.books.Rebuild(ctx, silent) }},
		{"verify_journal", func() error {
			a, err := h.p.journal.Verify(ctx, key.Public().(ed25519.PublicKey), func(int64, int64) {})
			if err == nil && len(a.Problems) > 0 {
				err = fmt.Errorf("%d problems, the first: %s", len(a.Problems), a.Problems[0])
			}
			return err
		}},
		{"verify_books", func() error {
			v, err := h.books.Verify(ctx, silent)
			if err == nil && len(v.Differences) > 0 {
				err = fmt.Errorf("%d differences, the first: %s", len(v.Differences), v.Differences[0])
			}
			return err
		}},
	} {
		if err := h.spent(step.what, step.do); err != nil {
			return err
		}
	}
	return nil
}

// start opens databases, journal and books once more, as centrald does at its start, and lets the books follow one more row.
func (h *history) start(ctx context.Context) error {
	d, err := db.Open(ctx, h.p.url)
	if err != nil {
		return err
	}
	if _, err := openJournal(ctx, d); err != nil {
		return errors.Join(err, d.Close())
	}
	if err := d.Close(); err != nil {
		return err
	}
	if err := h.open(ctx); err != nil {
		return err
	}
	payloads, err := h.some(1, 1)
	if err != nil {
		return err
	}
	if _, err = h.p.take(ctx, h.keys, payloads, 1); err != nil {
		return err
	}
	_, err = follow(ctx, h.p, h.books)
	return err
}
