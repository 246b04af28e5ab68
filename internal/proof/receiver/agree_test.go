package receiver

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
	"haochaping/qrcode"
	"haochaping/sync/wire"
)

func boxKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, 32)) }

func keyText(k ed25519.PrivateKey) string {
	return base64.RawURLEncoding.EncodeToString(k.Public().(ed25519.PublicKey))
}

func (n *node) enrol(t fataler, device, key string, generation int) {
	t.Helper()
	var done struct{}
	n.ask(t, map[string]any{"do": "enrol", "device": device, "key": key,
		"window": map[string]any{"id": "A12", "name": "综合受理12号窗口", "hall": "市民中心", "generation": generation}}, &done)
}

// made returns the records of a log, in which the contents of a number differ by salt.
func made(t fataler, epoch rating.Epoch, n int, salt string) [][]byte {
	prev := rating.Genesis("made-up", epoch)
	var all [][]byte
	for seq := range n {
		r := rating.Record{V: rating.RecordVersion, Device: "made-up", Epoch: epoch, Seq: uint64(seq) + 1, Prev: prev,
			Body: rating.EventBody(rating.Stamp{Boot: 1, Mono: int64(seq), Wall: 1_790_000_000_000, Synced: true},
				rating.EventStarted, "salt", salt)}
		raw, err := r.Encode()
		if err != nil {
			t.Fatalf("%v", err)
		}
		prev = rating.HashOf(raw)
		all = append(all, raw)
	}
	return all
}

// damage makes something of a record that no centre can accept.
func damage(t *rapid.T, raw []byte) []byte {
	return rapid.SampledFrom([][]byte{
		[]byte(`7`), []byte(`{}`), []byte(`{"a":1,"a":2}`), []byte("{\"text\":\"\xff\"}"),
		bytes.Replace(raw, []byte(`"v":1`), []byte(`"v":2`), 1),
		bytes.Replace(raw, []byte(`"kind"`), []byte(`"Kind"`), 1), bytes.Replace(raw, []byte(`"mono":`), []byte(`"mono":-`), 1),
		bytes.Replace(raw, []byte(`made-up`), []byte(`made-in`), 1), bytes.Replace(raw, []byte(`"kind":"event"`), []byte(`"kind":"gossip"`), 1),
	}).Draw(t, "damage")
}

// TestAcknowledgementsAgree sends the same batches to the receiver and to the centre's journal: in any order, twice, with gaps, forks,
// damaged records, and records that the box has let go. Both must say the same.
func TestAcknowledgementsAgree(t *testing.T) {
	n := alone(t)
	n.enrol(t, "made-up", keyText(boxKey()), 1)
	j, _, _ := journaltest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"))
	epoch := rating.Epoch(0)
	seen := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		epoch++
		const length = 9
		logs := [][][]byte{made(t, epoch, length, "own"), made(t, epoch, length, "copy")}
		for i, raw := range logs[0] {
			if rapid.IntRange(0, 5).Draw(t, "damaged") == 0 {
				logs[0][i] = damage(t, raw)
			}
		}
		forked := false
		for range rapid.IntRange(1, 8).Draw(t, "batches") { // far less than the centre looks back
			which := 0
			if rapid.IntRange(0, 7).Draw(t, "copy") == 0 {
				which, forked = 1, true
			}
			first := rapid.IntRange(1, length).Draw(t, "first")
			last := rapid.IntRange(first, length).Draw(t, "last")
			b := wire.Batch{Device: "made-up", Epoch: epoch, First: uint64(first), Records: logs[which][first-1 : last]}
			if rapid.IntRange(0, 3).Draw(t, "lets go") == 0 {
				b.Released = uint64(rapid.IntRange(0, first-1).Draw(t, "released"))
			}
			b.Sign(boxKey())
			want, err := j.Append(t.Context(), journal.Entry{Kind: journal.Batch, Source: "made-up", Received: 1_790_000_001_000,
				Key: boxKey().Public().(ed25519.PublicKey), Signature: b.Signature, Epoch: epoch, First: b.First,
				Released: b.Released, Parts: b.Records}, nil)
			if err != nil {
				t.Fatal(err)
			}
			agree(t, n, b, want, forked, seen)
		}
	})
	for _, what := range []string{"quarantined", "behind", "missing", "whole", "silent"} {
		if seen[what] == 0 {
			t.Errorf("no batch was ever %s; the test proves nothing of it", what)
		}
	}
}

// agree holds what the receiver says to a batch against what the journal does.
func agree(t *rapid.T, n *node, b wire.Batch, want journal.Receipt, forked bool, seen map[string]int) {
	payload, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Refused string
		Ack     *struct {
			Through     uint64
			Head        string
			Quarantined []struct{ Seq uint64 }
		}
		Missing *struct{ First, Last uint64 }
	}
	n.ask(t, map[string]any{"do": "take", "device": "made-up", "payload": payload}, &got)
	switch says := want.Ack > 0 && want.AckHead != (rating.Hash{}); {
	case got.Refused != "":
		t.Fatalf("the receiver does not believe %s: %s", payload, got.Refused)
	case says && got.Ack == nil && (!forked || want.Ack >= b.First):
		t.Fatalf("the centre says %+v, the receiver nothing", want)
	case !says && got.Ack != nil && b.Released+1 == b.First && got.Ack.Through >= b.First:
		t.Fatalf("the centre says nothing, the receiver %+v, and the box holds nothing before that", got.Ack)
	case !says && got.Ack == nil:
		seen["silent"]++
	case !says: // it need not look as far back as one could, and the box begins again
		seen["held"]++
	case got.Ack == nil: // the record before the gap is another box's here
	case want.Ack != got.Ack.Through || !forked && want.AckHead.String() != got.Ack.Head:
		t.Fatalf("the centre says %d %s, the receiver %+v", want.Ack, want.AckHead, got.Ack)
	case want.Ack < b.Last():
		seen["behind"]++
	default:
		seen["whole"]++
	}
	if got.Ack != nil {
		var wantBad, gotBad []uint64
		for _, q := range want.Quarantined {
			wantBad = append(wantBad, q.Seq)
		}
		for _, q := range got.Ack.Quarantined {
			gotBad = append(gotBad, q.Seq)
		}
		if !slices.Equal(wantBad, gotBad) {
			t.Fatalf("the centre quarantines %v, the receiver %v", want.Quarantined, got.Ack.Quarantined)
		}
		seen["quarantined"] += len(gotBad)
	}
	missing := [2]uint64{}
	if got.Missing != nil {
		missing = [2]uint64{got.Missing.First, got.Missing.Last}
		seen["missing"]++
	}
	if missing != want.Missing {
		t.Fatalf("the centre misses %v, the receiver %v", want.Missing, missing)
	}
}

// TestWhatIsNotBelieved sends batches that nobody may believe.
func TestWhatIsNotBelieved(t *testing.T) {
	n := alone(t)
	n.enrol(t, "made-up", keyText(boxKey()), 1)
	b := wire.Batch{Device: "made-up", Epoch: 7, First: 2, Released: 1, Records: made(t, 7, 3, "own")[1:]}
	b.Sign(boxKey())
	good, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	take := func(payload string) string {
		var got struct{ Refused string }
		n.ask(t, map[string]any{"do": "take", "device": "made-up", "payload": []byte(payload)}, &got)
		return got.Refused
	}
	for name, change := range map[string][2]string{
		"name twice": {`"first":2`, `"first":2,"first":2`}, "other capitals": {`"first":2`, `"First":2`}, "count": {`"count":2`, `"count":3`},
		"released": {`"released":1`, `"released":2`}, "less released": {`"released":1`, `"released":0`}, "record": {`"seq":3`, `"seq":4`},
		"fraction": {`"first":2`, `"first":2.0`}, "more": {`]}`, `]}{}`}, "device": {`"device":"made-up"`, `"device":"other"`},
	} {
		changed := strings.Replace(string(good), change[0], change[1], 1)
		if changed == string(good) || take(changed) == "" {
			t.Errorf("%s: %s was believed", name, changed)
		}
	}
	if why := take(string(good)); why != "" {
		t.Errorf("the batch itself was refused: %s", why)
	}
}

// TestWhatCountsAgrees draws histories of visits, evaluations and reasons, and lets receiver and domain decide.
func TestWhatCountsAgrees(t *testing.T) {
	n := alone(t)
	counted, alone, reasons := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		l := drawLife(t)
		var got struct {
			Decisions []struct {
				Counts []item
				Reason string
			}
		}
		n.ask(t, l.order(), &got)
		for i, want := range l.history.Decide() {
			var items []item
			for _, w := range want.Items {
				if w.Case != (rating.CaseKey{}) {
					items = append(items, item{Case: w.Case.String()})
				} else {
					items = append(items, item{Device: string(w.Device), Visit: w.Visit.String(), Subject: string(w.Subject)})
				}
			}
			slices.SortFunc(got.Decisions[i].Counts, func(a, b item) int { return strings.Compare(a.Case, b.Case) })
			if diff := cmp.Diff(items, got.Decisions[i].Counts); diff != "" && len(items)+len(got.Decisions[i].Counts) > 0 {
				t.Fatalf("evaluation %+v (-domain +receiver):\n%s", want.Given, diff)
			}
			code := ""
			if want.Reason != nil {
				code, reasons = want.Reason.Code, reasons+1
			}
			if code != got.Decisions[i].Reason {
				t.Fatalf("evaluation %+v has the reason %q, at the receiver %q", want.Given, code, got.Decisions[i].Reason)
			}
			if len(items) > 0 {
				counted++
			} else {
				alone++
			}
		}
	})
	if counted == 0 || alone == 0 || reasons == 0 {
		t.Errorf("%d counted, %d did not, %d had reasons; the test proves nothing", counted, alone, reasons)
	}
}

// life is a history, as the domain has it and as the receiver reads it.
type life struct {
	history        rating.History
	visits         []map[string]any
	given, reasons []map[string]any
}

func (l *life) order() map[string]any {
	empty := []map[string]any{}
	return map[string]any{"do": "decide", "visits": append(empty, l.visits...), "given": append(empty, l.given...),
		"reasons": append(empty, l.reasons...)}
}

func drawLife(t *rapid.T) *life {
	l := &life{}
	type opened struct {
		device rating.DeviceID
		visit  rating.Visit
	}
	var all []opened
	for i := range rapid.IntRange(1, 4).Draw(t, "visits") {
		v := rating.Visit{ID: rating.VisitID(i + 1),
			Grouping: rapid.SampledFrom([]rating.Grouping{rating.Single, rating.Theme, rating.Batch}).Draw(t, "grouping"),
			Subjects: []rating.Subject{rating.StaffSubject, rating.MatterSubject}, Separate: rapid.Bool().Draw(t, "separate")}
		for _, project := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3).Draw(t, "cases") {
			v.Cases = append(v.Cases, rating.Case{ProjectNo: project, TaskCode: "1", Completed: rapid.Bool().Draw(t, "completed")})
		}
		o := opened{rapid.SampledFrom([]rating.DeviceID{"box-1", "box-2"}).Draw(t, "device"), v}
		all = append(all, o)
		if rapid.IntRange(0, 4).Draw(t, "arrived") > 0 {
			l.history.Open(o.device, v)
			l.visits = append(l.visits, map[string]any{"device": o.device, "visit": v})
		}
	}
	seqs := make(map[string]uint64)
	for i := range rapid.IntRange(1, 12).Draw(t, "evaluations") {
		o := rapid.SampledFrom(all).Draw(t, "of")
		e := rating.Evaluation{Visit: o.visit.ID, Level: 3, Channel: rating.Keypad}
		e.Subject = rapid.SampledFrom(o.visit.Subjects).Draw(t, "subject")
		if e.Subject == rating.MatterSubject {
			e.Case = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "case")
		}
		g := rating.Given{Device: o.device, Time: int64(rapid.IntRange(0, 5).Draw(t, "time"))}
		epoch := ""
		if rapid.IntRange(0, 2).Draw(t, "phone") == 0 {
			g.Submission, e.Channel = fmt.Sprint("s", i), rating.Phone
		} else {
			g.Epoch = rating.Epoch(rapid.IntRange(7, 8).Draw(t, "epoch"))
			epoch = g.Epoch.String()
			log := string(o.device) + epoch
			seqs[log]++
			g.Seq, e.Replaces = seqs[log], uint64(rapid.IntRange(0, 3).Draw(t, "replaces"))
		}
		g.Evaluation = e
		l.history.Give(g)
		l.given = append(l.given, map[string]any{"device": g.Device, "epoch": epoch, "seq": g.Seq, "submission": g.Submission, "time": g.Time,
			"evaluation": e})
		if g.Seq > 0 && rapid.Bool().Draw(t, "reason") {
			log := string(o.device) + epoch
			seqs[log]++
			r := rating.GivenReason{Device: g.Device, Epoch: g.Epoch, Seq: seqs[log]}
			r.Reason = rating.Reason{Visit: e.Visit, Subject: e.Subject, Case: e.Case,
				Of: uint64(rapid.IntRange(1, int(g.Seq)).Draw(t, "of")), Code: fmt.Sprint(i), Catalogue: 1}
			l.history.Explain(r)
			l.reasons = append(l.reasons, map[string]any{"device": r.Device, "epoch": epoch, "seq": r.Seq, "reason": r.Reason})
		}
	}
	return l
}

// TestLinksAgree lets the receiver read links that boxes sign, and what comes of them on the way.
func TestLinksAgree(t *testing.T) {
	n := alone(t)
	enrolled := make(map[rating.DeviceID]bool)
	rapid.Check(t, func(t *rapid.T) {
		subjects := rapid.IntRange(1, 3).Draw(t, "subjects")
		c := qrcode.Claim{Device: rating.DeviceID(rapid.StringMatching(`[0-9a-z]([0-9a-z-]{0,10}[0-9a-z])?`).Draw(t, "device")),
			Visit: rating.VisitID(rapid.Uint64Min(1).Draw(t, "visit")), Issued: time.Unix(int64(rapid.Uint32().Draw(t, "minute"))*60, 0).UTC(),
			Synced: rapid.Bool().Draw(t, "synced"), Staff: subjects&1 != 0, Matter: subjects&2 != 0}
		if !enrolled[c.Device] {
			n.enrol(t, string(c.Device), keyText(boxKey()), 1)
			enrolled[c.Device] = true
		}
		token, err := c.Sign(boxKey())
		if err != nil {
			t.Fatal(err)
		}
		link, err := qrcode.Link("https://rate.example.com", token)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"device": string(c.Device), "visit": c.Visit.String(), "issued": float64(c.Issued.UnixMilli()), "synced": c.Synced}
		switch subjects {
		case 1:
			want["subjects"] = []any{"staff"}
		case 2:
			want["subjects"] = []any{"matter"}
		default:
			want["subjects"] = []any{"staff", "matter"}
		}
		read := func(link string) (claim map[string]any) {
			var got struct{ Claim json.RawMessage }
			n.ask(t, map[string]any{"do": "read", "link": link}, &got)
			if err := json.Unmarshal(got.Claim, &claim); err != nil {
				t.Fatal(err)
			}
			return claim
		}
		for _, spelling := range []string{link, strings.ToLower(link)} {
			if diff := cmp.Diff(want, read(spelling)); diff != "" {
				t.Fatalf("%s (-box +receiver):\n%s", spelling, diff)
			}
		}
		i := rapid.IntRange(len(link)-len(token), len(link)-1).Draw(t, "changed")
		changed := []byte(link)
		changed[i] = byte(rapid.SampledFrom([]rune("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")).Draw(t, "letter"))
		if got := read(string(changed)); got != nil && changed[i] != link[i] {
			t.Fatalf("%s was read as %v", changed, got)
		}
	})
}
