package books

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// SchemaVersion is that of the tables. Books of another one are made anew, not converted.
const SchemaVersion = 7

// base is the tables that outlive generations. Times are milliseconds since 1970-01-01 UTC.
const base = `CREATE TABLE IF NOT EXISTS books_state (
  id {key},                             -- 1
  generation {int} NOT NULL,            -- that is read; 0: none yet
  schema_version {int} NOT NULL,        -- of that
  rules {int} NOT NULL,
  building {int} NOT NULL,              -- generation that is being made, 0: none
  building_schema {int} NOT NULL,
  building_rules {int} NOT NULL,
  last {int} NOT NULL                   -- the greatest generation that there ever was
);
CREATE TABLE IF NOT EXISTS books_decision (
  id {key},                             -- from 1, dense
  pos {int} NOT NULL,
  project TEXT NOT NULL,                -- the case, '' where it is an item of a visit
  device TEXT NOT NULL,
  visit {int} NOT NULL,
  subject {int} NOT NULL,
  evaluation {int} NOT NULL,            -- that counts now, 0: none
  instead {int} NOT NULL                -- that counted before, 0: none
)`

// generational is the tables of one generation. Words in braces are the engine's, and the tables' own names.
const generational = `CREATE TABLE {position} (
  id {key},                             -- 1
  pos {int} NOT NULL,                   -- row of the journal up to which the books are made
  devices {int} NOT NULL,               -- the greatest numbers given so far
  logs {int} NOT NULL,
  visits {int} NOT NULL,
  findings {int} NOT NULL,
  cases {int} NOT NULL
);
CREATE TABLE {device} (
  id {key},
  name TEXT NOT NULL,
  enrolled_at {int} NOT NULL,           -- when it first was, 0: never
  generation {int} NOT NULL,
  serves TEXT NOT NULL                  -- JSON of rating.Window, '': never enrolled
);
CREATE UNIQUE INDEX {device}_name ON {device} (name);
CREATE TABLE {log} (
  id {key},
  device {int} NOT NULL,
  epoch {int} NOT NULL,
  records {int} NOT NULL,
  quarantined {int} NOT NULL,
  forks {int} NOT NULL,
  entries {int} NOT NULL,
  gaps {int} NOT NULL,
  through {int} NOT NULL,
  boot {int} NOT NULL,                  -- the greatest
  others {int} NOT NULL,                -- rows of table run
  first {int} NOT NULL,                 -- of the last run, 0: none
  last {int} NOT NULL,
  prev {blob},                          -- of record first; NULL in quarantine
  hash {blob}                           -- of record last
);
CREATE INDEX {log}_epoch ON {log} (epoch);
CREATE TABLE {run} (                    -- but for the last of each log
  log {int} NOT NULL,
  first {int} NOT NULL,
  last {int} NOT NULL,
  prev {blob},
  hash {blob} NOT NULL,
  PRIMARY KEY (log, first)
) {clustered};
CREATE TABLE {span} (
  log {int} NOT NULL,
  boot {int} NOT NULL,
  last_mono {int} NOT NULL,
  ceiling {int} NOT NULL,
  anchors {blob} NOT NULL,              -- mono and wall of each, 8 bytes each, big endian
  earliest {int} NOT NULL,              -- bounds of the start
  latest {int} NOT NULL,
  contested {int} NOT NULL,             -- evaluations whose time decides and is not set
  PRIMARY KEY (log, boot)
) {clustered};
CREATE TABLE {fork} (
  log {int} NOT NULL,
  seq {int} NOT NULL,
  place {int} NOT NULL,                 -- row of the journal << 9 | part
  hash {blob} NOT NULL,
  prev {blob},
  PRIMARY KEY (log, seq, place)
) {clustered};
CREATE TABLE {salvaged} (
  log {int} NOT NULL,
  seq {int} NOT NULL,
  place {int} NOT NULL,                 -- of the record that holds it
  hash {blob} NOT NULL,
  PRIMARY KEY (log, seq, place)
) {clustered};
CREATE TABLE {visit} (
  n {key},
  id {int} NOT NULL,
  device {int} NOT NULL,
  opened_at {int} NOT NULL,             -- by the box's clock
  moment {int} NOT NULL,                -- the same where that clock is believed, else when its record came; 0: it has not
  visit TEXT NOT NULL,                  -- JSON of rating.Visit, '' while its record has not come
  closing TEXT NOT NULL,                -- JSON of rating.Closing, '' while it has not come
  closed_at {int} NOT NULL,             -- when that came
  area TEXT NOT NULL                    -- of the hall, for a box that does not say it
);
CREATE INDEX {visit}_id ON {visit} (id);
CREATE INDEX {visit}_open ON {visit} (device, n) WHERE closing = '';
CREATE TABLE {evaluation} (
  id {key},                             -- place of its record: row of the journal << 9 | part
  visit {int} NOT NULL,
  log {int} NOT NULL,                   -- 0 by phone
  seq {int} NOT NULL,
  subject {int} NOT NULL,
  project TEXT NOT NULL,
  level {int} NOT NULL,
  channel {int} NOT NULL,
  replaces {int} NOT NULL,
  boot {int} NOT NULL,
  mono {int} NOT NULL,
  wall {int} NOT NULL,
  synced {int} NOT NULL,                -- 0: no, 1: yes, 2: and believed
  received_at {int} NOT NULL,
  standing {int} NOT NULL,
  refused TEXT NOT NULL,                -- JSON of rating.Refusal, '': it is adopted
  contested {int} NOT NULL,             -- 1: its time decides between logs or phones
  submission TEXT NOT NULL,
  reasons TEXT NOT NULL,                -- codes, separated by spaces
  catalogue {int} NOT NULL,             -- version of the catalogue of the reasons, 0: not said
  texts {int} NOT NULL,                 -- 1: it has a free text, in the journal
  moment {int} NOT NULL,                -- by which lists are in order: its time where the box's clock is believed, else when it came
  post {int} NOT NULL,                  -- hash of where it was given, 0: not known; an area below zero: no box, a case in that area
  staff {int} NOT NULL,                 -- hash of who served, 0: not known
  tasks {int} NOT NULL                  -- bits of the matters that were handled
) {listed};
CREATE INDEX {evaluation}_visit ON {evaluation} (visit) WHERE standing <> 6; -- but for those that are crowded
CREATE INDEX {evaluation}_contested ON {evaluation} (log, boot) WHERE contested = 1;
CREATE INDEX {evaluation}_moment ON {evaluation} (moment, id, post, staff, level, channel, standing, subject, tasks, texts);
CREATE INDEX {evaluation}_post ON {evaluation} (post, moment, id, staff, level, channel, standing, subject, tasks, texts);
CREATE INDEX {evaluation}_staff ON {evaluation} (staff, moment, id, post) WHERE staff > 0;
CREATE INDEX {evaluation}_poor ON {evaluation} (moment, id, post, standing) WHERE level <= 2;
CREATE INDEX {evaluation}_apart ON {evaluation} (moment, id, post, standing) WHERE standing > 1;
CREATE INDEX {evaluation}_afar ON {evaluation} (moment, id, post, channel) WHERE channel > 2;
CREATE INDEX {evaluation}_texts ON {evaluation} (moment, id, post) WHERE texts = 1;
CREATE TABLE {reason} (
  id {key},                             -- place of its record
  log {int} NOT NULL,
  seq {int} NOT NULL,
  explains {int} NOT NULL,              -- seq of the evaluation
  visit {int} NOT NULL,                 -- as the box names it
  subject {int} NOT NULL,
  project TEXT NOT NULL,
  code TEXT NOT NULL,
  catalogue {int} NOT NULL
);
CREATE INDEX {reason}_explains ON {reason} (log, explains);
CREATE TABLE {claim} (
  cased {int} NOT NULL,                 -- number of the case, batch or theme
  evaluation {int} NOT NULL,
  overall {int} NOT NULL,
  direct {int} NOT NULL,                -- 0: through a batch or theme
  standing {int} NOT NULL,
  PRIMARY KEY (cased, evaluation)
) {clustered};
CREATE TABLE {case} (                   -- and batches and themes, which have claims and no file
  n {key},                              -- in the order in which they came, so that those of one time share their pages
  item {int} NOT NULL,                  -- hash of the case
  project TEXT NOT NULL,                -- its key
  file TEXT NOT NULL,                   -- JSON of rating.CaseFile, '': nothing but claims is known
  begins {int} NOT NULL,                -- when its periods began, 0: it is not completed
  day {int} NOT NULL,                   -- number of that day in Asia/Shanghai
  batch {int} NOT NULL,                 -- hash of what it belongs to, 0: nothing
  theme {int} NOT NULL,
  contact {int} NOT NULL,               -- place of what says it, 0: nothing does
  deadline {int} NOT NULL,              -- that has passed, if begins is no later than was presumed then; 0: none yet
  presumed {int} NOT NULL,              -- 0: any
  late_holds {int} NOT NULL,
  reminded {int} NOT NULL,              -- 0: not yet, 1: yes, 2: nobody knew how
  counts {int} NOT NULL,                -- evaluation that counts, 0: none, -1: none since a review has refused it
  waits {int} NOT NULL                  -- 1: its deadline is still to pass
);
CREATE INDEX {case}_item ON {case} (item);
CREATE INDEX {case}_batch ON {case} (batch) WHERE batch <> 0;
CREATE INDEX {case}_theme ON {case} (theme) WHERE theme <> 0;
CREATE INDEX {case}_waits ON {case} (day, n) WHERE waits = 1;
CREATE INDEX {case}_unasked ON {case} (begins, n) WHERE waits = 1 AND reminded = 0 AND counts = 0;
CREATE TABLE {finding} (
  id {key},
  device {int} NOT NULL,
  log {int} NOT NULL,                   -- 0 by phone
  kind {int} NOT NULL,
  first {int} NOT NULL,
  last {int} NOT NULL,
  count {int} NOT NULL,
  more {int} NOT NULL,                  -- 1: it stands for those that are not listed
  detail TEXT NOT NULL,
  found_at {int} NOT NULL,
  resolved_at {int}                     -- NULL while it stands
);
CREATE INDEX {finding}_about ON {finding} (device, log, kind);
CREATE INDEX {finding}_open ON {finding} (id) WHERE resolved_at IS NULL`

// tableNames returns the tables of a generation, in the order of their making.
func tableNames() []string {
	return []string{"position", "device", "log", "run", "span", "fork", "salvaged", "visit", "evaluation", "reason", "claim", "case",
		"finding"}
}

// tables names the tables of one generation.
type tables struct {
	engine     db.Engine
	generation int64
	schema     int64
	words      *strings.Replacer
}

func newTables(engine db.Engine, generation int64) tables {
	words := []string{"{key}", "INTEGER PRIMARY KEY", "{int}", "INTEGER", "{blob}", "BLOB", "{clustered}", "WITHOUT ROWID", "{listed}", ""}
	if engine == db.Postgres {
		words = []string{"{key}", "BIGINT PRIMARY KEY", "{int}", "BIGINT", "{blob}", "BYTEA", "{clustered}", "",
			// Lists read indexes alone where the server knows which pages everybody sees, and of the latest it would know last.
			"{listed}", "WITH (autovacuum_vacuum_insert_threshold = 50000, autovacuum_vacuum_insert_scale_factor = 0)"}
	}
	for _, n := range tableNames() {
		words = append(words, "{"+n+"}", fmt.Sprintf("b%d_%s", generation, n))
	}
	return tables{engine, generation, SchemaVersion, strings.NewReplacer(words...)}
}

// of returns a statement about this generation.
func (t tables) of(text string) string { return t.words.Replace(text) }

// name returns a table's name.
func (t tables) name(table string) string { return t.of("{" + table + "}") }

// create makes the tables, empty.
func (t tables) create(ctx context.Context, tx *db.Tx) error {
	if err := execAll(ctx, tx, t.of(generational)); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, t.of("INSERT INTO {position} (id, pos, devices, logs, visits, findings, cases) VALUES (1, 0, 0, 0, 0, 0, "+
		"0)"))
	return err
}

// drop removes the tables, as far as they are there.
func (t tables) drop(ctx context.Context, tx *db.Tx) error {
	names := tableNames()
	slices.Reverse(names)
	for _, n := range names {
		if _, err := tx.ExecContext(ctx, "DROP TABLE IF EXISTS "+t.name(n)); err != nil {
			return err
		}
	}
	return nil
}

func execAll(ctx context.Context, tx *db.Tx, script string) error {
	for _, text := range strings.Split(script, ";\n") {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// What follows are enumerations as the tables have them.

func subjects() []rating.Subject {
	return []rating.Subject{"", rating.StaffSubject, rating.MatterSubject}
}

func standings() []rating.Standing {
	return []rating.Standing{"", rating.Counted, rating.Replaced, rating.Later, rating.Unasked, rating.Late, rating.Crowded, rating.NotAdopted}
}

func channels() []rating.Channel {
	return append([]rating.Channel{"", rating.Keypad, rating.Phone}, rating.Channels()...)
}

func kinds() []FindingKind {
	return []FindingKind{"", Gap, Fork, BrokenChain, Quarantine, Damage, Reopened, ForkGap, Displaced, Contradiction, Crowd}
}

// number returns a value's place in its enumeration, 0 if it is none of it.
func number[T comparable](all []T, v T) int64 { return int64(max(0, slices.Index(all, v))) }

// value is the inverse of number.
func value[T any](all []T, n int64) T {
	if n < 0 || n >= int64(len(all)) {
		n = 0
	}
	return all[n]
}

func subjectNumber(s rating.Subject) int64 { return number(subjects(), s) }
func subjectOf(n int64) rating.Subject     { return value(subjects(), n) }
func kindOf(n int64) FindingKind           { return value(kinds(), n) }
