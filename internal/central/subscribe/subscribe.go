// Package subscribe keeps who wants which figures told each week or month. The home page says that the figures of a period are there, until
// they were looked at; so does a mail, or the centre's webhook, once. None of them holds a figure: what a person may see is asked when they
// look, and where mail lies nobody asks.
package subscribe

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
)

//go:embed schema/*.sql
var schemas embed.FS

// ErrMany says that somebody has as many subscriptions as there may be.
var ErrMany = errors.New("订阅最多 20 项，请先取消几项 · there are twenty subscriptions; cancel some first")

const most = 20

// Way is how somebody is told, besides the home page.
type Way string

// The ways.
const (
	HomePage Way = "" // and no other
	Mail     Way = "mail"
	Webhook  Way = "webhook"
)

// Every is how often figures are told.
type Every string

// The intervals.
const (
	Week  Every = "week"
	Month Every = "month"
)

// Chinese returns the interval's name, empty of what is none.
func (e Every) Chinese() string { return map[Every]string{Week: "每周", Month: "每月"}[e] }

// Subscription is that somebody wants figures told.
type Subscription struct {
	N       int64
	Account string
	Every   Every
	Words   string        // what the figures are
	Query   string        // as an address has it, without days
	Seen    directory.Day // the day after the last period that was looked at, 0: none was
	Way     Way
	Address string        // of mail
	Told    directory.Day // the day after the last period that was told or given up
	Trouble string        // why that was not told, empty: it was
}

// Room keeps subscriptions. Its methods are safe for concurrent use.
type Room struct{ db *db.DB }

// Open brings the room's table up to date. It lies beside the journal.
func Open(ctx context.Context, d *db.DB) (*Room, error) {
	scripts, err := fs.Sub(schemas, "schema")
	if err == nil {
		err = d.Migrate(ctx, "subscribe", scripts)
	}
	if err != nil {
		return nil, fmt.Errorf("open the subscriptions: %w", err)
	}
	return &Room{d}, nil
}

// Add keeps a subscription, unless the person has it, or ErrMany.
func (r *Room) Add(ctx context.Context, s Subscription) error {
	return r.db.Write(ctx, func(tx *db.Tx) error {
		var mine, same int64
		err := tx.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(CASE WHEN every = $2 AND query = $3 THEN 1 ELSE 0 END), 0)
			FROM figure_subscription WHERE account = $1`, s.Account, string(s.Every), s.Query).Scan(&mine, &same)
		if err != nil || same > 0 {
			return err
		}
		if mine >= most {
			return ErrMany
		}
		// Two that come at once to two instances draw one number, and the later one draws again.
		for {
			if _, err := tx.ExecContext(ctx, `INSERT INTO figure_subscription (n, account, every, words, query, seen)
				SELECT coalesce(max(n), 0) + 1, $1, $2, $3, $4, 0 FROM figure_subscription WHERE true ON CONFLICT DO NOTHING`,
				s.Account, string(s.Every), s.Words, s.Query); err != nil {
				return err
			}
			var kept int64
			err := tx.QueryRowContext(ctx, "SELECT count(*) FROM figure_subscription WHERE account = $1 AND every = $2 AND query = $3",
				s.Account, string(s.Every), s.Query).Scan(&kept)
			if err != nil || kept > 0 {
				return err
			}
		}
	})
}

// Choose says how a person is told of the periods that end on a day or later.
func (r *Room) Choose(ctx context.Context, account string, n int64, way Way, address string, from directory.Day) error {
	return r.change(ctx, "UPDATE figure_subscription SET way = $3, address = $4, told = $5, trouble = '' WHERE account = $1 AND n = $2",
		account, n, string(way), address, int64(from))
}

const columns = "n, account, every, words, query, seen, way, address, told, trouble"

func scan(s db.Scanner) (x Subscription, err error) {
	return x, s.Scan(&x.N, &x.Account, &x.Every, &x.Words, &x.Query, &x.Seen, &x.Way, &x.Address, &x.Told, &x.Trouble)
}

// Of returns the subscriptions of a person, the oldest first.
func (r *Room) Of(ctx context.Context, account string) ([]Subscription, error) {
	all, err := db.Query(ctx, r.db, scan, "SELECT "+columns+" FROM figure_subscription WHERE account = $1 ORDER BY n", account)
	if err != nil {
		return nil, fmt.Errorf("read subscriptions: %w", err)
	}
	return all, nil
}

// outward returns the subscriptions that are told by more than the home page, the oldest first.
func (r *Room) outward(ctx context.Context) ([]Subscription, error) {
	all, err := db.Query(ctx, r.db, scan, "SELECT "+columns+" FROM figure_subscription WHERE way <> '' ORDER BY n")
	if err != nil {
		return nil, fmt.Errorf("read subscriptions: %w", err)
	}
	return all, nil
}

// told notes that a period that ends before a day was told, or why it never will be.
func (r *Room) told(ctx context.Context, n int64, end directory.Day, trouble string) error {
	return r.change(ctx, "UPDATE figure_subscription SET told = $2, trouble = $3 WHERE n = $1 AND told < $2", n, int64(end), trouble)
}

// Looked notes that a person has looked at the figures of a period that ends before a day.
func (r *Room) Looked(ctx context.Context, account string, n int64, end directory.Day) error {
	return r.change(ctx, "UPDATE figure_subscription SET seen = $3 WHERE account = $1 AND n = $2 AND seen < $3", account, n, int64(end))
}

// Drop ends a subscription of a person.
func (r *Room) Drop(ctx context.Context, account string, n int64) error {
	return r.change(ctx, "DELETE FROM figure_subscription WHERE account = $1 AND n = $2", account, n)
}

func (r *Room) change(ctx context.Context, text string, args ...any) error {
	err := r.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, text, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("change a subscription: %w", err)
	}
	return nil
}

func tables() []string { return []string{"figure_subscription"} }

// Room implements journal.Room.
func (r *Room) Room() string { return "subscribe" }

// Export writes the subscriptions into a backup. It implements journal.Room.
func (r *Room) Export(ctx context.Context, put func([]byte) error) error {
	return r.db.Dump(ctx, tables(), put)
}

// Import writes a row of a backup. It implements journal.Room.
func (r *Room) Import(ctx context.Context, section []byte) error {
	return r.db.Fill(ctx, tables(), section)
}
