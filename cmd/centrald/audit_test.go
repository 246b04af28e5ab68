package main

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/journal"
	"haochaping/internal/proof/inspect"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// line is a log of visits that nobody answered, from the first to the last number, after a record with the given hash.
func line(t *testing.T, epoch rating.Epoch, prev rating.Hash, first, last uint64, detail string) (records [][]byte, head rating.Hash) {
	t.Helper()
	for seq := first; seq <= last; seq++ {
		raw, err := rating.Record{V: rating.RecordVersion, Device: box, Epoch: epoch, Seq: seq, Prev: prev,
			Body: rating.EventBody(rating.Stamp{Boot: 1}, rating.EventStarted, "log", detail)}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		records, prev = append(records, raw), rating.HashOf(raw)
	}
	return records, prev
}

// The administrator sees what is wrong, what it means and what to do, while centrald runs; and a script by the status.
func TestFindingsAndVerify(t *testing.T) {
	dir := t.TempDir()
	c := &centre{t: t, config: writeConfig(t, dir)}
	if _, err := c.command("findings", "-config", c.config); !errors.Is(err, errNoJournal) {
		t.Errorf("without books: %v", err)
	}
	c = startCentre(t, dir)
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.enrol(public)
	x, err := inspect.Open(t.Context(), filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	add := func(first, released uint64, records [][]byte) {
		t.Helper()
		b := wire.Batch{Device: box, Epoch: 7, First: first, Released: released, Records: records}
		b.Sign(key)
		if _, err := x.Journal.Append(t.Context(), journal.Entry{Kind: journal.Batch, Source: string(box), Received: time.Now().UnixMilli(),
			Key: public, Signature: b.Signature,
			Epoch: b.Epoch, First: first, Released: released, Parts: records}, nil); err != nil {
			t.Fatal(err)
		}
	}
	genesis := rating.Genesis(box, 7)
	one, head := line(t, 7, genesis, 1, 4, "one")
	two, _ := line(t, 7, genesis, 1, 3, "two")
	more, _ := line(t, 7, head, 5, 9, "one")
	add(1, 0, one)
	out, err := c.command("verify", "-config", c.config)
	if err != nil || !strings.Contains(out, "1 batches signed by their boxes") || !strings.HasSuffix(out, "verified\n") {
		t.Errorf("verify = %v\n%s", err, out)
	}
	if out, err := c.command("findings", "-config", c.config, "-lang", "en"); err != nil || out != "nothing is open\n" {
		t.Errorf("findings = %v\n%s", err, out)
	}
	add(1, 0, two)
	out, err = c.command("findings", "-config", c.config, "-lang", "en")
	if err != nil || !strings.Contains(out, "fork  lz-0417 (市民中心政务服务大厅 综合窗口7号), epoch 0000000000000007, records 1 to 3") ||
		!strings.Contains(out, "Stop the copy") {
		t.Errorf("findings = %v\n%s", err, out)
	}
	if out, err := c.command("verify", "-config", c.config); err != nil {
		t.Errorf("a fork whose both sides are signed: %v\n%s", err, out)
	}
	add(8, 7, more[3:]) // 5 to 7 are let go and were never here
	out, err = c.command("findings", "-config", c.config)
	if err != nil || !strings.Contains(out, "gap  ") || !strings.Contains(out, "records 5 to 7") {
		t.Errorf("findings with a gap = %v\n%s", err, out)
	}
	add(5, 4, more[:3])
	if out, err = c.command("findings", "-config", c.config); err != nil || !strings.Contains(out, "1 resolved") ||
		strings.Contains(out, "gap  ") {
		t.Errorf("findings = %v\n%s", err, out)
	}
	out, err = c.command("findings", "-config", c.config, "-all", "-json")
	var listed []listedFinding
	if err := json.Unmarshal([]byte(out), &listed); err != nil {
		t.Fatal(err)
	}
	if err != nil || len(listed) != 2 || listed[0].Kind != "gap" || listed[0].Resolved.IsZero() || listed[1].Kind != "fork" ||
		listed[1].To != 3 || listed[1].Means.ZH == "" {
		t.Errorf("findings = %v\n%s", err, out)
	}
	out, err = c.command("verify", "-config", c.config, "-json")
	var all verified
	if e := json.Unmarshal([]byte(out), &all); e != nil || err != nil || !all.Sound || all.Journal.Signed != 4 || all.Books.Rows == 0 {
		t.Errorf("verify = %v, %v\n%s", err, e, out)
	}
}
