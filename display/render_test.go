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

// goldenSizes are those whose pixels are kept of every screen, and moreSizes of those that are looked at the longest.
var (
	goldenSizes = []image.Point{{1024, 600}, {600, 1024}}
	moreSizes   = []image.Point{{480, 320}, {800, 480}, {1920, 1080}, {320, 480}, {1080, 1920}}
	more        = []string{"asking", "asking-long", "thanks", "reasons", "fault"}
)

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
	c := qrcode.Claim{Device: "lz-0417", Visit: 0x1234567890abcdef, Issued: time.Unix(1_790_000_000, 0), Synced: true, Staff: true, Matter: true}
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
		"idle":      with(func(s *Screen) { s.State = Idle }),
		"asking":    with(func(s *Screen) { s.State, s.Subject, s.Step, s.Steps, s.Link = Asking, rating.StaffSubject, 1, 1, l }),
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
			s.State, s.Subject, s.Matter, s.Step, s.Steps, s.Reasons, s.AskAgain = Explaining, rating.MatterSubject, "居住证办理", 2, 2, reasonsOf(t, 1), true
			s.Order = [5]rating.Level{1, 2, 3, 4, 5}
		}),
		"reasons-said": with(func(s *Screen) { s.State, s.Subject, s.Steps = Explaining, rating.StaffSubject, 1 }),
		"paused":       with(func(s *Screen) { s.State = Paused }),
		"fault":        with(func(s *Screen) { s.State, s.Problem, s.Link = Fault, "评价器暂时无法保存按键评价", l }),
		"fault-idle":   with(func(s *Screen) { s.State, s.Problem, s.Offline = Fault, "评价器的按键暂时无法使用", true }),
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

func TestGolden(t *testing.T) {
	r := renderer(t)
	for name, s := range screens(t) {
		for _, size := range sizesOf(name) {
			golden(t, goldenFile(name, size), render(t, r, s, size))
		}
	}
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

// TestWordsStayInTheirPlace lays out every screen with every length of names at every size, and looks for words outside
// their box or too small, boxes outside the screen, and boxes on top of each other.
func TestWordsStayInTheirPlace(t *testing.T) {
	r := renderer(t)
	long := strings.Repeat("甘肃省市民中心政务服务综合受理", 8)
	for name, s := range screens(t) {
		for _, words := range []string{"", long, strings.Repeat("ཞབས་ཞུ་", 20), "Unterschriftsbeglaubigungsverfahren Notariatsangelegenheiten"} {
			if words != "" && s.State != Starting && s.State != Enrolling {
				s.Hall, s.Window, s.StaffName, s.Department = words, words, words, words
				s.Matter, s.Problem = words, words
				s.Offline = true
			}
			for _, size := range sizes {
				t.Run(fmt.Sprintf("%s/%v/%d", name, size, len([]rune(words))), func(t *testing.T) {
					l, err := r.arrange(s, size)
					if err != nil {
						t.Fatal(err)
					}
					checkLayout(t, l)
				})
			}
		}
	}
}

func checkLayout(t *testing.T, l layout) {
	t.Helper()
	screen := image.Rectangle{Max: l.size}
	for i, x := range l.texts {
		if !x.box.In(screen) || x.box.Empty() {
			t.Errorf("%q stands at %v, outside the screen", x.s, x.box)
		}
		if x.width > x.box.Dx() || x.height() > x.box.Dy() || len(x.lines) == 0 {
			t.Errorf("%q is %d x %d in a box of %v", x.s, x.width, x.height(), x.box.Size())
		}
		// The least size of the terminal: 3.5 mm on a panel of 7 inches, of which 1024x600 pixels are 24.
		if least := max(14, int(math.Hypot(float64(l.size.X), float64(l.size.Y))*3.5/177.8)); x.size < least || l.size == image.Pt(1024, 600) && x.size < 24 {
			t.Errorf("%q is %d pixels high, want at least %d", x.s, x.size, least)
		}
		for _, y := range l.texts[:i] {
			if x.box.Overlaps(y.box) {
				t.Errorf("%q %v lies on %q %v", x.s, x.box, y.s, y.box)
			}
		}
		if x.box.Overlaps(l.qr) || x.box.Overlaps(l.photo) || x.box.Overlaps(l.icon) {
			t.Errorf("%q lies on the QR code, the photo or the icon", x.s)
		}
	}
	if !l.qr.Empty() && l.qr.Dx() < 2*l.modules {
		t.Errorf("the QR code has %d modules in %d pixels, want at least two for each", l.modules, l.qr.Dx())
	}
	for i, x := range l.tiles {
		if !x.box.In(screen) || x.box.Overlaps(l.qr) || x.box.Size() != l.tiles[0].box.Size() || i > 0 && x.box.Overlaps(l.tiles[i-1].box) {
			t.Errorf("tile %d at %v: outside, on another or of another size", i, x.box)
		}
		if !x.face.In(x.box) || !x.digit.box.In(x.box) || x.face.Dx() < l.least*3/2 || x.face.Size() != l.tiles[0].face.Size() {
			t.Errorf("tile %d at %v: face at %v, number at %v", i, x.box, x.face, x.digit.box)
		}
		for _, words := range l.texts {
			if words.box.Overlaps(x.face) || words.box.Overlaps(x.digit.box) {
				t.Errorf("%q lies on a face or a number", words.s)
			}
		}
	}
}

// TestEveryScreenSaysWhatMatters looks for the words that must be on a screen whole, whatever its size.
func TestEveryScreenSaysWhatMatters(t *testing.T) {
	r := renderer(t)
	for name, want := range map[string][]string{
		"asking":       {"请您对本次服务进行评价", "工号 0417", "扫码用手机评价", "非常满意", "不满意", "Very satisfied", "Very dissatisfied"},
		"asking-long":  {"请您对所办事项进行评价", "（跨省转入）", "王鑫琪  工号 0417"},
		"asking-again": {"请只按一个键", "Please press one key only"},
		"thanks":       {"已记录，感谢您的评价", "按错了？现在按其他键即可更正"},
		"fault":        {"按键暂停使用", "请扫描二维码，用手机评价"},
		"enrolling":    {"lz-0417", "3F2A 90C1 77DE 0B54"},
	} {
		for _, size := range sizes {
			l, err := r.arrange(screens(t)[name], size)
			if err != nil {
				t.Fatal(err)
			}
			var all strings.Builder
			for _, x := range l.texts {
				for _, line := range x.lines {
					all.WriteString(line.shown())
				}
				all.WriteString("|")
			}
			said := strings.ReplaceAll(all.String(), " ", "")
			for _, w := range want {
				if !strings.Contains(said, strings.ReplaceAll(w, " ", "")) {
					t.Errorf("%s at %v does not say %q but %s", name, size, w, said)
				}
			}
		}
	}
}

// shown returns the characters of a line.
func (l setLine) shown() string {
	var b strings.Builder
	for _, r := range l.runs {
		b.WriteString(string(l.text[r.Runes.Offset : r.Runes.Offset+r.Runes.Count]))
	}
	return b.String()
}

// TestTheMarkMovesNothing compares a screen with and without the connection.
func TestTheMarkMovesNothing(t *testing.T) {
	r := renderer(t)
	for name, s := range screens(t) {
		for _, size := range sizes {
			s.Offline = false
			on, err := r.arrange(s, size)
			if err != nil {
				t.Fatal(err)
			}
			a := render(t, r, s, size)
			s.Offline = true
			off, err := r.arrange(s, size)
			if err != nil {
				t.Fatal(err)
			}
			b := render(t, r, s, size)
			fill(b, off.mark, band)
			if n := different(a, b); n > 0 || !on.mark.Empty() || off.mark.Empty() {
				t.Errorf("%s at %v: %d pixels beside the mark have changed", name, size, n)
			}
		}
	}
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
