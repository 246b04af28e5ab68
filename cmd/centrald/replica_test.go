package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	kept "haochaping/internal/central/replica"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// TestAReplica copies a centre to which a box has sent, by the programs' commands: from a stranger's token nothing, by the right one all,
// which verifies with its books; and after the centre's database was changed by hand nothing more.
func TestAReplica(t *testing.T) {
	dir, folder := t.TempDir(), filepath.Join(t.TempDir(), "lanzhou")
	copies, secret := filepath.Join(dir, "copies"), filepath.Join(dir, "token")
	for path, text := range map[string]string{secret: "the province's token\n",
		copies: fmt.Sprintf("province %x\n", sha256.Sum256([]byte("the province's token"))), copies + ".wrong": "another\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	more := fmt.Sprintf("[seal]\ntokens_file = %q\n", copies)
	c := startCentreWith(t, dir, time.Now, more)
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.enrol(public)
	client, told := c.connect()
	payload := batch(t, key, rating.VisitID(0x1234))
	eventually(t, "the acknowledgement", func() bool {
		c.done(client.Publish(wire.Topic(box, wire.RecordsChannel), 1, false, payload))
		select {
		case <-told[wire.AckChannel]:
			return true
		case <-time.After(time.Second):
			return false
		}
	})
	c.wantLatest("[matter 4 keypad counted]")
	c.rateByPhone(key, rating.VisitID(0x1234))
	c.wantLatest("[staff 1 phone counted matter 4 keypad counted]")
	client.Disconnect(100)
	c.stop() // which signs the head
	c = startCentreWith(t, dir, time.Now, more)
	seal, err := c.command("key", "-seal", "-config", c.config)
	if err != nil {
		t.Fatal(err)
	}
	replica := func(token string, words ...string) (string, error) {
		all := []string{"replica", "-lang", "en", "-seal-key", strings.TrimSpace(seal), "-folder", folder}
		if token != "" {
			all = append(all, "-token-file", token, "-once")
		}
		return c.command(append(all, words...)...)
	}
	recorded := func() kept.Recorded {
		t.Helper()
		r, err := kept.Read(folder)
		if err != nil || r.Status == nil {
			t.Fatalf("recorded is %+v, %v", r, err)
		}
		return r
	}
	address := "http://" + c.at.Admin + "/seal"
	if out, err := replica(copies+".wrong", address); err == nil || !strings.Contains(err.Error(), "seal.tokens_file") {
		t.Errorf("by another token: %v\n%s", err, out)
	}
	if s := recorded().Status; s.Fault != kept.Token || s.URL != address || s.Failing.IsZero() || !s.Heard.IsZero() {
		t.Errorf("by another token it is recorded %+v", s)
	}
	if out, err := replica("", "-verify"); err == nil {
		t.Errorf("a copy of nothing is verified:\n%s", out)
	}
	if out, err := replica(secret, address); err != nil || !strings.Contains(out, "copied up to row ") {
		t.Fatalf("copied: %v\n%s", err, out)
	}
	if out, err := replica("", "-verify"); err != nil || !strings.HasSuffix(out, "verified\n") ||
		!strings.Contains(out, "1 batches signed by their boxes") {
		t.Errorf("verified: %v\n%s", err, out)
	}
	good := recorded()
	if s, v := good.Status, good.Verified; s.Fault != "" || s.Rows == 0 || len(s.Root) != 64 || s.Heard.IsZero() || v == nil || !v.Sound {
		t.Errorf("recorded is %+v, %+v", s, v)
	}
	// What is changed in the city by hand, with a head signed over it, is not what was copied.
	c.stop()
	other := startCentreWith(t, t.TempDir(), time.Now, more)
	other.stop()
	theirs := filepath.Join(filepath.Dir(other.config), "state")
	if err := os.Rename(filepath.Join(dir, "state", "seal.key"), filepath.Join(theirs, "seal.key")); err != nil {
		t.Fatal(err)
	}
	c = startCentreWith(t, filepath.Dir(other.config), time.Now, more)
	c.enrol(public)
	c.stop()
	c = startCentreWith(t, filepath.Dir(other.config), time.Now, more)
	if out, err := replica(secret, "http://"+c.at.Admin+"/seal"); err == nil {
		t.Errorf("another journal is copied into the same copy:\n%s", out)
	}
	if s := recorded().Status; !s.Fault.Ends() || s.Rows != good.Status.Rows || s.Root != good.Status.Root ||
		!s.Heard.Equal(good.Status.Heard) {
		t.Errorf("of another journal it is recorded %+v", s)
	}
	if out, err := replica("", "-verify"); err != nil {
		t.Errorf("the copy is not as it was: %v\n%s", err, out)
	}
}

// What is missing is named.
func TestAReplicaSaysWhatItTakes(t *testing.T) {
	c := &centre{t: t}
	for _, words := range [][]string{{}, {"-folder", "x", "http://127.0.0.1/seal"},
		{"-seal-key", "k", "-folder", "x", "http://127.0.0.1/seal"},
		{"-seal-key", "k", "-folder", "x", "-verify", "http://127.0.0.1/seal"}} {
		if _, err := c.command(append([]string{"replica"}, words...)...); err == nil || exitStatus(err) != 2 {
			t.Errorf("%v: %v", words, err)
		}
	}
}
