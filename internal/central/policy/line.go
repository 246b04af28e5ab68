package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

func (r *Room) now() time.Time { return time.UnixMilli(r.cfg.Journal.Now()) }

// mostAnswered bounds how many policies one answer holds; who was away for long asks again.
const mostAnswered = 20

// Handler answers GET /policies?after=N with the signed policies that follow a number, for whoever is below. They are no secret.
func Handler(r *Room) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /policies", func(w http.ResponseWriter, q *http.Request) {
		after, err := strconv.ParseInt(q.URL.Query().Get("after"), 10, 64)
		if err != nil || after < 0 {
			http.Error(w, "after is the number of the last policy that is known, 0: none", http.StatusBadRequest)
			return
		}
		all, err := r.After(q.Context(), after)
		if err != nil {
			http.Error(w, "the policies cannot be read at present", http.StatusServiceUnavailable)
			return
		}
		out := []Signed{}
		for _, t := range all[:min(len(all), mostAnswered)] {
			out = append(out, t.Signed)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(out) // a failing write means that the reader is gone
	})
	return m
}

// Line is how the line to the level above is.
type Line struct {
	Heard   time.Time // when it has answered last, zero: never
	Failing time.Time // since when it does not, zero: it does
	Words   string    // why
}

// Line returns how the line is.
func (r *Room) Line(ctx context.Context) (Line, error) {
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (l Line, err error) {
		var heard, failing int64
		if err := s.Scan(&heard, &failing, &l.Words); err != nil {
			return l, err
		}
		for at, t := range map[*time.Time]int64{&l.Heard: heard, &l.Failing: failing} {
			if t > 0 {
				*at = time.UnixMilli(t)
			}
		}
		return l, nil
	}, "SELECT heard, failing, words FROM policy_line WHERE n = 1")
	if err != nil || len(all) == 0 {
		return Line{}, err
	}
	return all[0], nil
}

// note keeps how the line is.
func (r *Room) note(ctx context.Context, failed error) error {
	now := r.cfg.Journal.Now()
	return r.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO policy_line (n, heard, failing, words) VALUES (1, 0, 0, '')
			ON CONFLICT (n) DO NOTHING`); err != nil {
			return err
		}
		if failed == nil {
			_, err := tx.ExecContext(ctx, "UPDATE policy_line SET heard = $1, failing = 0, words = '' WHERE n = 1", now)
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE policy_line SET failing = CASE WHEN failing = 0 THEN $1 ELSE failing END, words = $2
			WHERE n = 1`, now, failed.Error())
		return err
	})
}

// Pull takes policies from the level above. Its methods are for one goroutine.
type Pull struct {
	Room   *Room
	URL    string // where its seal is, as https://province.example.gov.cn/seal
	Client *http.Client
	Holder string
	Every  time.Duration
	Logger *slog.Logger
}

const (
	leaseName = "policy"
	leaseTime = 5 * time.Minute
)

// Run asks until ctx ends, in one instance at a time.
func (p *Pull) Run(ctx context.Context) error {
	tick := time.NewTicker(p.Every)
	defer tick.Stop()
	said := ""
	for {
		err := p.Once(ctx)
		switch {
		case ctx.Err() != nil:
			return journal.GiveBack(ctx, p.Room.cfg.Journal, leaseName, p.Holder)
		case err == nil:
			said = ""
		case err.Error() != said:
			said = err.Error()
			p.Logger.Error("the level above gives no policy; what holds goes on to hold, and it is asked again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// Once takes all policies that are not here yet, if no other instance does, and notes how the line is.
func (p *Pull) Once(ctx context.Context) error {
	r := p.Room
	err := journal.KeepLease(ctx, r.cfg.Journal, leaseName, p.Holder, leaseTime)
	if errors.Is(err, journal.ErrElsewhere) {
		return nil
	}
	if err != nil {
		return err
	}
	err = p.all(ctx)
	if ctx.Err() != nil {
		return err
	}
	return errors.Join(err, r.note(ctx, err))
}

func (p *Pull) all(ctx context.Context) error {
	for {
		here, err := p.Room.After(ctx, 0)
		if err != nil {
			return err
		}
		last := int64(0)
		if len(here) > 0 {
			last = here[len(here)-1].Document.Number
		}
		// One is asked for that is here: where it is another one there, somebody has to know.
		some, err := p.ask(ctx, max(last-1, 0))
		if err != nil {
			return err
		}
		if last > 0 && len(some) == 0 {
			return fmt.Errorf("%w: %d", ErrBehind, last)
		}
		fresh := false
		for _, s := range some {
			took, err := p.Room.Take(ctx, By{Account: Source}, ByLine, s)
			if err != nil {
				return fmt.Errorf("%s: %w", s.Hash(), err)
			}
			if took {
				p.Logger.Info("a policy of the level above was taken", "hash", s.Hash())
			}
			fresh = fresh || took
		}
		if !fresh {
			return nil
		}
	}
}

func (p *Pull) ask(ctx context.Context, after int64) ([]Signed, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet,
		strings.TrimSuffix(p.URL, "/")+"/policies?after="+strconv.FormatInt(after, 10), nil)
	if err != nil {
		return nil, err
	}
	answer, err := p.Client.Do(q)
	if err != nil {
		return nil, fmt.Errorf("上级没有应答 · the level above does not answer: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	b, err := io.ReadAll(io.LimitReader(answer.Body, 2*mostAnswered*MaxBytes))
	if err != nil {
		return nil, fmt.Errorf("应答没有收完 · the answer broke off: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("上级应答 %s · the level above answers %s", answer.Status, answer.Status)
	}
	var all []Signed
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("应答读不懂：地址应为上级中心的 /seal · the answer cannot be read; is the address that of the centre's /seal? %w", err)
	}
	return all, nil
}
