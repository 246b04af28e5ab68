package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/proof/pgserver"
	"haochaping/internal/rating"
)

// TestServerFaults starts instances of centrald on a PostgreSQL server and a broker, and does to them and to the server what may befall
// them.
func TestServerFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("starts centrald and PostgreSQL many times")
	}
	program := programs.Path(t, "centrald")
	for _, fault := range []struct {
		name string
		test func(*testing.T, string)
	}{{"instances killed", instancesKilled}, {"server killed", serverKilled},
		{"standby promoted", standbyPromoted}, {"projector killed", projectorKilled},
		{"books made anew elsewhere", madeAnewElsewhere}} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel() // they mostly wait
			fault.test(t, program)
		})
	}
}

// durableServer starts a server that keeps what it has committed.
func durableServer(t *testing.T) dbtest.Postgres {
	t.Helper()
	return dbtest.StartPostgres(t, "fsync=on", "synchronous_commit=on", "full_page_writes=on")
}

// onServer returns a station whose journal and books are in a database on a server.
func onServer(t *testing.T, program, mqtt, books string) *station {
	t.Helper()
	s := newStation(t, program, mqtt)
	s.use(books)
	return s
}

// use makes the station's centrald use other books from its next start on.
func (s *station) use(books string) {
	s.t.Helper()
	s.books = books
	s.write(s.config, "addresses.json", fmt.Sprintf("url = %q\n", "mqtt://"+s.broker))
}

// beside returns a station of another instance of the same centre, with the same broker and keys and a state folder of its own.
func (s *station) beside(program, books string, files ...string) *station {
	s.t.Helper()
	other := onServer(s.t, program, s.broker, books)
	if err := os.MkdirAll(other.state, 0o700); err != nil {
		s.t.Fatal(err)
	}
	for _, name := range append(files, keyFile, sealFile) {
		text, err := os.ReadFile(filepath.Join(s.state, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(other.state, name), text, 0o600)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	other.key = s.key
	return other
}

// growing appends to the boxes' logs until the function that it returns is called.
func growing(t *testing.T, boxes []*client) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() { grow(t, boxes, end); close(ended) }()
	return func() { close(end); <-ended }
}

// sending starts the boxes, and returns a function that says how many records are acknowledged.
func sending(t *testing.T, s *station, all []*client) func() uint64 {
	t.Helper()
	for _, b := range all {
		b.run(t, s)
	}
	return func() (n uint64) {
		for _, b := range all {
			n += b.Released()
		}
		return n
	}
}

// wantNoFault checks that no failure of the database was taken for a fault of what a box has sent.
func (s *station) wantNoFault() {
	s.t.Helper()
	for _, line := range strings.Split(s.log.String(), "\n") {
		if strings.Contains(line, "fault of the program") ||
			strings.Contains(line, "a batch is not believed") || strings.Contains(line, "panic") {
			s.t.Errorf("centrald says: %s", line)
		}
	}
}

// Two instances share a server and a broker; one or the other is killed at random moments while boxes send.
func instancesKilled(t *testing.T, program string) {
	mqtt := startMosquitto(t)
	server := durableServer(t)
	one := onServer(t, program, mqtt, server.Database(t))
	p := one.start(one.config, "addresses.json")
	two := one.beside(program, one.books)
	stations := []*station{one, two}
	running := []*process{p, two.start(two.config, "addresses.json")}
	all := boxes(t, one, 3)
	acknowledged := sending(t, one, all)
	stop := growing(t, all)
	for range 8 {
		i := rand.IntN(2)
		time.Sleep(time.Duration(50+rand.IntN(500)) * time.Millisecond)
		running[i].kill()
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
		running[i] = stations[i].begin(stations[i].config)
	}
	stop()
	between := acknowledged()
	for _, b := range all {
		b.wantReleased(t)
	}
	for _, p := range running {
		p.stop()
		p.s.wantNoFault()
	}
	one.wantBooks(all...)
	t.Logf("%d records were acknowledged between the kills, %d in all", between, acknowledged())
	if between == 0 {
		t.Error("nothing was acknowledged between the kills, so the test has tested nothing")
	}
}

// The server is killed and started again while boxes send. Centrald goes on by itself.
func serverKilled(t *testing.T, program string) {
	mqtt := startMosquitto(t)
	server := durableServer(t)
	s := onServer(t, program, mqtt, server.Database(t))
	p := s.start(s.config, "addresses.json")
	all := boxes(t, s, 3)
	acknowledged := sending(t, s, all)
	stop := growing(t, all)
	for range 4 {
		before := acknowledged()
		within(t, time.Minute, "records to be acknowledged", func() bool { return acknowledged() > before })
		time.Sleep(time.Duration(rand.IntN(700)) * time.Millisecond)
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	for _, b := range all {
		b.wantReleased(t)
	}
	within(t, time.Minute, "the page to be right again", func() bool {
		status, _ := p.page("/healthz")
		return status == 200
	})
	p.stop()
	s.wantNoFault()
	s.wantBooks(all...)
}

// The server waits for a standby before it has committed. It is killed while boxes send, and the standby takes its place.
func standbyPromoted(t *testing.T, program string) {
	mqtt := startMosquitto(t)
	primary := durableServer(t)
	primary.Database(t)
	standby, err := primary.Standby()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := standby.Close(); err != nil {
			t.Errorf("end the standby: %v", err)
		}
	})
	for _, text := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
		if _, err := primary.Query("t1", text); err != nil {
			t.Fatal(err)
		}
	}
	within(t, time.Minute, "the synchronous standby", func() bool {
		state, err := primary.Query("t1", "SELECT sync_state FROM pg_stat_replication")
		return err == nil && state == "sync"
	})
	s := onServer(t, program, mqtt, pgserver.URL("t1", primary.Server, standby))
	p := s.start(s.config, "addresses.json")
	all := boxes(t, s, 3)
	acknowledged := sending(t, s, all)
	stop := growing(t, all)
	within(t, time.Minute, "records to be acknowledged", func() bool { return acknowledged() > 0 })
	time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	before := acknowledged()
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	within(t, time.Minute, "records to be acknowledged by the other server", func() bool { return acknowledged() > before+1000 })
	stop()
	for _, b := range all {
		b.wantReleased(t)
	}
	p.stop()
	s.wantNoFault()
	s.wantBooks(all...)
	t.Logf("%d records were acknowledged before the server was killed, %d in all", before, acknowledged())
}

// rated returns how many evaluations an instance's page shows.
func (p *process) rated() int {
	var page struct{ Entries []json.RawMessage }
	status, text := p.page("/api/latest")
	if status != 200 || json.Unmarshal([]byte(text), &page) != nil {
		return -1
	}
	return len(page.Entries)
}

// rate appends a visit whose staff was rated by key.
func (c *client) rate(t *testing.T, visit rating.VisitID) {
	t.Helper()
	at := rating.Stamp{Boot: 1, Mono: int64(visit) * 1000, Wall: time.Now().UnixMilli(), Synced: true}
	c.add(t, rating.VisitBody(at, rating.Visit{ID: visit,
		Window: rating.Window{ID: "w", Name: "n", Hall: "h", Generation: 1}, Staff: rating.Staff{ID: "6201"},
		Grouping: rating.Single, Cases: []rating.Case{{ProjectNo: fmt.Sprint("p-", c.device, visit), TaskName: "t", Completed: true}},
		Subjects: []rating.Subject{rating.StaffSubject}, Opener: rating.OpenedByPC, WaitSec: 60}),
		rating.EvaluationBody(at.Add(100*time.Millisecond), rating.Evaluation{
			Visit: visit, Subject: rating.StaffSubject, Level: 5, Channel: rating.Keypad, WaitedMS: 100}))
}

// The instance that makes the books is killed. Another one does so before long.
func projectorKilled(t *testing.T, program string) {
	mqtt := startMosquitto(t)
	server := durableServer(t)
	one := onServer(t, program, mqtt, server.Database(t))
	first := one.start(one.config, "addresses.json")
	b := boxes(t, one, 1)[0]
	b.run(t, one)
	b.rate(t, 1)
	within(t, time.Minute, "the page", func() bool { return first.rated() == 1 }) // so it has the lease
	two := one.beside(program, one.books)
	second := two.start(two.config, "addresses.json")
	b.rate(t, 2)
	within(t, time.Minute, "the page of the instance that does not make the books", func() bool { return second.rated() == 2 })
	first.kill()
	b.rate(t, 3)
	killed := time.Now()
	within(t, 2*time.Minute, "the page of the instance that is left", func() bool { return second.rated() == 3 })
	t.Logf("the books went on %v after the kill", time.Since(killed).Round(100*time.Millisecond))
	b.wantReleased(t)
	second.stop()
	two.wantNoFault()
	one.wantBooks(b)
}

// A new version is started beside another instance of it that makes the books anew already. It takes records and waits.
func madeAnewElsewhere(t *testing.T, program string) {
	server := dbtest.StartPostgres(t)
	s := onServer(t, program, startMosquitto(t), server.Database(t))
	p := s.start(s.config, "addresses.json")
	b := boxes(t, s, 1)[0]
	b.run(t, s)
	b.rate(t, 1)
	within(t, time.Minute, "the page", func() bool { return p.rated() == 1 })
	p.stop()
	for _, text := range []string{"UPDATE books_state SET rules = 0",
		fmt.Sprintf("INSERT INTO lease (name, holder, until) VALUES ('rebuild', 'another', %d)", time.Now().Add(4*time.Second).UnixMilli())} {
		if _, err := server.Query("t1", text); err != nil {
			t.Fatal(err)
		}
	}
	p = s.start(s.config, "addresses.json")
	b.rate(t, 2)
	b.wantReleased(t)
	within(t, time.Minute, "the page", func() bool { return p.rated() == 2 })
	p.stop()
	s.wantNoFault()
	s.wantBooks(b)
}
