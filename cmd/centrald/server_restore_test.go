package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/rating"
)

// TestServerRestore takes a centre from a server into files and back, and goes on with an older copy of its database.
func TestServerRestore(t *testing.T) {
	if testing.Short() {
		t.Skip("starts centrald and PostgreSQL")
	}
	program := programs.Path(t, "centrald")
	server := dbtest.StartPostgres(t)
	t.Run("backup", func(t *testing.T) { backupUnderLoad(t, program, server) })
	t.Run("older copy", func(t *testing.T) { olderCopy(t, program, server) })
}

// stopped ends a box once all that it has is acknowledged.
func stopped(t *testing.T, all []*client, stops []func()) {
	t.Helper()
	for i, b := range all {
		b.wantReleased(t)
		stops[i]()
	}
}

// starting starts the boxes and returns what stops each.
func starting(t *testing.T, s *station, all []*client) (stops []func()) {
	t.Helper()
	for _, b := range all {
		stops = append(stops, b.run(t, s))
	}
	return stops
}

// wantMissing compares the journal and the books with what the boxes have sent: each record is there once, or a finding says that it is
// missing. It returns how many are missing.
func (s *station) wantMissing(all []*client) (missing uint64) {
	t := s.t
	t.Helper()
	x := s.open()
	defer func() { _ = x.Close() }()
	lost := map[rating.DeviceID]uint64{}
	found, err := x.Findings(t.Context())
	for _, f := range found {
		if f.Kind != books.Gap || !f.Resolved.IsZero() {
			t.Errorf("finding %+v, want only that records are missing", f)
		}
		lost[f.Device] += f.To - f.From + 1
		missing += f.To - f.From + 1
	}
	if err != nil {
		t.Error(err)
	}
	logs, err := x.Logs(t.Context())
	if err != nil || len(logs) != len(all) {
		t.Errorf("%d logs, want %d; %v", len(logs), len(all), err)
	}
	sent := map[rating.DeviceID]uint64{}
	for _, b := range all {
		sent[b.device] = b.Last()
	}
	for _, l := range logs {
		if l.Forks+l.Bad > 0 || l.Last != sent[l.Device] || l.Records+lost[l.Device] != sent[l.Device] {
			t.Errorf("%+v, %d of %d records are said to be missing", l, lost[l.Device], sent[l.Device])
		}
	}
	if problems, err := x.Verify(t.Context()); err != nil || len(problems) > 0 {
		t.Errorf("the centre does not verify: %q, %v", problems, err)
	}
	return missing
}

// A backup is made while boxes send, and restored into files; another of those is restored into a server's database.
func backupUnderLoad(t *testing.T, program string, server dbtest.Postgres) {
	command := (&centre{t: t}).command
	s := onServer(t, program, startMosquitto(t), server.Database(t))
	p := s.start(s.config, "addresses.json")
	all := boxes(t, s, 3)
	stops := starting(t, s, all)
	stop := growing(t, all)
	within(t, time.Minute, "records to be acknowledged", func() bool { return all[0].Released() > 1000 })
	first := filepath.Join(s.dir, "first.backup")
	if out, err := command("backup", "-config", s.config, first); err != nil {
		t.Fatalf("backup: %v\n%s", err, out)
	}
	stop()
	for _, b := range all {
		b.append(t, 100, "after the backup")
	}
	stopped(t, all, stops)
	p.stop() // which signs the head
	s.wantBooks(all...)

	files := s.beside(program, "", headFile)
	out, err := command("restore", "-config", files.config, first)
	if err != nil || !strings.Contains(out, "rows came after it, as a head that was signed says") {
		t.Fatalf("restore into files: %v\n%s", err, out)
	}
	missing := goOn(t, files, all)
	if missing < 300 {
		t.Errorf("%d records are missing, want those that came after the backup", missing)
	}

	second := filepath.Join(s.dir, "second.backup")
	if out, err := command("backup", "-config", files.config, second); err != nil {
		t.Fatalf("backup of the files: %v\n%s", err, out)
	}
	back := files.beside(program, server.Database(t), headFile)
	if out, err := command("restore", "-config", back.config, second); err != nil {
		t.Fatalf("restore into the server: %v\n%s", err, out)
	}
	if again := goOn(t, back, all); again != missing {
		t.Errorf("%d records are missing on the server, %d in the files that were restored whole", again, missing)
	}
	if out, err := command("verify", "-config", back.config); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

// goOn starts a centre that was restored, sends it more, and returns how many records it says are missing.
func goOn(t *testing.T, s *station, all []*client) uint64 {
	t.Helper()
	p := s.start(s.config, "addresses.json")
	for _, b := range all {
		b.append(t, 50, "after the restore")
	}
	stopped(t, all, starting(t, s, all))
	p.stop()
	s.wantNoFault()
	return s.wantMissing(all)
}

// An older copy of the database was put in the place of the newer one. Nothing is acknowledged before somebody has said that it is meant.
func olderCopy(t *testing.T, program string, server dbtest.Postgres) {
	s := onServer(t, program, startMosquitto(t), server.Database(t))
	p := s.start(s.config, "addresses.json")
	all := boxes(t, s, 2)
	stopped(t, all, starting(t, s, all))
	p.stop()
	copied := server.Database(t)
	from, to := databaseName(s.books), databaseName(copied)
	for _, text := range []string{"DROP DATABASE " + to, "CREATE DATABASE " + to + " TEMPLATE " + from} {
		if _, err := server.Query("postgres", text); err != nil {
			t.Fatal(err)
		}
	}
	p = s.start(s.config, "addresses.json")
	for _, b := range all {
		b.append(t, 300, "after the copy")
	}
	stopped(t, all, starting(t, s, all))
	p.stop() // which signs the head
	s.use(copied)
	p = s.start(s.config, "addresses.json")
	before := all[0].Released()
	for _, b := range all {
		b.append(t, 100, "to the copy")
	}
	stops := starting(t, s, all)
	within(t, time.Minute, "the log to say it", func() bool { return strings.Contains(s.log.String(), "centrald accept") })
	if status, text := p.page("/healthz"); status != 503 || !strings.Contains(text, "centrald accept") {
		t.Errorf("a monitor learns %d %s", status, text)
	}
	if after := all[0].Released(); after != before {
		t.Errorf("acknowledged through %d, then on the older copy through %d", before, after)
	}
	out, err := (&centre{t: t}).command("accept", "-config", s.config)
	if err != nil || !strings.Contains(out, "rows came after it, as a head that was signed says") {
		t.Fatalf("accept: %v\n%s", err, out)
	}
	stopped(t, all, stops)
	p.stop()
	s.wantNoFault()
	if missing := s.wantMissing(all); missing != 600 {
		t.Errorf("%d records are missing, want the 600 that only the newer database had", missing)
	}
}

// databaseName returns the name in a server's URL.
func databaseName(url string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(url, "postgres://postgres@/"), "?")
	return name
}
