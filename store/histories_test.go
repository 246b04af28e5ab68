package store

import (
	"bufio"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"haochaping/internal/proof/simulation"
	"haochaping/internal/rating"
)

// TestRandomHistories compares a store with a list over random histories of everything that can be done to it.
func TestRandomHistories(t *testing.T) {
	dir := t.TempDir()
	n := 0
	simulation.Check(t, func(t *rapid.T) {
		n++
		path := filepath.Join(dir, strconv.Itoa(n)+".db")
		o := options()
		o.Retain, o.anyGain = Retention{Bytes: 1}, true // removes all that it may
		s, err := Open(path, o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close(); _ = os.Remove(path) }()
		var all []rating.Body
		released, kept := 0, 0
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				var bodies []rating.Body
				for range rapid.IntRange(1, 40).Draw(t, "bodies") {
					bodies = append(bodies, sized(int64(len(all)+len(bodies)), rapid.SampledFrom([]int{0, 0, 0, 10, 150}).Draw(t, "cases")))
				}
				if first, err := s.Append(bodies...); err != nil || first != uint64(len(all))+1 {
					t.Fatalf("append: seq %d, %v", first, err)
				}
				all = append(all, bodies...)
			},
			"acknowledge": func(t *rapid.T) {
				through := rapid.IntRange(0, len(all)).Draw(t, "through")
				if err := s.Acknowledge(s.Epoch(), uint64(through)); err != nil {
					t.Fatal(err)
				}
				released = max(released, through)
			},
			"compact": func(t *rapid.T) {
				removed, err := s.Compact(rating.Stamp{Boot: 1})
				if err != nil {
					t.Fatal(err)
				}
				kept += int(removed)
				if kept > released || kept > max(0, len(all)-keptAlways) {
					t.Fatalf("removed through %d; released is %d of %d", kept, released, len(all))
				}
			},
			"reopen": func(t *rapid.T) {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if s, err = Open(path, o); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				r, err := s.Verify()
				if err != nil || r.Last != uint64(len(all)) || r.Records != uint64(len(all)-kept) {
					t.Fatalf("verify: %+v, %v; want %d records through %d", r, err, len(all)-kept, len(all))
				}
				first, records, err := s.Pending(0, 10, 1<<20)
				if err != nil || first != uint64(released)+1 || len(records) != min(10, len(all)-released) {
					t.Fatalf("pending: first %d, %d records, %v; released %d of %d", first, len(records), err, released, len(all))
				}
				for i, raw := range records {
					if r, err := rating.DecodeRecord(raw); err != nil || r.At != all[released+i].At {
						t.Fatalf("pending %d: %+v, %v", i, r, err)
					}
				}
			},
		})
	})
}

// appendForEver appends one record after the other and prints each seq once it is committed.
func appendForEver(path string) {
	s, err := Open(path, options())
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	for n := int64(0); ; n++ {
		seq, err := s.Append(press(n))
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(seq)
		if n%7 == 6 {
			if err := s.Acknowledge(s.Epoch(), seq-2); err != nil {
				fmt.Println("error", err)
			}
		}
	}
}

// TestKill kills a writing process with SIGKILL at random moments, its first start included: fifteen times, or more, and later, until one
// on a busy machine has come to write.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	last := uint64(0)
	for n := 0; n < 15 || last == 0 && n < 200; n++ { // on a slow machine it takes longer until something is committed
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), childEnv+"="+path)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(mathrand.IntN(60+10*n))*time.Millisecond, func() { _ = c.Process.Kill() })
		for lines := bufio.NewScanner(out); lines.Scan(); {
			seq, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				t.Fatalf("the writer said %q", lines.Text())
			}
			last = seq
		}
		_ = c.Wait()
		if _, err := os.Stat(path); err != nil && last == 0 {
			continue // killed before there was a file
		}
		s, err := Open(path, options())
		if err != nil {
			t.Fatal(err)
		}
		if r, err := s.Verify(); err != nil || r.Last < last {
			t.Fatalf("committed through %d, the file says %+v, %v", last, r, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if last == 0 {
		t.Error("nothing was ever committed; the test proves nothing")
	}
}
