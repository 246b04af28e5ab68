package display

import (
	"bytes"
	"crypto/ed25519"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/internal/rating"
	"haochaping/qrcode"
)

var update = flag.Bool("update", false, "write the golden files anew")

var sizes = []image.Point{{480, 320}, {800, 480}, {1024, 600}, {1280, 800}, {1920, 1080}, {320, 480}, {480, 800}, {600, 1024}, {1080, 1920}}

// oddSizes are laid out besides: the largest, bars, and a square.
var oddSizes = []image.Point{{1920, 1200}, {1280, 400}, {400, 1280}, {1024, 1024}}

// goldenSizes are those whose pixels are kept of every screen, and moreSizes of those that are looked at the longest.
var (
	goldenSizes = []image.Point{{1024, 600}, {600, 1024}}
	moreSizes   = []image.Point{{480, 320}, {800, 480}, {1920, 1080}, {320, 480}, {1080, 1920}}
	more        = []string{"asking", "asking-long", "thanks", "reasons", "fault", "let-go", "waiting", "test-picture"}
)

// Render draws a screen of its own each time, which a Board does into one that it has.
func (r *Renderer) Render(s Screen, size image.Point) (*image.RGBA, error) {
	l, err := r.arrange(s, size)
	dst := image.NewRGBA(image.Rectangle{Max: size})
	r.draw(dst, s, l)
	return dst, err
}

func renderer(t testing.TB) *Renderer {
	t.Helper()
	f, err := LoadFonts(nil)
	if err != nil {
		t.Fatal(err)
	}
	return NewRenderer(f)
}

func link(t testing.TB) string {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	c := qrcode.Claim{Device: "lz-0417", Visit: 0x1234567890abcdef, Issued: time.Unix(1_790_000_000, 0), Synced: true, Staff: true,
		Matter: true}
	token, err := c.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := qrcode.Link("https://rate.example.com", token)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// portraitOf is a photo as it comes with the configuration, of nobody: a drawn head and shoulders.
func portraitOf(t testing.TB) image.Image {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 240, 320))
	fill(m, m.Rect, color.RGBA{0x8f, 0xb4, 0xd6, 0xff})
	disc(m, color.RGBA{0x2b, 0x3a, 0x55, 0xff}, 120, 330, 110)
	disc(m, color.RGBA{0xf0, 0xc9, 0xa4, 0xff}, 120, 130, 62)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	p, err := rating.DecodePhoto(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// longMatter has 60 characters, of which the last say what is special about it.
const longMatter = "企业职工基本养老保险关系转移接续以及参保人员在不同统筹地区之间流动就业时个人账户储存额与缴费年限合并计算审核业务（跨省转入）"

// screens are all screens of the state machine, with what they usually say.
func screens(t testing.TB) map[string]Screen {
	at := Screen{Hall: "市民中心政务服务大厅", Window: "综合受理12号窗口", StaffID: "0417", Department: "公安局 户政科",
		Order: rating.Levels(), Device: "lz-0417", Fingerprint: "3F2A 90C1 77DE 0B54"}
	with := func(f func(*Screen)) Screen {
		s := at
		f(&s)
		return s
	}
	l, portrait := link(t), portraitOf(t)
	return map[string]Screen{
		"starting":  {Order: rating.Levels()},
		"enrolling": {State: Enrolling, Order: rating.Levels(), Device: at.Device, Fingerprint: at.Fingerprint, Offline: true},
		"waiting": {State: Enrolling, Order: rating.Levels(), Device: "k3mq9xtr27hw", Fingerprint: at.Fingerprint, Code: "BKTNWXRD",
			Digits: "0417",
			Link:   "https://admin.example.com/fleet/enrol?code=BKTNWXRD", Offline: true},
		"idle":   with(func(s *Screen) { s.State = Idle }),
		"asking": with(func(s *Screen) { s.State, s.Subject, s.Step, s.Steps, s.Link = Asking, rating.StaffSubject, 1, 1, l }),
		"asking-matter": with(func(s *Screen) {
			s.State, s.Subject, s.Matter, s.Step, s.Steps, s.Link, s.Offline = Asking, rating.MatterSubject, "居住证办理", 2, 2, l, true
		}),
		"asking-again": with(func(s *Screen) {
			s.State, s.Subject, s.Step, s.Steps, s.Link, s.AskAgain = Asking, rating.StaffSubject, 1, 2, l, true
			s.Order = [5]rating.Level{1, 2, 3, 4, 5}
		}),
		"thanks":       with(func(s *Screen) { s.State, s.Subject, s.Chosen, s.Link = Thanks, rating.StaffSubject, 4, l }),
		"thanks-phone": with(func(s *Screen) { s.State, s.Subject, s.Link = Thanks, rating.StaffSubject, l }),
		"closed":       with(func(s *Screen) { s.State, s.StaffID, s.Department = Closed, "", "" }),
		"asking-photo": with(func(s *Screen) {
			s.State, s.Subject, s.Step, s.Steps, s.Link, s.StaffName, s.Photo = Asking, rating.StaffSubject, 1, 1, l, "王丽", portrait
		}),
		"idle-photo": with(func(s *Screen) { s.State, s.StaffName, s.Photo = Idle, "王丽", portrait }),
		"asking-case": with(func(s *Screen) {
			s.State, s.Subject, s.Matter, s.Step, s.Steps, s.Link = Asking, rating.MatterSubject, "企业设立登记", 2, 4, l
		}),
		"asking-long": with(func(s *Screen) {
			s.State, s.Subject, s.Step, s.Steps, s.Link, s.StaffName = Asking, rating.MatterSubject, 2, 2, l, "王\u200b鑫琪\ufeff"
			s.Matter, s.Photo = longMatter, portrait
		}),
		"asking-tibetan": with(func(s *Screen) {
			s.State, s.Subject, s.Step, s.Steps, s.Link, s.StaffName = Asking, rating.MatterSubject, 1, 1, l, "བོད་ཡིག"
			s.Hall, s.Matter = "རྒྱལ་ས་མི་དམངས་ཞབས་ཞུ་ཁང་།", "སྡོད་གནས་ལག་ཁྱེར་བཟོ་བ། 居住证办理"
		}),
		"reasons": with(func(s *Screen) {
			s.State, s.Subject, s.Step, s.Steps, s.Reasons = Explaining, rating.StaffSubject, 1, 1, reasonsOf(t, 5)
		}),
		"reasons-again": with(func(s *Screen) {
			s.State, s.Subject, s.Matter, s.Step, s.Steps, s.Reasons, s.AskAgain = Explaining, rating.MatterSubject, "居住证办理", 2, 2, reasonsOf(t, 1),
				true
			s.Order = [5]rating.Level{1, 2, 3, 4, 5}
		}),
		"reasons-said":   with(func(s *Screen) { s.State, s.Subject, s.Steps = Explaining, rating.StaffSubject, 1 }),
		"paused":         with(func(s *Screen) { s.State = Paused }),
		"learning":       with(func(s *Screen) { s.State, s.Learning, s.Step = Learning, 5, 1 }),
		"learning-again": with(func(s *Screen) { s.State, s.Learning, s.Step = Learning, 1, 2 }),
		"learning-still": with(func(s *Screen) { s.State, s.Learning, s.Step = Learning, 5, int(LessonUntouched) }),
		"learning-told": with(func(s *Screen) {
			s.State, s.Learning, s.Step = Learning, 4, int(LessonFirst)
			s.Said = "GPIO5、GPIO6 同时变化，不采用，请只按一个键\nmoved at once and do not count: press one key alone"
		}),
		"learnt-lines": with(func(s *Screen) {
			s.State, s.Step = Learning, int(LessonAgain)
			s.Said = "非常满意 GPIO5 · 满意 GPIO6 · 基本满意 GPIO13 · 不满意 GPIO19 · 非常不满意 GPIO26\n低电平有效 Pressed is low"
		}),
		"learning-same": with(func(s *Screen) { s.State, s.Learning, s.Step = Learning, 4, int(LessonSame) }),
		"learnt":        with(func(s *Screen) { s.State, s.Step = Learning, 2 }),
		"test-picture": with(func(s *Screen) {
			s.State, s.Version, s.Link = TestPicture, "v1.2.3", "https://rate.example.com"
		}),
		"fault": with(func(s *Screen) { s.State, s.Problem, s.Link = Fault, "评价器暂时无法保存按键评价", l }),
		"let-go": with(func(s *Screen) {
			s.State, s.Subject, s.Step, s.Steps, s.Link, s.LetGo, s.Offline = Asking, rating.StaffSubject, 1, 2, l, true, true
		}),
		"stuck-key": with(func(s *Screen) {
			s.State, s.Subject, s.Step, s.Steps, s.Link, s.StuckKey = Asking, rating.StaffSubject, 1, 2, l, true
		}),
		"fault-idle": with(func(s *Screen) { s.State, s.Problem, s.Offline = Fault, "评价器的按键暂时无法使用", true }),
	}
}

func render(t testing.TB, r *Renderer, s Screen, size image.Point) *image.RGBA {
	t.Helper()
	m, err := r.Render(s, size)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// sizesOf returns the sizes at which a screen's pixels are kept.
func sizesOf(name string) []image.Point {
	if slices.Contains(more, name) {
		return slices.Concat(goldenSizes, moreSizes)
	}
	return goldenSizes
}

func goldenFile(name string, size image.Point) string {
	return filepath.Join("testdata", fmt.Sprintf("%s-%dx%d.png", name, size.X, size.Y))
}

// golden compares an image with a file, or writes it with -update.
func golden(t *testing.T, file string, got *image.RGBA) {
	t.Helper()
	if *update {
		var b bytes.Buffer
		enc := png.Encoder{CompressionLevel: png.BestCompression}
		if err := enc.Encode(&b, got); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if n := different(got, want); n > 0 {
		t.Errorf("%s: %d pixels differ; look at the screen and run with -update if it should be so", file, n)
	}
}

// different counts the pixels that differ by more than the rounding of another processor.
func different(a, b image.Image) (n int) {
	if a.Bounds() != b.Bounds() {
		return a.Bounds().Dx() * a.Bounds().Dy()
	}
	if x, ok := a.(*image.RGBA); ok {
		if y, ok := b.(*image.RGBA); ok && bytes.Equal(x.Pix, y.Pix) {
			return 0
		}
	}
	near := func(x, y uint32) bool { return max(x, y)-min(x, y) <= 3*0x101 }
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			r1, g1, b1, _ := a.At(x, y).RGBA()
			r2, g2, b2, _ := b.At(x, y).RGBA()
			if !near(r1, r2) || !near(g1, g2) || !near(b1, b2) {
				n++
			}
		}
	}
	return n
}

// TestContrast measures the contrast of every text as WCAG does.
func TestContrast(t *testing.T) {
	luminance := func(c color.RGBA) float64 {
		f := func(v uint8) float64 {
			x := float64(v) / 255
			if x <= 0.04045 {
				return x / 12.92
			}
			return math.Pow((x+0.055)/1.055, 2.4)
		}
		return 0.2126*f(c.R) + 0.7152*f(c.G) + 0.0722*f(c.B)
	}
	r := renderer(t)
	for name, s := range screens(t) {
		l, err := r.arrange(s, image.Pt(800, 480))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range l.texts {
			a, b := luminance(x.ink), luminance(x.on)
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 7 {
				t.Errorf("%s: %q has a contrast of %.1f:1, want 7:1", name, x.s, ratio)
			}
		}
	}
}

// TestFacesAreToldApartWithoutColour renders the five faces in grey and compares them with each other.
func TestFacesAreToldApartWithoutColour(t *testing.T) {
	grey := color.RGBA{0x80, 0x80, 0x80, 0xff}
	var all []*image.RGBA
	for _, l := range rating.Levels() {
		m := image.NewRGBA(image.Rect(0, 0, 80, 80))
		face(m, 40, 40, 38, l, grey, inkDark)
		for _, other := range all {
			if n := different(m, other); n < 60 {
				t.Errorf("level %d differs from another by %d pixels", l, n)
			}
		}
		all = append(all, m)
	}
}

// TestScannedFromTheScreen reads the QR code from each golden file that shows one, with an independent decoder.
func TestScannedFromTheScreen(t *testing.T) {
	zbar, err := exec.LookPath("zbarimg")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("install the Debian package zbar-tools")
		}
		t.Skip("install the Debian package zbar-tools")
	}
	for name, s := range screens(t) {
		if s.Link == "" || s.State == Thanks {
			continue
		}
		for _, size := range sizesOf(name) {
			out, err := exec.Command(zbar, "-q", "--raw", "--oneshot", "-Sbinary", goldenFile(name, size)).Output()
			if err != nil || strings.TrimSpace(string(out)) != s.Link {
				t.Errorf("%s at %v: read %q, %v", name, size, out, err)
			}
		}
	}
}

// TestAPhotoFillsItsPlace shows photos of any form, those of a single row or column among them.
func TestAPhotoFillsItsPlace(t *testing.T) {
	r := renderer(t)
	for _, size := range []image.Point{{1, 1}, {1, rating.MaxPhotoSide}, {rating.MaxPhotoSide, 1}, {240, 300}} {
		photo := image.NewRGBA(image.Rectangle{Max: size})
		fill(photo, photo.Rect, color.RGBA{0x12, 0x34, 0x56, 0xff})
		dst := image.NewRGBA(image.Rect(0, 0, 300, 300))
		box := image.Rect(20, 20, 260, 280)
		r.photo(dst, photo, box)
		for _, p := range []image.Point{box.Min, {140, 150}, box.Max.Sub(image.Pt(1, 1))} {
			if got := dst.RGBAAt(p.X, p.Y); got != photo.RGBAAt(0, 0) {
				t.Errorf("a photo of %v shows %v at %v", size, got, p)
			}
		}
	}
}

func TestSameScreenSamePixels(t *testing.T) {
	s := screens(t)["asking"]
	used := renderer(t)
	for _, other := range screens(t) {
		render(t, used, other, image.Pt(480, 320))
	}
	if n := different(render(t, used, s, image.Pt(800, 480)), render(t, renderer(t), s, image.Pt(800, 480))); n > 0 {
		t.Errorf("%d pixels depend on what was drawn before", n)
	}
}

func BenchmarkRenderAsking(b *testing.B) {
	r, s := renderer(b), screens(b)["asking"]
	for b.Loop() {
		if _, err := r.Render(s, image.Pt(1024, 600)); err != nil {
			b.Fatal(err)
		}
	}
}
