package rectify

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/central/journal"
)

// corner is a picture that is red in its upper left quarter, else white.
func corner(w, h int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.White)
			if x < w/2 && y < h/2 {
				m.Set(x, y, color.RGBA{255, 0, 0, 255})
			}
		}
	}
	return m
}

// photo is a JPEG as a telephone writes it: with an orientation and a secret in its EXIF.
func photo(t testing.TB, m image.Image, turn byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	exif := append([]byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"), turn, 0, 0, 0, 0, 0, 0)
	exif = append(exif, "GPS 36.06N 103.83E"...)
	head := append([]byte{0xff, 0xd8, 0xff, 0xe1, 0, byte(len(exif) + 2)}, exif...)
	return append(head, b.Bytes()[2:]...)
}

func picture(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func paper() []byte { return []byte("%PDF-1.4\n1 0 obj\n<< >>\nendobj\n%%EOF\n") }

// red returns which quarter of a picture is red: upper left, upper right, lower left, lower right.
func red(m image.Image) (all []int) {
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	for i, p := range []image.Point{{w / 4, h / 4}, {w * 3 / 4, h / 4}, {w / 4, h * 3 / 4}, {w * 3 / 4, h * 3 / 4}} {
		r, g, _, _ := m.At(p.X, p.Y).RGBA()
		if r > 0xc000 && g < 0x4000 {
			all = append(all, i)
		}
	}
	return all
}

// TestPicturesAreDrawnAnew stand upright as they were taken, without what the camera wrote into them, and no larger than is needed.
func TestPicturesAreDrawnAnew(t *testing.T) {
	for turn, want := range map[byte]int{1: 0, 2: 1, 3: 3, 4: 2, 5: 0, 6: 1, 7: 3, 8: 2, 9: 0} {
		kind, b, err := sanitize(photo(t, corner(64, 32), turn))
		if err != nil || kind != JPEG || bytes.Contains(b, []byte("GPS")) || bytes.Contains(b, []byte("Exif")) {
			t.Errorf("orientation %d: %s, %v, %d bytes", turn, kind, err, len(b))
			continue
		}
		m, _, err := image.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		tall := m.Bounds().Dy() > m.Bounds().Dx()
		if got := red(m); !slices.Equal(got, []int{want}) || tall != (turn >= 5 && turn <= 8) {
			t.Errorf("orientation %d: red is quarter %v of %v, want %d", turn, got, m.Bounds(), want)
		}
	}
	kind, b, err := sanitize(picture(t, corner(4000, 1000)))
	c, _, e := image.DecodeConfig(bytes.NewReader(b))
	if err != nil || e != nil || kind != PNG || c.Width != mostSide || c.Height != mostSide/4 {
		t.Errorf("a large one: %s, %dx%d, %v, %v", kind, c.Width, c.Height, err, e)
	}
}

// TestWhatIsNoAttachment is refused by its content, whatever it is called.
func TestWhatIsNoAttachment(t *testing.T) {
	bomb := picture(t, image.NewGray(image.Rect(0, 0, 1, 1)))
	copy(bomb[16:], []byte{0, 1, 0, 0, 0, 1, 0, 0}) // 65536 x 65536, of which the checksum is wrong too
	for name, b := range map[string][]byte{
		"nothing": nil, "a page": []byte("<!doctype html><script>alert(1)</script>"), "a program": []byte("\x7fELF\x02\x01"),
		"a drawing":    []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"),
		"half a photo": photo(t, corner(64, 32), 1)[:120], "a bomb": bomb, "a PDF without an end": []byte("%PDF-1.4\n"),
		"a GIF": []byte("GIF89a\x01\x00\x01\x00"),
	} {
		var r *Refusal
		if kind, _, err := sanitize(b); !errors.As(err, &r) {
			t.Errorf("%s: %s, %v", name, kind, err)
		}
	}
}

// TestThePicturesBounds: 24 megapixels are read whatever their shape, one more is not, and a strip stays a picture when it is drawn
// smaller.
func TestThePicturesBounds(t *testing.T) {
	strip := image.NewGray(image.Rect(0, 0, 10_000, 1))
	if _, b, err := sanitize(picture(t, strip)); err != nil {
		t.Errorf("a strip: %v", err)
	} else if c, _, err := image.DecodeConfig(bytes.NewReader(b)); err != nil || c.Width != mostSide || c.Height != 1 {
		t.Errorf("a strip is %dx%d, %v", c.Width, c.Height, err)
	}
	for _, x := range []struct {
		w, h uint32
		ok   bool
	}{{6144, 4096, true}, {4096, 6144, true}, {6145, 4096, false}, {4096, 6145, false}, {1 << 31, 2, false}, {2, 1<<31 - 1, false},
		{1<<31 - 1, 1<<31 - 1, false}, {0, 5, false}} {
		if got := bounded(int(x.w), int(x.h)); got != x.ok {
			t.Errorf("%d x %d is read: %t", x.w, x.h, got)
		}
	}
	// What a header says is not drawn before it is looked at: this one would be 16 GB.
	bomb := picture(t, image.NewGray(image.Rect(0, 0, 1, 1)))
	binary.BigEndian.PutUint32(bomb[16:], 1<<17)
	binary.BigEndian.PutUint32(bomb[20:], 1<<17)
	binary.BigEndian.PutUint32(bomb[29:], crc32.ChecksumIEEE(bomb[12:29]))
	var r *Refusal
	if _, _, err := sanitize(bomb); !errors.As(err, &r) {
		t.Errorf("a picture of 16 GB: %v", err)
	}
}

func FuzzSanitize(f *testing.F) {
	f.Add(photo(f, corner(16, 8), 6))
	f.Add(picture(f, corner(16, 8)))
	f.Add(paper())
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, out, err := sanitize(b)
		if err != nil {
			return
		}
		if again, _, err := sanitize(out); err != nil || again != kind {
			t.Errorf("what was kept as %s is %s, %v", kind, again, err)
		}
	})
}

func checkAttachments(t *testing.T, on engine) {
	b := on(t)
	x := b.complain(t, "one", complained())
	other := b.complain(t, "other", complained()).Parts[0]
	k := x.Parts[0]
	var files []File
	for _, raw := range [][]byte{photo(t, corner(64, 32), 6), picture(t, corner(8, 8)), paper()} {
		f, err := b.orders.Attach(t.Context(), clerk(), k, raw)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	for i, want := range []Kind{JPEG, PNG, PDF} {
		f, bytes, err := b.orders.File(t.Context(), k, files[i].ID)
		if err != nil || f.Kind != want || f.Size != len(bytes) || digest(bytes) != f.SHA256 || !strings.HasSuffix(f.Name(), want.Extension()) {
			t.Errorf("attachment %d: %+v, %v", i, f, err)
		}
		if _, _, err := b.orders.File(t.Context(), other, files[i].ID); !errors.Is(err, ErrNoFile) {
			t.Errorf("of another order: %v", err)
		}
	}
	var r *Refusal
	if _, err := b.orders.Attach(t.Context(), clerk(), k, make([]byte, MostBytes+1)); !errors.As(err, &r) {
		t.Errorf("a large one: %v", err)
	}
	history, err := b.orders.History(t.Context(), x.ID, NoClues)
	if err != nil || len(history) != 4 || history[1].File == nil || history[1].Source != "a-1" || history[1].At.IsZero() ||
		history[3].File.Kind != PDF {
		t.Errorf("the history is %+v, %v", history, err)
	}
	before := b.dump(t)
	if err := b.orders.Rebuild(t.Context(), By{"operator", ""}, "for a test", func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, b.dump(t)); diff != "" {
		t.Errorf("made anew the tables differ:\n%s", diff)
	}
	if err := b.journal.Erase(t.Context(), files[0].ID, 0, "operator", "asked for"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.orders.File(t.Context(), k, files[0].ID); !errors.Is(err, journal.ErrErased) {
		t.Errorf("after its erasure: %v", err)
	}
	for range mostFiles - len(files) {
		if _, err := b.orders.Attach(t.Context(), clerk(), k, paper()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.orders.Attach(t.Context(), clerk(), k, paper()); !errors.As(err, &r) {
		t.Errorf("one more than are allowed: %v", err)
	}
}
