package journal_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// postgres is the server of all tests here that do nothing to it.
var postgres dbtest.Shared

func TestMain(m *testing.M) { os.Exit(postgres.Main(m)) }

// onBoth runs a test on SQLite and on PostgreSQL. It is given the address of an empty database.
func onBoth(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, postgres.Database(t)) })
}

// box makes signed batches of one log.
type box struct {
	id    rating.DeviceID
	key   ed25519.PrivateKey
	epoch rating.Epoch
	seq   uint64
	prev  rating.Hash
}

func newBox(id string) *box {
	seed := sha256.Sum256([]byte(id))
	b := &box{id: rating.DeviceID(id), key: ed25519.NewKeyFromSeed(seed[:]), epoch: 7}
	b.prev = rating.Genesis(b.id, b.epoch)
	return b
}

func (b *box) public() ed25519.PublicKey { return b.key.Public().(ed25519.PublicKey) }

// record returns the next record of the log.
func (b *box) record(t testing.TB) []byte {
	t.Helper()
	b.seq++
	r := rating.Record{V: rating.RecordVersion, Device: b.id, Epoch: b.epoch, Seq: b.seq, Prev: b.prev,
		Body: rating.EventBody(rating.Stamp{Boot: 1, Mono: int64(b.seq), Wall: 1_790_000_000_000, Synced: true}, rating.EventStarted, "n",
			fmt.Sprint(b.seq))}
	raw, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b.prev = rating.HashOf(raw)
	return raw
}

func (b *box) batch(t testing.TB, records int) journal.Entry {
	t.Helper()
	first := b.seq + 1
	var all [][]byte
	for range records {
		all = append(all, b.record(t))
	}
	return b.sign(first, 0, all)
}

func (b *box) sign(first, released uint64, records [][]byte) journal.Entry {
	w := wire.Batch{Device: b.id, Epoch: b.epoch, First: first, Released: released, Records: records}
	w.Sign(b.key)
	return journal.Entry{Kind: journal.Batch, Source: string(b.id), Received: 1_790_000_001_000, Key: b.public(), Signature: w.Signature,
		Epoch: b.epoch,
		First: first, Released: released, Parts: records}
}

func add(t testing.TB, j *journal.Journal, e journal.Entry) journal.Receipt {
	t.Helper()
	r, err := j.Append(context.Background(), e, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func enrol(t testing.TB, j *journal.Journal, b *box) {
	t.Helper()
	e, err := journal.Enrol(journal.Enrolment{Device: b.id, Key: b.public(),
		Window: rating.Window{ID: "1", Name: "1号窗口", Hall: "大厅", Generation: 1}, EnrolledAt: 1}, 1, "1")
	if err != nil {
		t.Fatal(err)
	}
	add(t, j, e)
}

func TestABatchIsEnteredOnceAndReadAsItCame(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		j, _, stop := journaltest.Open(t, url)
		b := newBox("lz-1")
		one, two := b.batch(t, 3), b.batch(t, 40)
		if r := add(t, j, one); r.Pos != 1 || !r.Entered || r.Ack != 3 || r.AckHead != rating.HashOf(one.Parts[2]) {
			t.Fatalf("the first batch: %+v", r)
		}
		if r := add(t, j, one); r.Entered || r.Ack != 3 {
			t.Fatalf("the first batch again: %+v", r)
		}
		if r := add(t, j, two); r.Pos != 2 || r.Ack != 43 {
			t.Fatalf("the second batch: %+v", r)
		}
		stop()
		j, _, _ = journaltest.Open(t, url) // what is remembered is gone
		if r := add(t, j, two); r.Entered || r.Ack != 43 {
			t.Fatalf("the second batch after a restart: %+v", r)
		}
		got, err := j.Read(t.Context(), 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		one.Pos, two.Pos = 1, 2
		if diff := cmp.Diff([]journal.Entry{one, two}, got, cmpopts.IgnoreUnexported(journal.Entry{})); diff != "" {
			t.Fatalf("what was read (-want +got):\n%s", diff)
		}
		again, err := j.Batches(t.Context(), b.id, b.epoch, 3, 4)
		if err != nil || len(again) != 2 || again[1].Pos != 2 {
			t.Fatalf("the batches of records 3 and 4: %+v, %v", again, err)
		}
	})
}

func TestAForkIsEnteredAndAcknowledgedToItsSender(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		j, _, _ := journaltest.Open(t, url)
		b, c := newBox("lz-1"), newBox("lz-1")
		common := b.batch(t, 2)
		add(t, j, common)
		c.seq, c.prev = b.seq, b.prev
		mine := b.batch(t, 2)
		add(t, j, mine)
		c.epoch = b.epoch
		raw := c.record(t)
		theirs := c.sign(3, 2, [][]byte{append(bytes.TrimSuffix(raw, []byte("}")), []byte(`,"x":1}`)...)})
		r := add(t, j, theirs)
		if !r.Entered || r.Forks != 1 || r.Ack != 3 || r.AckHead != rating.HashOf(theirs.Parts[0]) {
			t.Fatalf("a fork: %+v", r)
		}
		if r = add(t, j, theirs); r.Entered || r.Ack != 3 {
			t.Fatalf("the fork again: %+v", r)
		}
	})
}

func TestWhatCannotBeAcceptedIsEnteredAndSaid(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		j, _, _ := journaltest.Open(t, url)
		b := newBox("lz-1")
		good := b.record(t)
		twice := bytes.Replace(b.record(t), []byte(`"kind"`), []byte(`"kind":"event","kind"`), 1)
		r := add(t, j, b.sign(1, 0, [][]byte{good, twice, []byte(`7`), newBox("lz-2").record(t)}))
		if r.Ack != 4 || len(r.Quarantined) != 3 || r.Quarantined[0].Seq != 2 {
			t.Fatalf("got %+v", r)
		}
		if !strings.Contains(r.Quarantined[2].Reason, "device lz-2") {
			t.Errorf("another box's record: %q", r.Quarantined[2].Reason)
		}
	})
}

func TestPhoneTextsAreEncryptedAndErased(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		j, d, _ := journaltest.Open(t, url)
		const text = "排队太久，请多开一个窗口"
		answers := []rating.Evaluation{{Visit: 5, Subject: rating.StaffSubject, Level: 2, Channel: rating.Phone, Text: text},
			{Visit: 5, Subject: rating.MatterSubject, Level: 5, Channel: rating.Phone}}
		r, err := j.Rate(t.Context(), journal.Rating{Device: "lz-1", Name: "s1", Received: 5, Answers: answers})
		if err != nil || !r.Entered {
			t.Fatal(r, err)
		}
		if again, err := j.Rate(t.Context(), journal.Rating{Device: "lz-1", Name: "s1", Received: 5, Answers: answers}); err != nil ||
			again.Entered || again.Pos != r.Pos {
			t.Fatalf("the same sending: %+v, %v", again, err)
		}
		if got, err := j.Text(t.Context(), r.Pos, 0); err != nil || got != text {
			t.Fatalf("the text is %q, %v", got, err)
		}
		e, err := j.Entry(t.Context(), r.Pos)
		if err != nil || bytes.Contains(bytes.Join(e.Parts, nil), []byte("排队")) {
			t.Fatalf("the row shows the text: %v", err)
		}
		key := sealKey()
		if _, err := j.Seal(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if err := j.Erase(t.Context(), r.Pos, 0, "admin", "the citizen asked for it"); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Text(t.Context(), r.Pos, 0); !errors.Is(err, journal.ErrErased) {
			t.Fatalf("after the erasure: %v", err)
		}
		if keys, err := db.Query(t.Context(), d, func(s db.Scanner) (k []byte, err error) { return k, s.Scan(&k) },
			"SELECT key FROM secret"); err != nil || len(keys) > 0 {
			t.Fatalf("keys that are left: %d, %v", len(keys), err)
		}
		verified(t, j, key)
	})
}

func sealKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32)) }

// verified fails the test unless the journal verifies, and returns what was found.
func verified(t *testing.T, j *journal.Journal, key ed25519.PrivateKey) journal.Account {
	t.Helper()
	a, err := j.Verify(t.Context(), key.Public().(ed25519.PublicKey), func(int64, int64) {})
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Problems) > 0 {
		t.Fatalf("the journal does not verify: %q", a.Problems)
	}
	return a
}

func TestAProofNeedsNoJournal(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		j, _, stop := journaltest.Open(t, url)
		b := newBox("lz-1")
		enrol(t, j, b)
		for range 300 {
			add(t, j, b.batch(t, 2))
		}
		key := sealKey()
		if _, err := j.Seal(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		p, err := j.Prove(t.Context(), 137, 1)
		if err != nil {
			t.Fatal(err)
		}
		verified(t, j, key)
		origin, err := j.Origin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stop()
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		known, err := journal.Verifier(origin, key.Public().(ed25519.PublicKey))
		if err != nil {
			t.Fatal(err)
		}
		check := func(text []byte) error {
			var p journal.Proof
			if err := json.Unmarshal(text, &p); err != nil {
				return err
			}
			_, err := p.Check(known)
			return err
		}
		if err := check(text); err != nil {
			t.Fatal(err)
		}
		// Whatever is changed in it, it proves nothing any more.
		for name, change := range map[string]func(p *journal.Proof){
			"content": func(p *journal.Proof) { p.Content = b.record(t) }, "index": func(p *journal.Proof) { p.Index++ },
			"received": func(p *journal.Proof) { p.Header.Received++ }, "device": func(p *journal.Proof) { p.Header.Source = "lz-2" },
			"head": func(p *journal.Proof) { p.Checkpoint = strings.Replace(p.Checkpoint, "\n301\n", "\n302\n", 1) },
			"part": func(p *journal.Proof) { p.Part = 0 }, "inclusion": func(p *journal.Proof) { p.Inclusion[3][0] ^= 1 },
			"signature": func(p *journal.Proof) { p.Header.Signature[0] ^= 1 },
		} {
			var q journal.Proof
			if err := json.Unmarshal(text, &q); err != nil {
				t.Fatal(err)
			}
			change(&q)
			if _, err := q.Check(known); err == nil {
				t.Errorf("with another %s it still proves something", name)
			}
		}
	})
}

func exec(t testing.TB, d *db.DB, text string) {
	t.Helper()
	err := d.Write(context.Background(), func(tx *db.Tx) error {
		for s := range strings.SplitSeq(text, ";") {
			if _, err := tx.ExecContext(context.Background(), s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAnErasedKeyIsInNoFile destroys the keys of some of many texts, while somebody reads, and looks for them in the database's files.
func TestAnErasedKeyIsInNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j, d, _ := journaltest.Open(t, "sqlite:"+path)
	const texts = 400
	at := make([]int64, texts)
	for i := range texts {
		r, err := j.Rate(t.Context(), journal.Rating{Device: "lz-1", Name: fmt.Sprint("s", i), Received: 5,
			Answers: []rating.Evaluation{{Visit: 5,
				Subject: rating.StaffSubject, Level: 2, Channel: rating.Phone, Text: strings.Repeat("慢", 1+i%50)}}})
		if err != nil {
			t.Fatal(err)
		}
		at[i] = r.Pos
	}
	keys := make(map[int64][]byte)
	type key struct {
		pos int64
		key []byte
	}
	all, err := db.Query(t.Context(), d, func(s db.Scanner) (k key, err error) { return k, s.Scan(&k.pos, &k.key) },
		"SELECT pos, key FROM secret")
	if err != nil || len(all) != texts {
		t.Fatal(len(all), err)
	}
	for _, k := range all {
		keys[k.pos] = k.key
	}
	reading, read := make(chan struct{}), make(chan error, 1)
	go func() {
		read <- d.Read(context.Background(), func(tx *db.Tx) error {
			_, err := db.Query(context.Background(), tx, func(s db.Scanner) (n int64, err error) { return n, s.Scan(&n) },
				"SELECT count(*) FROM secret")
			close(reading)
			time.Sleep(300 * time.Millisecond) // while the first key is erased
			return err
		})
	}()
	<-reading
	for i, pos := range at {
		if i%7 == 0 {
			if err := j.Erase(t.Context(), pos, 0, "admin", "it was asked for"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	var files []byte
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, b...)
	}
	found := 0
	for i, pos := range at {
		if has := bytes.Contains(files, keys[pos]); has && i%7 == 0 {
			t.Errorf("the erased key of row %d is still in the files", pos)
		} else if has {
			found++
		}
	}
	if found != texts-(texts+6)/7 {
		t.Errorf("%d of the other keys are in the files: the test looks for the wrong thing", found)
	}
	for _, who := range []string{"admin", "another"} { // again, since the answer was lost
		if err := j.Erase(t.Context(), at[0], 0, who, "again"); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := j.Head(t.Context()); err != nil || n != texts+(texts+6)/7 {
		t.Errorf("%d rows, %v: an erasure that is asked for again is another row", n, err)
	}
	verified(t, j, sealKey())
}
