package journal_test

import (
	"crypto/ed25519"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
)

// full fills a journal with a row of each kind but a restore: boxes of two windows, gaps, a fork, what is quarantined, texts, one of them
// erased.
func full(t *testing.T, j *journal.Journal) {
	t.Helper()
	one, two := newBox("lz-1"), newBox("lz-2")
	enrol(t, j, one)
	enrol(t, j, two)
	for range 130 {
		add(t, j, one.batch(t, 2))
		add(t, j, two.batch(t, 3))
		if seq := one.seq; seq == 20 || seq == 40 || seq == 60 {
			if _, err := j.Seal(t.Context(), sealKey()); err != nil {
				t.Fatal(err)
			}
		}
	}
	lost := one.batch(t, 1)
	add(t, j, one.batch(t, 2)) // after a gap
	fork := newBox("lz-1")
	add(t, j, fork.sign(1, 0, [][]byte{lost.Parts[0]})) // a fork, and quarantined
	for i, text := range []string{"太慢", "很好"} {
		answers := []rating.Evaluation{{Visit: 5, Subject: rating.StaffSubject, Level: 2, Channel: rating.Phone, Text: text}}
		r, err := j.Rate(t.Context(), journal.Rating{Device: "lz-1", Name: fmt.Sprint("s", i), Received: 5, Answers: answers})
		if err == nil && i == 1 {
			err = j.Erase(t.Context(), r.Pos, 0, "admin", "it was asked for")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.Seal(t.Context(), sealKey()); err != nil {
		t.Fatal(err)
	}
}

// tampering is statements that change something behind the journal's back, by what they do.
func tampering() map[string]string {
	const columns = "kind, source, name, received, log, first, last, released, signer, signature, through, quarantine, leaf, packed, body"
	const fork, plain, phone, erasure = "quarantine IS NOT NULL", "pos = 50", "name = 's0'", "kind = 'erasure'"
	return map[string]string{
		"entry.pos":              "UPDATE entry SET pos = 100000 WHERE pos = 50",
		"entry.pos below":        "UPDATE entry SET pos = -50 WHERE pos = 50",
		"entry.pos none":         "INSERT INTO entry (pos, " + columns + ") SELECT 0, " + columns + " FROM entry WHERE " + plain,
		"entry.pos beyond":       "INSERT INTO entry (pos, " + columns + ") SELECT 90000, " + columns + " FROM entry WHERE " + plain,
		"entry.kind":             "UPDATE entry SET kind = 'device' WHERE " + plain,
		"entry.kind unknown":     "UPDATE entry SET kind = 'x' WHERE " + phone,
		"entry.source":           "UPDATE entry SET source = 'lz-2' WHERE source = 'lz-1' AND " + fork,
		"entry.name":             "UPDATE entry SET name = 's9' WHERE " + phone,
		"entry.name none":        "UPDATE entry SET name = NULL WHERE " + phone,
		"entry.name empty":       "UPDATE entry SET name = '' WHERE " + plain,
		"entry.received":         "UPDATE entry SET received = received + 1 WHERE " + plain,
		"entry.log":              "UPDATE entry SET log = 3 - log WHERE " + plain,
		"entry.log none":         "UPDATE entry SET log = NULL WHERE " + plain,
		"entry.first":            "UPDATE entry SET first = first + 1, last = last + 1 WHERE " + plain,
		"entry.first none":       "UPDATE entry SET first = NULL WHERE " + plain,
		"entry.first of a phone": "UPDATE entry SET first = 0 WHERE " + phone,
		"entry.last":             "UPDATE entry SET last = last + 1 WHERE " + plain,
		"entry.released":         "UPDATE entry SET released = 1 WHERE " + plain,
		"entry.released none":    "UPDATE entry SET released = NULL WHERE " + plain,
		"entry.signer":           "UPDATE entry SET signer = leaf WHERE " + plain,
		"entry.signer none":      "UPDATE entry SET signer = NULL WHERE " + plain,
		"entry.signature":        "UPDATE entry SET signature = (SELECT signature FROM entry e WHERE e.pos = 51) WHERE " + plain,
		"entry.signature none":   "UPDATE entry SET signature = NULL WHERE " + plain,
		"entry.through":          "UPDATE entry SET through = through + 1 WHERE " + plain,
		"entry.through none":     "UPDATE entry SET through = NULL WHERE " + plain,
		"entry.quarantine":       "UPDATE entry SET quarantine = NULL WHERE " + fork,
		"entry.quarantine added": "UPDATE entry SET quarantine = (SELECT quarantine FROM entry e WHERE e.quarantine IS NOT NULL) WHERE " + plain,
		"entry.leaf":             "UPDATE entry SET leaf = (SELECT leaf FROM entry e WHERE e.pos = 51) WHERE " + plain,
		"entry.packed":           "UPDATE entry SET packed = 1 WHERE " + plain,
		"entry.packed strange":   "UPDATE entry SET packed = 2 WHERE " + plain,
		"entry.body":             "UPDATE entry SET body = (SELECT body FROM entry e WHERE e.pos = 51) WHERE " + plain,
		"entry.body and leaf": "UPDATE entry SET body = (SELECT body FROM entry e WHERE e.pos = 52), leaf = (SELECT leaf FROM entry e WHERE " +
			"e.pos = 52) WHERE " + plain,
		"entry.body of a phone": "UPDATE entry SET body = (SELECT body FROM entry e WHERE e.name = 's1') WHERE " + phone,
		"entry removed":         "DELETE FROM entry WHERE pos = 50",
		"entry last removed":    "DELETE FROM entry WHERE " + erasure,
		"entry last forgotten":  "DELETE FROM entry WHERE " + erasure + "; UPDATE head SET size = size - 1",
		"entry closed up": "DELETE FROM entry WHERE pos = 50; UPDATE entry SET pos = -pos WHERE pos > 50; UPDATE entry SET pos = -pos - " +
			"1 WHERE pos < 0; UPDATE head SET size = size - 1",
		"entry exchanged": "UPDATE entry SET pos = -1 WHERE pos = 50; UPDATE entry SET pos = 50 WHERE pos = 51; UPDATE entry SET pos = " +
			"51 WHERE pos = -1",
		"entry inserted": "UPDATE entry SET pos = -pos WHERE pos >= 50; UPDATE entry SET pos = -pos + 1 WHERE pos < 0; INSERT INTO " +
			"entry (pos, " + columns + ") SELECT 50, " + columns + " FROM entry WHERE pos = 60; UPDATE head SET size = size + 1",
		"log.id":     "UPDATE log SET id = id + 10 WHERE device = 'lz-1'",
		"log.device": "UPDATE log SET device = 'lz-3' WHERE device = 'lz-1'",
		"log.epoch": "UPDATE log SET epoch = (SELECT replace(epoch, '7', '8') FROM log l WHERE l.device = 'lz-2') WHERE device = " +
			"'lz-1'",
		"log.through":   "UPDATE log SET through = through + 1 WHERE device = 'lz-2'",
		"log.hash":      "UPDATE log SET hash = (SELECT leaf FROM entry WHERE pos = 1) WHERE device = 'lz-2'",
		"log.hash none": "UPDATE log SET hash = NULL WHERE device = 'lz-2'",
		"log.since":     "UPDATE log SET since = since - 1 WHERE device = 'lz-1'",
		"log.released":  "UPDATE log SET released = released + 1 WHERE device = 'lz-1'",
		"log.beyond":    "UPDATE log SET beyond = (SELECT beyond FROM log l WHERE l.device = 'lz-2') WHERE device = 'lz-1'",
		"log removed":   "DELETE FROM log WHERE device = 'lz-2'",
		"log inserted": "INSERT INTO log (id, device, epoch, through, hash, since, released, beyond) SELECT 3, 'lz-9', epoch, " +
			"through, hash, since, released, beyond FROM log WHERE device = 'lz-2'",
		"head.size":             "UPDATE head SET size = size + 1",
		"head.logs":             "UPDATE head SET logs = logs + 1",
		"head removed":          "DELETE FROM head",
		"head.id":               "UPDATE head SET id = 2",
		"tile.level":            "UPDATE tile SET level = 5 WHERE level = 1",
		"tile.n":                "UPDATE tile SET n = 7 WHERE level = 0 AND n = 1",
		"tile.hashes":           "UPDATE tile SET hashes = (SELECT hashes FROM tile x WHERE x.level = 0 AND x.n = 0) WHERE level = 0 AND n = 1",
		"tile.hashes above":     "UPDATE tile SET hashes = (SELECT leaf FROM entry WHERE pos = 1) WHERE level = 1",
		"tile removed":          "DELETE FROM tile WHERE level = 1",
		"tile inserted":         "INSERT INTO tile (level, n, hashes) SELECT 0, 2, leaf FROM entry WHERE pos = 1",
		"checkpoint.size":       "UPDATE checkpoint SET size = size - 1",
		"checkpoint.signed":     "UPDATE checkpoint SET signed = replace(signed, 'haochaping', 'haochapinx')",
		"checkpoint removed":    "DELETE FROM checkpoint",
		"checkpoint first away": "DELETE FROM checkpoint WHERE size = (SELECT min(size) FROM checkpoint)",
		"checkpoint one away": "DELETE FROM checkpoint WHERE size = (SELECT max(size) FROM checkpoint WHERE size < (SELECT max(size) FROM " +
			"checkpoint))",
		"checkpoint last away": "DELETE FROM checkpoint WHERE size = (SELECT max(size) FROM checkpoint)",
		"checkpoint inserted":  "INSERT INTO checkpoint (size, signed) SELECT size - 1, signed FROM checkpoint",
		"seal.origin":          "UPDATE seal SET origin = 'haochaping-journal/0/1'",
		"seal.id":              "UPDATE seal SET id = 2",
		"seal inserted":        "INSERT INTO seal (id, origin) SELECT 2, origin FROM seal",
		"head inserted":        "INSERT INTO head (id, size, logs) SELECT 2, size, logs FROM head",
		"seal removed":         "DELETE FROM seal",
		"secret.pos":           "UPDATE secret SET pos = pos - 1",
		"secret.pos beyond":    "UPDATE secret SET pos = pos + 1000",
		"secret.part":          "UPDATE secret SET part = 1",
		"secret.key":           "UPDATE secret SET key = (SELECT signature FROM entry WHERE pos = 50)",
		"secret removed":       "DELETE FROM secret",
		"secret kept":          "INSERT INTO secret (pos, part, key) SELECT pos + 1, part, key FROM secret",
	}
}

// TestATamperedJournalIsFound changes each column of each table, takes rows away, inserts and exchanges them behind the journal's back.
func TestATamperedJournalIsFound(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		j, d, _ := journaltest.Open(t, url)
		full(t, j)
		public := sealKey().Public().(ed25519.PublicKey)
		if a := verified(t, j, sealKey()); a.Heads != 4 || a.Sealed != a.Rows {
			t.Fatalf("before: %+v", a)
		}
		for name, text := range tampering() {
			t.Run(name, func(t *testing.T) {
				restore := snapshot(t, d)
				exec(t, d, text)
				a, err := j.Verify(t.Context(), public, nothing)
				if err == nil && len(a.Problems) == 0 {
					t.Error("nothing was found")
				}
				restore()
			})
		}
		verified(t, j, sealKey())
	})
}

// TestEachColumnIsTamperedWith holds that no column of the journal's tables is forgotten. Leases are left out: they say who works, and
// nothing of what came in.
func TestEachColumnIsTamperedWith(t *testing.T) {
	_, d, _ := journaltest.Open(t, "sqlite:"+t.TempDir()+"/j.db")
	for _, table := range journalTables() {
		columns, err := db.Query(t.Context(), d, func(s db.Scanner) (c string, err error) { return c, s.Scan(&c) },
			"SELECT name FROM pragma_table_info('"+table+"')")
		if err != nil || len(columns) == 0 {
			t.Fatal(columns, err)
		}
		for _, c := range columns {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(tampering())),
				func(n string) bool { return n == table+"."+c || strings.HasPrefix(n, table+"."+c+" ") }) {
				t.Errorf("nobody tampers with %s.%s", table, c)
			}
		}
	}
}

func journalTables() []string {
	return []string{"entry", "log", "head", "tile", "checkpoint", "seal", "secret"}
}

// snapshot copies the journal's tables aside and returns a function that puts them back.
func snapshot(t *testing.T, d *db.DB) (restore func()) {
	t.Helper()
	var save, back []string
	for _, table := range journalTables() {
		save = append(save, "CREATE TABLE kept_"+table+" AS SELECT * FROM "+table)
		back = append(back, "DELETE FROM "+table, "INSERT INTO "+table+" SELECT * FROM kept_"+table, "DROP TABLE kept_"+table)
	}
	exec(t, d, strings.Join(save, "; "))
	return func() { exec(t, d, strings.Join(back, "; ")) }
}
