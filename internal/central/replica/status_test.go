package replica_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/central/journal"
	"haochaping/internal/central/replica"
)

// TestWhatIsRecorded: a status follows its steps: a fault begins once, keeps what is here, and ends with an answer; it comes back from its
// folder as it was.
func TestWhatIsRecorded(t *testing.T) {
	folder := t.TempDir()
	if r, err := replica.Read(folder); err != nil || r.Status != nil || r.Verified != nil {
		t.Fatalf("nothing is recorded, and it reads %+v, %v", r, err)
	}
	at := func(minutes int) time.Time {
		return time.Unix(1_800_000_000, 0).UTC().Add(time.Duration(minutes) * time.Minute)
	}
	head := journal.Checkpoint{Origin: "o", Size: 7}
	s := replica.Status{URL: "https://city.example.com/seal", Every: time.Minute}
	for i, step := range []struct {
		head  journal.Checkpoint
		more  bool
		err   error
		fault replica.Fault
		since int
		heard int
		rows  int64
	}{
		{err: errors.New("no route"), fault: replica.Line, since: 0, heard: -1},
		{head: head, more: true, since: -1, heard: 1, rows: 7},
		{head: head, err: fmt.Errorf("x: %w", replica.ErrToken), fault: replica.Token, since: 2, heard: 1, rows: 7},
		{head: head, err: replica.ErrChanged, fault: replica.Changed, since: 2, heard: 1, rows: 7},
		{head: head, since: -1, heard: 4, rows: 7},
		{head: head, err: replica.ErrOtherOrigin, fault: replica.Renamed, since: 5, heard: 4, rows: 7},
	} {
		s = s.After(step.head, step.more, step.err, at(i))
		ok := s.Fault == step.fault && s.Rows == step.rows && s.Looked.Equal(at(i)) && (s.Words == "") == (step.err == nil)
		ok = ok && (step.since < 0 && s.Failing.IsZero() || step.since >= 0 && s.Failing.Equal(at(step.since)))
		ok = ok && (step.heard < 0 && s.Heard.IsZero() || step.heard >= 0 && s.Heard.Equal(at(step.heard)))
		if !ok || s.Fault.Ends() != (step.fault == replica.Changed || step.fault == replica.Renamed) {
			t.Errorf("step %d: %+v", i, s)
		}
	}
	if !s.Grown.Equal(at(1)) || s.Stands(at(14)) || !s.Stands(at(16)) {
		t.Errorf("grown at %s, stands after 9 minutes %t, after 11 %t", s.Grown, s.Stands(at(14)), s.Stands(at(16)))
	}
	v := replica.Verification{At: at(3), Sound: true}
	if err := errors.Join(s.Keep(folder), v.Keep(folder)); err != nil {
		t.Fatal(err)
	}
	r, err := replica.Read(folder)
	if diff := cmp.Diff(replica.Recorded{Status: &s, Verified: &v}, r); err != nil || diff != "" {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
	if err := os.WriteFile(filepath.Join(folder, "status.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := replica.Read(folder); err == nil {
		t.Error("half a status is read")
	}
	if err := s.Keep(filepath.Join(folder, "gone")); err == nil {
		t.Error("a folder that is not there has kept a status")
	}
}
