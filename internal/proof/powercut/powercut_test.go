package powercut

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if Child() {
		return
	}
	os.Exit(m.Run())
}

// cutsInTest is how often the test cuts the power; `make powercut` does it a thousand times.
const cutsInTest = 50

func TestPowerCut(t *testing.T) {
	if testing.Short() {
		t.Skip("cuts the power dozens of times")
	}
	seed := uint64(time.Now().UnixNano() % 1e9)
	table, err := Run(t.Context(), Plan{Build: Good, Cuts: cutsInTest, Seed: seed})
	switch {
	case errors.Is(err, ErrMissing) && os.Getenv("CI") == "":
		t.Skip(err)
	case errors.Is(err, ErrImpossible): // nor can CI change that
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	t.Logf("seed %d\n%s", seed, table)
	if table.Broken() {
		t.Errorf("the store has broken its word %s", table.Last)
	}
	if table.Cuts != cutsInTest || table.Thanked == 0 || table.AtStake == 0 {
		t.Error("hardly anything was at stake; the test proves nothing")
	}
	for _, b := range Broken() {
		caught, err := Catch(t.Context(), b, seed)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: caught at cut %d, %s", b, caught.Cuts, caught.Last)
	}
}

// A disk keeps what was flushed, forgets or tears what was not, and is dead after the cut.
func TestDisk(t *testing.T) {
	const blocks = 64
	fill := func(d *disk, b byte) {
		for i := range int64(blocks) {
			content := make([]byte, blockSize)
			for j := range content {
				content[j] = b
			}
			if err := d.write(content, i*blockSize); err != nil {
				t.Fatal(err)
			}
		}
	}
	kept, lost, torn := 0, 0, 0
	for seed := range uint64(20) {
		d := newDisk(make([]byte, blocks*blockSize), newRandom(seed, 0))
		fill(d, 1)
		if err := d.flush(); err != nil {
			t.Fatal(err)
		}
		fill(d, 2)
		fill(d, 3)
		got := make([]byte, 2*blockSize)
		if n, err := d.read(got, blockSize/2); err != nil || n != len(got) || got[0] != 3 || got[n-1] != 3 {
			t.Fatalf("read %d bytes, %d to %d: %v; want what was written last", n, got[0], got[n-1], err)
		}
		medium, atStake := d.cut()
		if atStake != blocks {
			t.Errorf("%d blocks were at stake, want %d", atStake, blocks)
		}
		for at := 0; at < len(medium); at += blockSize {
			versions := make(map[byte]bool)
			for s := at; s < at+blockSize; s += sectorSize {
				for _, b := range medium[s : s+sectorSize] {
					if b != medium[s] {
						t.Fatal("a sector is torn")
					}
				}
				versions[medium[s]] = true
			}
			switch {
			case versions[0]:
				t.Fatal("what was flushed is gone")
			case len(versions) > 1:
				torn++
			case versions[3]:
				kept++
			case versions[1]:
				lost++
			}
		}
		if _, err := d.read(got, 0); !errors.Is(err, errPower) {
			t.Errorf("read after the cut: %v", err)
		}
		if err := errors.Join(d.write(got, 0), d.flush()); !errors.Is(err, errPower) {
			t.Errorf("write and flush after the cut: %v", err)
		}
	}
	if kept == 0 || lost == 0 || torn == 0 {
		t.Errorf("blocks kept %d, lost %d, torn %d; all three should occur", kept, lost, torn)
	}
}

// A planned cut lets exactly the operations before it through.
func TestDiskCutAfter(t *testing.T) {
	d := newDisk(make([]byte, blockSize), newRandom(1, 1))
	d.cutAfter(3)
	if err := errors.Join(d.write([]byte{7}, 0), d.flush()); err != nil {
		t.Fatal(err)
	}
	if err := d.write([]byte{8}, 0); !errors.Is(err, errPower) {
		t.Errorf("the third operation: %v, want no power", err)
	}
	<-d.gone
	if medium, _ := d.cut(); medium[0] != 7 {
		t.Errorf("the medium holds %d, want what was flushed", medium[0])
	}
}

// A machine keeps its files over a cut once they were synced, and over being switched off in order in any case.
func TestMachine(t *testing.T) {
	if what := Lacking(); what != "" {
		t.Skip(what)
	}
	m, err := NewMachine(t.TempDir())
	if err != nil {
		t.Skip(err)
	}
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	path := filepath.Join(m.Mount(), "file")
	if err := m.On(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Off(), m.On()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"2", []byte("lost"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.Cut(newRandom(1, 1))
	if err := errors.Join(m.Off(), m.On()); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "kept" {
		t.Errorf("after the cut the file holds %q: %v", b, err)
	}
	if _, err := os.Stat(path + "2"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was never synced: %v, want that it is gone", err)
	}
}
