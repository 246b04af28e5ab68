package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/rating"
)

// TestFaults starts centrald as a process of its own and does to it what may befall a centre.
func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("starts centrald many times")
	}
	program := programs.Path(t, "centrald")
	for _, fault := range []struct {
		name string
		test func(*testing.T, string)
	}{{"killed at random moments", killedAtRandomMoments}, {"one of two instances killed", oneOfTwoKilled}, {"books away", booksAway},
		{"books replaced by an older copy", booksReplaced}, {"copied card", copiedCard}} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel() // they mostly wait
			fault.test(t, program)
		})
	}
}

// grow appends to the boxes' logs until stop is closed.
func grow(t *testing.T, boxes []*client, stop <-chan struct{}) {
	for {
		for _, b := range boxes {
			b.append(t, 5, "growing")
		}
		select {
		case <-stop:
			return
		case <-time.After(30 * time.Millisecond):
		}
	}
}

func boxes(t *testing.T, s *station, n int) []*client {
	t.Helper()
	l := s.open()
	defer func() { _ = l.Close() }()
	var all []*client
	for i := range n {
		b := newClient(rating.DeviceID(fmt.Sprint("box-", i)), byte(i+1))
		b.enrol(t, l)
		b.append(t, 2000, "backlog")
		all = append(all, b)
	}
	return all
}

// Centrald is killed at random moments while boxes with a backlog send. Every record is in the books once.
func killedAtRandomMoments(t *testing.T, program string) {
	for name, broker := range map[string]func(*testing.T) string{"embedded": func(*testing.T) string { return "" },
		"mosquitto": startMosquitto} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStation(t, program, broker(t))
			s.start(s.config, "addresses.json").kill() // learns the key
			all := boxes(t, s, 3)
			for _, b := range all {
				b.run(t, s)
			}
			stop := make(chan struct{})
			grown := make(chan struct{})
			go func() { grow(t, all, stop); close(grown) }()
			before := uint64(0)
			for n := 0; n < 20 || before == 0 && n < 60; n++ { // a busy machine needs longer to take anything at all
				p := s.begin(s.config)
				time.Sleep(time.Duration(50+rand.IntN(400+50*n)) * time.Millisecond)
				p.kill()
				before = 0
				for _, b := range all {
					before += b.Released()
				}
			}
			close(stop)
			<-grown
			p := s.start(s.config, "addresses.json")
			for _, b := range all {
				b.wantReleased(t)
			}
			p.stop()
			s.wantBooks(all...)
			t.Logf("%d records were acknowledged between the kills, %d in all", before, all[0].Last()*3)
			if before == 0 {
				t.Error("nothing was acknowledged between the kills, so the test has tested nothing")
			}
		})
	}
}

// Two instances share one subscription and one file, so that the batches of a box arrive at different ones in any order.
func oneOfTwoKilled(t *testing.T, program string) {
	at := startMosquitto(t)
	s := newStation(t, program, at)
	second := filepath.Join(s.dir, "second.toml")
	s.write(second, "second.json", fmt.Sprintf("url = %q\n", "mqtt://"+at))
	one := s.start(s.config, "addresses.json")
	two := s.start(second, "second.json")
	all := boxes(t, s, 3)
	for _, b := range all {
		b.run(t, s)
	}
	stop := make(chan struct{})
	grown := make(chan struct{})
	go func() { grow(t, all, stop); close(grown) }()
	for range 4 {
		time.Sleep(time.Duration(100+rand.IntN(500)) * time.Millisecond)
		two.kill()
		time.Sleep(time.Duration(100+rand.IntN(300)) * time.Millisecond)
		two = s.start(second, "second.json")
	}
	close(stop)
	<-grown
	for _, b := range all {
		b.wantReleased(t)
	}
	one.stop()
	two.stop()
	s.wantBooks(all...)
}

// outage makes the books unusable and usable again.
type outage struct {
	name      string
	begin     func(t *testing.T, s *station)
	end       func(t *testing.T, s *station)
	prepare   func(t *testing.T, s *station) // before centrald starts
	readable  bool                           // the page still shows the books
	logged    string
	condition string // on the page
}

func (s *station) book() string { return filepath.Join(s.state, journalFile) }

func outages() []outage {
	var lock *os.File
	rename := func(t *testing.T, from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	return []outage{
		{name: "locked by another process", readable: true, logged: "database is locked", condition: "账本写不进去",
			begin: func(t *testing.T, s *station) {
				// What BEGIN EXCLUSIVE takes of a file with a write-ahead log: the writer's lock, byte 120 of its index.
				var err error
				if lock, err = os.OpenFile(s.book()+"-shm", os.O_RDWR, 0); err != nil {
					t.Fatal(err)
				}
				eventually(t, "the writer's lock", func() bool {
					return syscall.FcntlFlock(lock.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK, Start: 120, Len: 1}) == nil
				})
			},
			end: func(t *testing.T, _ *station) {
				if err := lock.Close(); err != nil {
					t.Fatal(err)
				}
			}},
		{name: "disk full", readable: true, logged: "disk is full", condition: "账本写不进去",
			prepare: func(t *testing.T, s *station) {
				if err := os.MkdirAll(s.state, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := syscall.Mount("tmpfs", s.state, "tmpfs", 0, "size=8m,mode=0700"); err != nil {
					t.Skipf("a small file system cannot be mounted here: %v", err)
				}
				mounted := s.state
				t.Cleanup(func() {
					if err := syscall.Unmount(mounted, 0); err != nil {
						t.Errorf("unmount %s: %v", mounted, err)
					}
				})
			},
			begin: func(t *testing.T, s *station) {
				f, err := os.Create(filepath.Join(s.state, "filler"))
				if err != nil {
					t.Fatal(err)
				}
				for block := make([]byte, 4096); err == nil; {
					_, err = f.Write(block)
				}
				_ = f.Close()
			},
			end: func(t *testing.T, s *station) {
				if err := os.Remove(filepath.Join(s.state, "filler")); err != nil {
					t.Fatal(err)
				}
			}},
		{name: "moved away", logged: "the database file is gone", condition: "数据库暂时读不到",
			begin: func(t *testing.T, s *station) { rename(t, s.book(), s.book()+".away") },
			end:   func(t *testing.T, s *station) { rename(t, s.book()+".away", s.book()) }},
		{name: "garbage in its place", logged: "file is not a database", condition: "数据库暂时读不到",
			begin: func(t *testing.T, s *station) {
				rename(t, s.book(), s.book()+".away")
				if err := os.WriteFile(s.book(), []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			end: func(t *testing.T, s *station) { rename(t, s.book()+".away", s.book()) }},
	}
}

// The books are away for a while. Nothing is acknowledged meanwhile, the log and the page say so, and centrald recovers
// by itself.
func booksAway(t *testing.T, program string) {
	for _, o := range outages() {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			s := newStation(t, program, "")
			if o.prepare != nil {
				o.prepare(t, s)
			}
			p := s.start(s.config, "addresses.json")
			b := boxes(t, s, 1)[0]
			b.run(t, s)
			b.wantReleased(t)
			o.begin(t, s)
			time.Sleep(200 * time.Millisecond) // an acknowledgement on its way arrives
			before := b.Released()
			for range 5 {
				b.append(t, 400, "outage")
				time.Sleep(50 * time.Millisecond)
			}
			eventually(t, "the log to say it", func() bool {
				return strings.Contains(s.log.String(), "the books cannot be written") && strings.Contains(s.log.String(), o.logged)
			})
			eventually(t, "the page to say it", func() bool {
				status, text := p.page("/")
				return strings.Contains(text, o.condition) && (status == 200) == o.readable
			})
			if status, text := p.page("/healthz"); status != 503 {
				t.Errorf("a monitor learns %d %s", status, text)
			}
			full := o.name == "disk full" // some of it still fitted
			if after := b.Released(); after != before && !full {
				t.Errorf("acknowledged through %d, then without books through %d", before, after)
			}
			o.end(t, s)
			b.wantReleased(t)
			eventually(t, "the page to be right again", func() bool {
				_, text := p.page("/")
				status, _ := p.page("/healthz")
				return status == 200 && !strings.Contains(text, "暂时收不进记录")
			})
			p.stop()
			if full {
				copyBooks(t, s)
			}
			s.wantBooks(b)
		})
	}
}

// copyBooks makes the station's books those on a file system that is going to be unmounted.
func copyBooks(t *testing.T, s *station) {
	t.Helper()
	to := filepath.Join(s.dir, "copy")
	if err := os.CopyFS(to, os.DirFS(s.state)); err != nil {
		t.Fatal(err)
	}
	s.state = to
}

// A copy of the database was put in the place of the newer one. Nothing is acknowledged before somebody has said that it is meant; then the
// box is asked for what it holds, and what nobody holds is a finding.
func booksReplaced(t *testing.T, program string) {
	s := newStation(t, program, "")
	p := s.start(s.config, "addresses.json")
	b := boxes(t, s, 1)[0]
	p.stop() // enrolled, and nothing received
	old := filepath.Join(s.dir, "old")
	if err := os.CopyFS(old, os.DirFS(s.state)); err != nil {
		t.Fatal(err)
	}
	p = s.start(s.config, "addresses.json")
	b.run(t, s)
	b.wantReleased(t)
	p.stop() // which signs the head
	for _, name := range []string{journalFile, booksFile} {
		for _, rest := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(filepath.Join(s.state, name+rest))
		}
		text, err := os.ReadFile(filepath.Join(old, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.state, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p = s.start(s.config, "addresses.json")
	before := b.Released()
	b.append(t, 100, "after")
	eventually(t, "the log to say it", func() bool { return strings.Contains(s.log.String(), "centrald accept") })
	if status, text := p.page("/healthz"); status != 503 || !strings.Contains(text, "centrald accept") {
		t.Errorf("a monitor learns %d %s", status, text)
	}
	if after := b.Released(); after != before {
		t.Errorf("acknowledged through %d, then on older books through %d", before, after)
	}
	out, err := (&centre{t: t}).command("accept", "-config", s.config)
	if err != nil || !strings.Contains(out, "rows came after it, as a head that was signed says") {
		t.Fatalf("accept: %v\n%s", err, out)
	}
	b.wantReleased(t)
	eventually(t, "what the box still held to come back", func() bool {
		out, err := (&centre{t: t}).command("findings", "-config", s.config)
		return err == nil && strings.Contains(out, "nothing is open")
	})
	p.stop()
	x := s.open()
	defer func() { _ = x.Close() }()
	f, err := x.Findings(t.Context())
	if err != nil || len(f) == 0 {
		t.Errorf("findings of the copy: %+v, %v", f, err)
	}
	for _, f := range f { // the box still had all of it
		if f.Kind != books.Gap || f.To > 2000 || f.Resolved.IsZero() {
			t.Errorf("finding of the copy: %+v", f)
		}
	}
	logs, err := x.Logs(t.Context())
	if err != nil || len(logs) != 1 || logs[0].Records != b.Last() || logs[0].Err != nil {
		t.Errorf("the journal holds %+v, %v; the box has sent %d records", logs, err, b.Last())
	}
	if problems, err := x.Verify(t.Context()); err != nil || len(problems) > 0 {
		t.Errorf("the centre does not verify: %q, %v", problems, err)
	}
}

// A copied card: two boxes with one name, key and log go on each for itself and take the connection from each other. Both
// get rid of their records, and the books say which numbers were used twice.
func copiedCard(t *testing.T, program string) {
	for name, broker := range map[string]func(*testing.T) string{"embedded": func(*testing.T) string { return "" },
		"mosquitto": startMosquitto} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStation(t, program, broker(t))
			p := s.start(s.config, "addresses.json")
			l := s.open()
			defer func() { _ = l.Close() }()
			original := newClient("box-1", 1)
			original.pause = 4 * time.Second // each needs a moment of its own, on a busy machine too
			original.enrol(t, l)
			original.append(t, 50, "common")
			copied := original.copy()
			original.append(t, 600, "original")
			copied.append(t, 400, "copy")
			original.run(t, s)
			copied.run(t, s)
			original.wantReleased(t)
			copied.wantReleased(t)
			p.stop()
			logs, err := l.Logs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(logs) != 1 || logs[0].Records != 650 || logs[0].Forks != 400 {
				t.Fatalf("the journal holds %+v; want 650 records and 400 forks: every record that was released", logs)
			}
			found, err := l.Findings(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			forks := uint64(0)
			for _, f := range found {
				if f.Kind == books.Fork {
					forks += f.To - f.From + 1
					if f.From < 51 || f.To > 450 {
						t.Errorf("fork %+v, want them from 51 to 450", f)
					}
				} else if f.Kind == books.ForkGap && f.Resolved.IsZero() {
					t.Errorf("%+v: nothing is missing", f)
				}
			}
			if forks != 400 {
				t.Errorf("%d numbers with forks: %+v", forks, found)
			}
			out, err := (&centre{t: t}).command("findings", "-config", s.config, "-lang", "en")
			if err != nil || !strings.Contains(out, "fork  box-1 (h n), epoch 0000000000000007, records 51 to 450") {
				t.Errorf("findings = %v\n%s", err, out)
			}
		})
	}
}
