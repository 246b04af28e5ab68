package journal_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
)

// room is another room's part of a backup.
type room struct{ sections [][]byte }

func (r *room) Room() string { return "other" }

func (r *room) Export(_ context.Context, put func([]byte) error) error {
	return errors.Join(put([]byte("one")), put([]byte("two")))
}

func (r *room) Import(_ context.Context, b []byte) error {
	r.sections = append(r.sections, b)
	return nil
}

func nothing(int64, int64) {}

// growingRoom keeps what the last row was when it was read. Each time some boxes are enrolled before and after that.
type growingRoom struct {
	room
	j             *journal.Journal
	before, after func(read int)
	read          int
}

func (r *growingRoom) Export(ctx context.Context, put func([]byte) error) error {
	r.read++
	r.before(r.read)
	n, err := r.j.Head(ctx)
	r.after(r.read)
	return errors.Join(err, put([]byte(strconv.FormatInt(n, 10))))
}

// TestABackupHoldsTheRowsThatItsRoomsKnow enrols boxes while the rooms are read: each row of which a room keeps something is in the backup,
// and once it is calm the rooms lack no row.
func TestABackupHoldsTheRowsThatItsRoomsKnow(t *testing.T) {
	for name, c := range map[string]struct {
		before, after int // times that a box is enrolled
		read          int
		behind        bool
	}{
		"calm":           {0, 0, 1, false},
		"once before":    {1, 0, 2, false},
		"once after":     {0, 1, 2, false},
		"some of each":   {3, 4, 5, false},
		"without an end": {100, 100, 10, true},
	} {
		t.Run(name, func(t *testing.T) {
			j, _, _ := journaltest.Open(t, "sqlite:"+t.TempDir()+"/a.db")
			add(t, j, newBox("lz-0").batch(t, 1))
			upTo := func(most int, side string) func(int) {
				return func(read int) {
					add(t, j, newBox("lz-"+side+strconv.Itoa(read)).batch(t, 1)) // changes no room
					if read <= most {
						enrol(t, j, newBox("lz-"+side+strconv.Itoa(read)))
					}
				}
			}
			r := &growingRoom{j: j, before: upTo(c.before, "b"), after: upTo(c.after, "a")}
			var file bytes.Buffer
			head, err := j.Export(t.Context(), &file, []journal.Room{r}, nothing)
			if err != nil {
				t.Fatal(err)
			}
			k, _, _ := journaltest.Open(t, "sqlite:"+t.TempDir()+"/b.db")
			var got room
			if _, err := k.Import(t.Context(), &file, []journal.Room{&got}, nil, "admin", nothing); err != nil {
				t.Fatal(err)
			}
			if len(got.sections) != 1 || r.read != c.read {
				t.Fatalf("the rooms were read %d times, want %d: %q", r.read, c.read, got.sections)
			}
			n, err := strconv.ParseInt(string(got.sections[0]), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			later, err := k.Read(t.Context(), n, 100)
			if err != nil || n > head.Rows {
				t.Fatalf("a room knows row %d, and %d are in the backup: %v", n, head.Rows, err)
			}
			behind := slices.ContainsFunc(later, func(e journal.Entry) bool { return e.Kind == journal.Device })
			if behind != c.behind {
				t.Errorf("an enrolment is lacking in the rooms: %t, want %t", behind, c.behind)
			}
		})
	}
}

// TestABackupUnderLoadIsRestored backs a journal up while boxes send, restores it into the other kind of database too, and lets the boxes
// go on.
func TestABackupUnderLoadIsRestored(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		j, _, _ := journaltest.Open(t, url)
		b, key := newBox("lz-1"), sealKey()
		enrol(t, j, b)
		enrol(t, j, newBox("lz-2"))
		text, err := j.Rate(t.Context(), journal.Rating{Device: "lz-1", Name: "s1", Received: 5,
			Answers: []rating.Evaluation{{Visit: 5, Subject: rating.StaffSubject, Level: 1, Channel: rating.Phone, Text: "太慢"}}})
		if err != nil {
			t.Fatal(err)
		}
		for range 120 { // more than a page
			add(t, j, b.batch(t, 2))
		}
		if _, err := j.Seal(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		var load sync.WaitGroup
		load.Go(func() {
			c := newBox("lz-2")
			for range 80 {
				add(t, j, c.batch(t, 1))
			}
		})
		var file bytes.Buffer
		head, err := j.Export(t.Context(), &file, []journal.Room{&room{}}, nothing)
		if err != nil {
			t.Fatal(err)
		}
		load.Wait()
		lost, err := j.Seal(t.Context(), key) // of rows that the backup does not have
		if err != nil {
			t.Fatal(err)
		}
		onBoth(t, func(t *testing.T, url string) {
			k, _, _ := journaltest.Open(t, url)
			var r room
			act, err := k.Import(t.Context(), bytes.NewReader(file.Bytes()), []journal.Room{&r}, &lost, "admin", nothing)
			if err != nil {
				t.Fatal(err)
			}
			if act.Rows != head.Rows || act.LastKnown != string(lost.Signed) ||
				!strings.HasPrefix(act.Origin, act.Before[:len(act.Before)-1]+"2-") || len(r.sections) != 2 {
				t.Errorf("restored %+v and %q", act, r.sections)
			}
			for after := int64(0); after < head.Rows; after += 100 {
				want, err1 := j.Read(t.Context(), after, 100)
				got, err2 := k.Read(t.Context(), after, 100)
				want, got = want[:min(len(want), int(head.Rows-after))], got[:min(len(got), int(head.Rows-after))]
				if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(journal.Entry{})); diff != "" || errors.Join(err1, err2) != nil {
					t.Fatalf("after row %d, %v:\n%s", after, errors.Join(err1, err2), diff)
				}
			}
			if got, err := k.Text(t.Context(), text.Pos, 0); err != nil || got != "太慢" {
				t.Errorf("the text is %q, %v", got, err)
			}
			more := *b
			if r := add(t, k, more.batch(t, 1)); !r.Entered || r.Ack != more.seq {
				t.Errorf("the next batch: %+v", r)
			}
			c, err := k.Seal(t.Context(), key)
			if err != nil || c.Origin != act.Origin {
				t.Fatalf("sealed as %s, %v", c.Origin, err)
			}
			verified(t, k, key)
			if _, err := k.Import(t.Context(), bytes.NewReader(file.Bytes()), []journal.Room{&r}, nil, "admin", nothing); !errors.Is(err,
				journal.ErrNotEmpty) {
				t.Errorf("restored over a journal: %v", err)
			}
		})
	})
}

// TestADamagedBackupIsRefused cuts and changes a backup anywhere.
func TestADamagedBackupIsRefused(t *testing.T) {
	url := "sqlite:" + t.TempDir()
	j, _, _ := journaltest.Open(t, url+"/a.db")
	b := newBox("lz-1")
	for range 20 {
		add(t, j, b.batch(t, 3))
	}
	if _, err := j.Seal(t.Context(), sealKey()); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := j.Export(t.Context(), &file, []journal.Room{&room{}}, nothing); err != nil {
		t.Fatal(err)
	}
	whole := file.Bytes()
	for i, bad := range [][]byte{append(bytes.Clone(whole), 0), append(bytes.Clone(whole), whole...), append(bytes.Clone(whole), "more"...),
		nil, whole[:1], whole[:len(whole)/2], whole[:len(whole)-1], flip(whole, len(whole)/2), flip(whole, len(whole)-40)} {
		k, _, stop := journaltest.Open(t, url+"/b"+string(rune('0'+i))+".db")
		if _, err := k.Import(t.Context(), bytes.NewReader(bad), []journal.Room{&room{}}, nil, "admin", nothing); !errors.Is(err,
			journal.ErrBackup) {
			t.Errorf("damaged backup %d: %v", i, err)
		}
		stop()
	}
}

// TestADiskThatCannotBeReadIsNoBadBackup says what is wrong with the disk, and not that the file is no backup.
func TestADiskThatCannotBeReadIsNoBadBackup(t *testing.T) {
	url := "sqlite:" + t.TempDir()
	j, _, _ := journaltest.Open(t, url+"/a.db")
	add(t, j, newBox("lz-1").batch(t, 3))
	var file bytes.Buffer
	if _, err := j.Export(t.Context(), &file, []journal.Room{&room{}}, nothing); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("input/output error")
	k, _, _ := journaltest.Open(t, url+"/b.db")
	_, err := k.Import(t.Context(), io.MultiReader(bytes.NewReader(file.Bytes()[:file.Len()/2]), iotest.ErrReader(broken)),
		[]journal.Room{&room{}}, nil, "admin", nothing)
	if !errors.Is(err, broken) || errors.Is(err, journal.ErrBackup) {
		t.Errorf("got %v", err)
	}
}

// roomThatFails is one whose part of a backup cannot be restored, as when the machine stops at it.
type roomThatFails struct{ room }

var errStopped = errors.New("stopped")

func (r *roomThatFails) Import(context.Context, []byte) error { return errStopped }

// TestHalfARestoreIsNoJournal ends a restore after its rows: the journal has no name, signs nothing and goes on from nothing.
func TestHalfARestoreIsNoJournal(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		j, _, _ := journaltest.Open(t, "sqlite:"+t.TempDir()+"/a.db")
		add(t, j, newBox("lz-1").batch(t, 3))
		known, err := j.Seal(t.Context(), sealKey())
		if err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		if _, err := j.Export(t.Context(), &file, []journal.Room{&room{}}, nothing); err != nil {
			t.Fatal(err)
		}
		k, _, _ := journaltest.Open(t, url)
		if _, err := k.Import(t.Context(), &file, []journal.Room{&roomThatFails{}}, nil, "admin", nothing); !errors.Is(err, errStopped) {
			t.Fatalf("the restore that stops: %v", err)
		}
		if n, err := k.Head(t.Context()); err != nil || n == 0 {
			t.Fatalf("%d rows were restored: %v", n, err)
		}
		_, named := k.Origin(t.Context())
		_, sealed := k.Seal(t.Context(), sealKey())
		_, accepted := k.GoOn(t.Context(), known, "admin")
		for what, err := range map[string]error{"its name": named, "a head": sealed, "going on": accepted} {
			if !errors.Is(err, journal.ErrHalfRestored) {
				t.Errorf("%s gives %v", what, err)
			}
		}
	})
}

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 0x10
	return b
}

// TestAKeptHeadIsComparedWithWhatIsRestored restores a backup in the place of a journal whose head was kept: one with the same rows, one
// with others of which the head was kept under the same numbers, and one again that was restored before.
func TestAKeptHeadIsComparedWithWhatIsRestored(t *testing.T) {
	url := "sqlite:" + t.TempDir()
	j, _, _ := journaltest.Open(t, url+"/a.db")
	b := newBox("lz-1")
	enrol(t, j, b)
	for range 5 {
		add(t, j, b.batch(t, 1))
	}
	early, err := j.Seal(t.Context(), sealKey())
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := j.Export(t.Context(), &file, nil, nothing); err != nil {
		t.Fatal(err)
	}
	add(t, j, b.batch(t, 1))
	late, err := j.Seal(t.Context(), sealKey())
	if err != nil {
		t.Fatal(err)
	}
	restore := func(name string, known *journal.Checkpoint) (*journal.Journal, journal.Restored) {
		k, _, _ := journaltest.Open(t, url+"/"+name+".db")
		act, err := k.Import(t.Context(), bytes.NewReader(file.Bytes()), nil, known, "admin", nothing)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Seal(t.Context(), sealKey()); err != nil {
			t.Fatal(err)
		}
		return k, act
	}
	k, act := restore("b", &late)
	changed := early
	changed.Root[0] ^= 1
	later := late
	later.Size++
	for name, x := range map[string]struct {
		kept journal.Checkpoint
		want bool
	}{"a head of the backup": {early, true}, "the head that it names": {late, true}, "other rows": {changed, false},
		"a later head": {later, false}} {
		if got, err := k.GoesOnFrom(t.Context(), x.kept); err != nil || got != x.want {
			t.Errorf("%s: %t, %v, want %t", name, got, err, x.want)
		}
	}
	second, err := k.LastCheckpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again, next := restore("c", &second)
	if next.Origin == act.Origin {
		t.Errorf("the name %s is used for other rows", next.Origin)
	}
	if got, err := again.GoesOnFrom(t.Context(), second); err != nil || !got {
		t.Errorf("from the journal that was restored before: %t, %v", got, err)
	}
	verified(t, again, sealKey())
	if _, elsewhere := restore("d", &late); elsewhere.Origin == act.Origin {
		t.Errorf("two that go on from one backup are both %s", act.Origin)
	}
	older, err := j.GoOn(t.Context(), second, "admin") // the file of before the restore is in its place
	if err != nil || !strings.Contains(older.Origin, "/3-") {
		t.Errorf("after %s the journal is %s, %v", second.Origin, older.Origin, err)
	}
}
