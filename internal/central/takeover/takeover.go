// Package takeover enters the books of the first version, an SQLite file of five tables, into the journal: once, in the order of receipt, a
// row for each signature that was kept, rows without a signature for the records that have none, and the ratings by phone.
//
// It only reads that file, and may be run again after it was interrupted: what the journal has is not entered twice.
package takeover

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// schema is the version of the first books' last schema, the only one that is read. Books of an earlier one are brought to it by the last
// version that wrote them.
const schema = 4

// Report says what was taken over.
type Report struct {
	Devices, Signed, Unsigned, Phone int
	Broken                           []string // signatures that do not verify, whose records were entered without
	Keys                             []string // boxes that had another key before; whoever knows of no replacement looks into it
}

// Run takes over the books in the file at path. The journal must run. Progress is told now and then.
func Run(ctx context.Context, path string, j *journal.Journal, f *fleet.Fleet, progress func(done, all int64)) (Report, error) {
	old, err := db.Open(ctx, "sqlite:"+path)
	if err != nil {
		return Report{}, err
	}
	t := taking{ctx: ctx, path: path, old: old, j: j, progress: progress}
	if err := errors.Join(t.run(f), old.Close()); err != nil {
		return t.Report, fmt.Errorf("take over the books %s: %w", path, err)
	}
	return t.Report, nil
}

// taking is one run.
type taking struct {
	Report
	ctx      context.Context
	path     string
	old      *db.DB
	j        *journal.Journal
	plan     *plan
	done     int64 // records that were looked at, and items that were entered
	all      int64 // about as many as there are
	progress func(done, all int64)
}

func (t *taking) run(f *fleet.Fleet) (err error) {
	versions, err := db.Query(t.ctx, t.old, func(s db.Scanner) (v int, err error) { return v, s.Scan(&v) }, "PRAGMA user_version")
	if err != nil {
		return err
	}
	if len(versions) != 1 || versions[0] != schema {
		return fmt.Errorf("their schema is %v, this program reads %d; start the last version of centrald that wrote them once, which brings "+
			"them to it", versions, schema)
	}
	counted, err := db.Query(t.ctx, t.old, func(s db.Scanner) (n int64, err error) { return n, s.Scan(&n) },
		"SELECT (SELECT count(*) FROM record) + (SELECT count(*) FROM fork)")
	if err != nil {
		return err
	}
	t.all = counted[0]
	t.progress(0, t.all)
	if err := t.devices(f); err != nil {
		return fmt.Errorf("devices: %w", err)
	}
	if t.plan, err = newPlan(t.ctx, t.path); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	defer func() { err = errors.Join(err, t.plan.close()) }()
	if err := t.makePlan(); err != nil {
		return err
	}
	t.all = t.done + t.plan.n
	if err := t.plan.each(t.ctx, t.enter); err != nil {
		return err
	}
	t.progress(t.all, t.all)
	return nil
}

// seen tells the progress now and then.
func (t *taking) seen() {
	if t.done++; t.done%1000 == 0 {
		t.progress(t.done, max(t.all, t.done))
	}
}

// enter enters an item.
func (t *taking) enter(x item) error {
	defer t.seen()
	l := log{device: x.device, epoch: x.epoch}
	if x.kind == phoneItem {
		return t.phone(x)
	}
	var err error
	if l.parsed, err = rating.ParseEpoch(x.epoch); err != nil {
		return fmt.Errorf("log %s of %s: %w", x.epoch, x.device, err)
	}
	if x.kind == unsignedItem {
		return t.unproven(l, x)
	}
	p, err := t.proof(l, x)
	if err != nil {
		return fmt.Errorf("log %s of %s: %w", x.epoch, x.device, err)
	}
	return t.proven(l, p)
}

// makePlan plans what is to be entered besides the devices.
func (t *taking) makePlan() error {
	logs, err := db.Query(t.ctx, t.old, func(s db.Scanner) (l log, err error) { return l, s.Scan(&l.device, &l.epoch) },
		"SELECT device, epoch FROM record UNION SELECT device, epoch FROM fork UNION SELECT device, epoch FROM proof ORDER BY device, epoch")
	if err != nil {
		return err
	}
	for _, l := range logs {
		if err := t.planLog(l); err != nil {
			return fmt.Errorf("log %s of %s: %w", l.epoch, l.device, err)
		}
	}
	return errors.Join(t.planPhones(), t.plan.flush(t.ctx))
}

// devices enrols the boxes.
func (t *taking) devices(f *fleet.Fleet) error {
	all, err := db.Query(t.ctx, t.old, func(s db.Scanner) (d fleet.Device, err error) {
		var key []byte
		var text string
		var at int64
		if err := s.Scan(&d.ID, &key, &text, &at); err != nil {
			return d, err
		}
		d.Key, d.EnrolledAt = key, time.UnixMilli(at)
		var roster struct {
			Roster []rating.Member `json:"roster"`
		}
		err = errors.Join(json.Unmarshal([]byte(text), &d.Window), json.Unmarshal([]byte(text), &roster))
		d.Roster = roster.Roster
		return d, err
	}, "SELECT id, key, window, enrolled_at FROM device ORDER BY enrolled_at, id")
	if err != nil {
		return err
	}
	for _, d := range all {
		if err := errors.Join(t.earlierKeys(d), f.Put(t.ctx, d)); err != nil {
			return err
		}
		t.Devices++
	}
	return nil
}

// earlierKeys enters that a box was enrolled with the keys by which batches were signed that it no longer has: the old books knew the last
// one only.
func (t *taking) earlierKeys(d fleet.Device) error {
	keys, err := db.Query(t.ctx, t.old, func(s db.Scanner) (k []byte, err error) { return k, s.Scan(&k) },
		"SELECT key FROM proof WHERE device = $1 AND length(key) > 0 GROUP BY key ORDER BY min(received_at)", string(d.ID))
	if err != nil {
		return err
	}
	for _, k := range keys {
		if bytes.Equal(d.Key, k) {
			continue
		}
		e, err := journal.Enrol(journal.Enrolment{Device: d.ID, Key: k, Window: d.Window, EnrolledAt: d.EnrolledAt.UnixMilli()},
			d.EnrolledAt.UnixMilli(), fmt.Sprintf("earlier %x", k))
		if err != nil {
			return err
		}
		if _, err := t.j.Append(t.ctx, e, nil); err != nil {
			return err
		}
		t.Keys = append(t.Keys, string(d.ID))
	}
	return nil
}

// phone enters a rating by phone.
func (t *taking) phone(x item) error {
	type row struct {
		cursor, at              int64
		visit, subject, project string
		level                   int
		channel, reasons, text  string
	}
	rows, err := db.Query(t.ctx, t.old, func(s db.Scanner) (r row, err error) {
		return r, s.Scan(&r.cursor, &r.at, &r.visit, &r.subject, &r.project, &r.level, &r.channel, &r.reasons, &r.text)
	}, `SELECT cursor, at, visit, subject, project, level, channel, reasons, text FROM evaluation
		WHERE device = $1 AND epoch = '' AND seq = 0 AND submission = $2 ORDER BY cursor`,
		string(x.device), string(x.name))
	if err != nil {
		return fmt.Errorf("ratings by phone: %w", err)
	}
	sending := journal.Rating{Device: x.device, Name: string(x.name), Received: x.received}
	for _, r := range rows {
		e := rating.Evaluation{Subject: rating.Subject(r.subject), Case: r.project, Level: rating.Level(r.level),
			Channel: rating.Channel(r.channel), Text: r.text}
		if e.Visit, err = rating.ParseVisitID(r.visit); err == nil {
			err = json.Unmarshal([]byte(r.reasons), &e.Reasons)
		}
		if err != nil {
			return fmt.Errorf("rating %d by phone: %w", r.cursor, err)
		}
		sending.Answers = append(sending.Answers, e)
	}
	t.Phone++
	_, err = t.j.Rate(t.ctx, sending)
	return err
}

// log names a log of a device.
type log struct {
	device rating.DeviceID
	epoch  string
	parsed rating.Epoch // of epoch
}

// batch enters records that came together. Without a key they are unsigned.
func (t *taking) batch(b wire.Batch, key ed25519.PublicKey, received int64) error {
	e := journal.Entry{Kind: journal.Batch, Source: string(b.Device), Received: received, Epoch: b.Epoch, First: b.First, Released: b.Released,
		Parts: b.Records}
	if key != nil {
		e.Key, e.Signature = key, b.Signature
		t.Signed++
	} else {
		t.Unsigned++
	}
	r, err := t.j.Append(t.ctx, e, nil)
	if err == nil && r.Refused != "" {
		err = fmt.Errorf("the log of %s, records %d to %d: %s", b.Device, b.First, b.Last(), r.Refused)
	}
	return err
}
