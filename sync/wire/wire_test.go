package wire

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/rating"
)

var update = flag.Bool("update", false, "write the golden files anew")

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// golden compares bytes with a file.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func goldenBatch() Batch {
	b := Batch{Device: "lz-0417", Epoch: 7, First: 3, Released: 1, Records: [][]byte{[]byte(`{"seq":3}`), []byte(`{"seq":4,"text":"<&>"}`)}}
	b.Sign(key(1))
	return b
}

func TestBatch(t *testing.T) {
	b := goldenBatch()
	payload, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/batch.json", payload)
	got, err := DecodeBatch(payload)
	if diff := cmp.Diff(b, got); err != nil || diff != "" {
		t.Fatalf("came back with %v (-want +got):\n%s", err, diff)
	}
	if !got.Verify(public(key(1))) || got.Verify(public(key(2))) || got.Verify(nil) {
		t.Error("the signature verifies with the wrong keys")
	}
	for name, change := range map[string]func(*Batch){
		"device": func(b *Batch) { b.Device = "lz-0418" }, "epoch": func(b *Batch) { b.Epoch++ }, "first": func(b *Batch) { b.First++ },
		"released": func(b *Batch) { b.Released++ }, "order": func(b *Batch) { b.Records[0], b.Records[1] = b.Records[1], b.Records[0] },
		"first record": func(b *Batch) { b.Records[0] = []byte(`{"seq":9}`) }, "one less": func(b *Batch) { b.Records = b.Records[1:] },
	} {
		c := goldenBatch()
		c.Records = append([][]byte(nil), c.Records...)
		change(&c)
		if c.Verify(public(key(1))) {
			t.Errorf("%s can be changed under the signature", name)
		}
	}
}

func TestBatchesRefused(t *testing.T) {
	payload, err := goldenBatch().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][2]string{
		"version": {`"v":1`, `"v":2`}, "count": {`"count":2`, `"count":3`}, "first": {`"first":3`, `"first":0`},
		"released":       {`"released":1`, `"released":3`},
		"record changed": {`"seq":4`, `"seq":5`}, "device": {`lz-0417`, `LZ`}, "epoch": {`0000000000000007`, `0000000000000000`},
		"sig": {`"sig":"`, `"sig":"AAAA`}, "cut": {`]}`, ``}, "big number": {`"first":3`, `"first":9007199254740992`},
		"a last record too far": {`"first":3`, `"first":9007199254740991`},
		"name twice":            {`"first":3`, `"first":3,"first":3`}, "other capitals": {`"first":3`, `"First":3`}, "more": {`]}`, `]}{}`},
		"no records": {`"records":[`, `"records":7,"x":[`},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(string(payload), c[0], c[1], 1)
			if changed == string(payload) {
				t.Fatal("the test changes nothing")
			}
			if b, err := DecodeBatch([]byte(changed)); err == nil {
				t.Errorf("accepted %+v", b)
			}
		})
	}
	if _, err := DecodeBatch(make([]byte, MaxBatch+1)); err == nil {
		t.Error("a payload beyond the bound was accepted")
	}
	if _, err := (Batch{}).Encode(); err == nil {
		t.Error("an empty batch was encoded")
	}
}

// TestADamagedRecordDamagesNoOther holds that a batch is read whatever stands in one of its records, so that only that one is quarantined.
func TestADamagedRecordDamagesNoOther(t *testing.T) {
	for _, damaged := range []string{`{"seq":3,"seq":3}`, `{"seq":3,"text":"\ud800"}`, "{\"seq\":3,\"text\":\"\xff\"}", `7`, `null`, `[[]]`} {
		b := goldenBatch()
		b.Records[0] = []byte(damaged)
		b.Sign(key(1))
		payload, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeBatch(payload)
		if diff := cmp.Diff(b, got); err != nil || diff != "" || !got.Verify(public(key(1))) {
			t.Errorf("%q: %v (-want +got):\n%s", damaged, err, diff)
		}
	}
}

// TestEveryFullBatchFits fills batches up to their bounds.
func TestEveryFullBatchFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, MaxBatchRecords).Draw(t, "records")
		size := MaxBatchBytes / n
		b := Batch{Device: "abcdefghijkl", Epoch: ^rating.Epoch(0), First: maxSafeInt - 1000, Released: maxSafeInt - 1001}
		for range n {
			b.Records = append(b.Records, append(append([]byte{'"'}, bytes.Repeat([]byte{'x'}, size-2)...), '"'))
		}
		b.Sign(key(1))
		payload, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeBatch(payload); err != nil || !got.Verify(public(key(1))) {
			t.Fatal(err)
		}
	})
}

func TestSealed(t *testing.T) {
	centre := key(3)
	ack := Ack{Device: "lz-0417", Epoch: 7, Through: 12, Head: rating.HashOf([]byte("record 12")),
		Quarantined: []Quarantined{{Seq: 9, Reason: "level 9"}}, Time: 1_790_000_000_000,
		First: 8, Last: 12, Kinds: rating.Kinds()}
	cmd := Command{Device: "lz-0417", ID: "c1", Name: CommandPhoneRated,
		Args: map[string]string{"visit": "0000000000000005", "subject": "staff"}, Expires: 1_790_000_900_000}
	cfg := Config{Device: "lz-0417", Window: rating.Window{ID: "A12", Name: "综合受理12号窗口", Hall: "市民中心", Generation: 3}}
	seal := func(p Purpose, v any) []byte {
		payload, err := Seal(centre, p, v)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "testdata/"+string(p)+".json", payload)
		return payload
	}
	ackBytes, cmdBytes, cfgBytes := seal(AckPurpose, &ack), seal(CommandPurpose, &cmd), seal(ConfigPurpose, &cfg)
	if got, err := OpenAck(public(centre), ackBytes); err != nil || !cmp.Equal(ack, got) {
		t.Errorf("ack %+v, %v", got, err)
	}
	if got, err := OpenCommand(public(centre), cmdBytes); err != nil || !cmp.Equal(cmd, got) {
		t.Errorf("command %+v, %v", got, err)
	}
	if got, err := OpenConfig(public(centre), cfgBytes); err != nil || !cmp.Equal(cfg, got) {
		t.Errorf("config %+v, %v", got, err)
	}
	for name, payload := range map[string][]byte{
		"other key": mustSeal(t, key(4), AckPurpose, &ack), "other purpose": cfgBytes,
		"changed": bytes.Replace(ackBytes, []byte(`"through":12`), []byte(`"through":99`), 1),
	} {
		if _, err := OpenAck(public(centre), payload); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v, want ErrSignature", name, err)
		}
	}
}

func mustSeal(t *testing.T, k ed25519.PrivateKey, p Purpose, v any) []byte {
	t.Helper()
	b, err := Seal(k, p, v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTopics(t *testing.T) {
	d, c, err := ParseTopic(Topic("lz-0417", AckChannel))
	if d != "lz-0417" || c != AckChannel || err != nil {
		t.Errorf("%s, %s, %v", d, c, err)
	}
	for _, s := range []string{"", "hcp/1/lz-0417", "hcp/2/lz-0417/ack", "hcp/1/LZ/ack", "hcp/1/lz-0417/ack/x", "hcp/1/+/ack",
		"hcp/1/lz-0417/secrets"} {
		if d, c, err := ParseTopic(s); err == nil {
			t.Errorf("%q was read as %s, %s", s, d, c)
		}
	}
}

func TestStates(t *testing.T) {
	days := 12
	h := Health{V: 1, Pending: 3, CertDays: &days, State: "idle"}
	b, err := EncodeState(h)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/health.json", b)
	if got, err := DecodeHealth(b); err != nil || !cmp.Equal(h, got) {
		t.Errorf("health %+v, %v", got, err)
	}
	for _, s := range []string{`{}`, `{"v":2}`, `[]`, `{"v":1`, `{"v":1,"x":"` + strings.Repeat("x", MaxState) + `"}`} {
		if _, err := DecodePresence([]byte(s)); err == nil {
			t.Errorf("presence %.20s was accepted", s)
		}
	}
	if p, err := DecodePresence([]byte(`{"v":1,"online":true,"mood":"good"}`)); err != nil || !p.Online {
		t.Errorf("a field of a later version: %+v, %v", p, err)
	}
}

// TestWordsOfForeignBoxes: what a box says of itself reaches tables whose text holds no zeros. An ID that no centre makes is refused, and
// words lose them.
func TestWordsOfForeignBoxes(t *testing.T) {
	for id, ok := range map[string]bool{`f-1`: true, `~!`: true, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false, ``: false,
		`f-\u0000`: false,
		`f-\n`:     false, `f 1`: false, `f-\u007f`: false, `f-窗`: false, `f-\ud800`: false, "f-\xff": false} {
		if r, err := DecodeReply([]byte(`{"v":1,"id":"` + id + `"}`)); (err == nil) != ok {
			t.Errorf("%q: %+v, %v", id, r, err)
		}
	}
	const said = `a\u0000b\\u0000\"窗`
	const want = `ab\u0000"窗`
	r, err := DecodeReply([]byte(`{"v":1,"id":"f-1","error":"` + said + `","parts":[{"name":"` + said + `","code":"` + said + `","what":"` +
		said + `"}]}`))
	if err != nil || r.Error != want || len(r.Parts) != 1 || r.Parts[0] != (Part{want, want, want}) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := DecodeReply([]byte(`{"v":1,"id":"f-1","parts":[{"name":"\u0000"}]}`)); err == nil {
		t.Error("a part without a name was accepted")
	}
	if p, err := DecodePresence([]byte(`{"v":1,"version":"` + said + `"}`)); err != nil || p.Version != want {
		t.Errorf("%+v, %v", p, err)
	}
	if h, err := DecodeHealth([]byte(`{"v":1,"state":"` + said + `","troubles":["` + said + `"]}`)); err != nil || h.State != want ||
		h.Troubles[0] != want {
		t.Errorf("%+v, %v", h, err)
	}
}

func FuzzDecoders(f *testing.F) {
	files, err := os.ReadDir("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if b, err := os.ReadFile("testdata/" + file.Name()); err == nil {
			f.Add(b)
		}
	}
	centre := public(key(3))
	f.Fuzz(func(t *testing.T, b []byte) {
		if batch, err := DecodeBatch(b); err == nil {
			payload, err := batch.Encode()
			if err != nil {
				t.Fatalf("a batch that was decoded cannot be encoded: %v", err)
			}
			if again, err := DecodeBatch(payload); err != nil || !cmp.Equal(batch, again) {
				t.Errorf("%+v came back as %+v, %v", batch, again, err)
			}
		}
		_, _ = OpenAck(centre, b)
		_, _ = OpenCommand(centre, b)
		_, _ = OpenConfig(centre, b)
		_, _ = DecodePresence(b)
		_, _ = DecodeHealth(b)
		_, _ = DecodeReply(b)
		_, _, _ = ParseTopic(string(b))
	})
}

// TestALogGoesNoFurtherThanNumbersAreExact: the last record that a box may have is one whose number each reader of JSON keeps.
func TestALogGoesNoFurtherThanNumbersAreExact(t *testing.T) {
	for last, want := range map[uint64]bool{1<<53 - 1: true, 1 << 53: false, 1<<64 - 1: false} {
		payload, err := EncodeState(Health{V: Version, State: "idle", Log: &LogHead{Epoch: 7, Last: last}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeHealth(payload); (err == nil) != want {
			t.Errorf("a log's last record is %d: %v", last, err)
		}
	}
}
