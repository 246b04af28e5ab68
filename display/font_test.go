package display

import (
	"bytes"
	"encoding/binary"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-text/typesetting/font"
	"golang.org/x/text/encoding/simplifiedchinese"
	"pgregory.net/rapid"

	builtin "haochaping/display/fonts"
)

const notoCJK = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"

// needNotoCJK skips a test on a machine without that font.
func needNotoCJK(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(notoCJK); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("install the Debian package fonts-noto-cjk")
		}
		t.Skip("install the Debian package fonts-noto-cjk")
	}
}

func fonts(t testing.TB, paths ...string) *Fonts {
	t.Helper()
	f, err := LoadFonts(paths)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestBuiltInFontHasWhatNamesNeed(t *testing.T) {
	f := fonts(t)
	var standard strings.Builder
	count := 0
	for row := byte(16); row <= 87; row++ {
		for cell := byte(1); cell <= 94; cell++ {
			b, err := simplifiedchinese.GBK.NewDecoder().Bytes([]byte{0xa0 + row, 0xa0 + cell})
			if r := []rune(string(b)); err == nil && len(r) == 1 && r[0] >= 0x4e00 && r[0] < 0xa000 {
				standard.WriteRune(r[0])
				count++
			}
		}
	}
	if missing := f.Missing(standard.String()); count != 6763 || len(missing) > 0 {
		t.Errorf("of %d characters of GB/T 2312, %d are missing: %q", count, len(missing), missing)
	}
	for _, s := range []string{
		"鑫琪骁倩婷", "喆堃犇赟翀昉玥珺瑢祎燚㛃㛚䶮𬭎𫖮", // personal names, of all levels of the table of 2013
		"བོད་ཡིག རྒྱལ་ས་མི་དམངས།", "Müller", "①№￥％", "刘〇二〇二六年", "面积90㎡以下 5㎏", "阿依古丽·买买提", "Lǐ Qiáng", "〜™㊣",
		"王\u200b丽\ufeff\ue123\U000f1234\u2066",
	} {
		if missing := f.Missing(s); len(missing) > 0 {
			t.Errorf("%q: %q is missing", s, missing)
		}
	}
	if missing := f.Missing("甲\u0378乙\u0378龘𠮷"); !slices.Equal(missing, []rune{'\u0378', '龘', '𠮷'}) {
		t.Errorf("missing are %q", missing)
	}
}

// drawn returns a line of text in black on white.
func drawn(f *Fonts, s string, width int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, width, 80))
	fill(m, m.Rect, card)
	set := newTypesetter(f)
	for _, line := range set.paragraph(s, 40, width, 1).lines {
		set.draw(m, line, image.Pt(4, 10), inkDark)
	}
	return m
}

func TestMissingCharacterIsSeen(t *testing.T) {
	f := fonts(t)
	blank := drawn(f, "", 60)
	for _, s := range []string{"\U00020BB7", "龘", "\u0378"} {
		if n := different(drawn(f, s, 60), blank); n < 100 {
			t.Errorf("%U is drawn with %d pixels", []rune(s)[0], n)
		}
	}
}

func TestCharactersWithoutFormVanish(t *testing.T) {
	f := fonts(t)
	for odd, plain := range map[string]string{
		"王\u200b丽\ufeff": "王丽", "\u2060王\ue000丽\U000f0000": "王丽", "王\n丽": "王 丽", "\u202e王丽\u00ad": "王丽", "王\u200d丽": "王丽", "葛\U000e0100": "葛",
	} {
		if n := different(drawn(f, odd, 200), drawn(f, plain, 200)); n > 0 {
			t.Errorf("%q differs from %q by %d pixels", odd, plain, n)
		}
	}
}

// TestTwoWaysToWriteAreOne draws what keyboards and PDFs write in another way than the fonts: letters before their marks, radicals in the
// place of characters, the ideographs of other standards. Nothing of it is missing.
func TestTwoWaysToWriteAreOne(t *testing.T) {
	f := fonts(t)
	for odd, plain := range map[string]string{
		"Li\u030c Qia\u0301ng": "Lǐ Qiáng", "L\u0169\u200b\u0308 ": "Lũ\u0308", "⾦⽟⼥": "金玉女", "⾏政⼈员⼯作": "行政人员工作", "⻓⻔⻛⺠": "长门风民",
		"\uf90a\ufa19": "金神", "⼴州⻋辆": "广州车辆", "⾐⻝住⾏": "衣食住行",
	} {
		if n := different(drawn(f, odd, 300), drawn(f, plain, 300)); n > 0 {
			t.Errorf("%q differs from %q by %d pixels", odd, plain, n)
		}
		if missing := f.Missing(plain); plain[0] != 'L' && len(missing) > 0 {
			t.Errorf("%q of %q is missing", missing, plain)
		}
		if a, b := f.Missing(odd), f.Missing(plain); !slices.Equal(a, b) {
			t.Errorf("%q: %q is missing, of %q %q", odd, a, plain, b)
		}
	}
	for r := rune(0x2e80); r <= 0x2fd5; r++ {
		if c := character(r); c == 0 || clean(string(r)) == "" {
			t.Errorf("%U is drawn as %U", r, c)
		}
	}
}

// TestWhatIsMissingCoversNothing draws characters and marks that no font has beside one that it has, which stays as it is.
func TestWhatIsMissingCoversNothing(t *testing.T) {
	f := fonts(t)
	if n := different(drawn(f, "王\u0351丽", 200), drawn(f, "王丽", 200)); n > 0 {
		t.Errorf("a mark without a form changes %d pixels", n)
	}
	set := newTypesetter(f)
	for _, s := range []string{"\uffff", "\U0010ffff", "\u0378", "\u0628", "\u0e01", "\U00020bb7", "👩\u200d💼", "\u0351"} {
		if w := set.paragraph(s, 40, 1000, 1).width; w != 40 {
			t.Errorf("what is missing of %q has a breadth of %d", s, w)
		}
	}
}

// TestTibetanIsShaped looks at what shaping makes of a stack: བོད has a vowel above its first letter, རྒྱ is three letters below
// one another.
func TestTibetanIsShaped(t *testing.T) {
	set := newTypesetter(fonts(t))
	width := func(s string) int { return set.paragraph(s, 40, 1000, 1).width }
	if a, b := width("བོ"), width("བ"); a != b {
		t.Errorf("with its vowel the letter is %d wide, without %d", a, b)
	}
	if stack, letters := width("རྒྱ"), width("ར")+width("ག")+width("ཡ"); stack*2 > letters {
		t.Errorf("the stack is %d wide, its letters beside one another %d", stack, letters)
	}
	tall := set.paragraph("རྒྱུ", 40, 1000, 1)
	if tall.height() <= lineHeight(40) {
		t.Errorf("a line with a high stack is %d high, as one of Chinese", tall.height())
	}
}

func TestSimplifiedFaceOfACollection(t *testing.T) {
	needNotoCJK(t)
	file, err := os.Open(notoCJK)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	all, err := font.ParseTTC(file)
	if err != nil {
		t.Fatal(err)
	}
	f := fonts(t, "/nowhere.ttf", notoCJK)
	got := f.with('龘')
	if got == nil || got.Describe().Family != "Noto Sans CJK SC" || all[0].Describe().Family == got.Describe().Family {
		t.Fatalf("the face that was taken is not that for simplified Chinese")
	}
	if missing := f.Missing("龘𠮷"); len(missing) > 0 {
		t.Errorf("%q is not found in the complete font", missing)
	}
}

// TestBadFontIsLeftOut loads files that are no fonts beside one that is.
func TestBadFontIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bad := []string{
		write("empty.ttc", nil), write("text.ttf", []byte("not a font at all")), write("cut.ttf", builtin.Tibetan()[:300_000]),
		write("head.otf", builtin.Han()[:20_000]), dir,
	}
	good := write("good.ttf", builtin.Tibetan())
	if whole, err := os.ReadFile(notoCJK); err == nil {
		bad = append(bad, write("trunc.ttc", whole[:200_000]))
	}
	for _, path := range bad {
		f, err := LoadFonts([]string{path, good})
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
		if f == nil || len(f.all) != 3 || len(f.Missing("鑫བོད")) > 0 {
			t.Errorf("%s: the other fonts are not used", path)
		}
	}
}

// TestDamagedFontIsNoFont changes one byte of one table.
func TestDamagedFontIsNoFont(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := bytes.Clone(builtin.Tibetan())
		entry := b[12+16*rapid.IntRange(0, int(binary.BigEndian.Uint16(b[4:]))-1).Draw(t, "table"):][:16]
		at := rapid.IntRange(0, int(binary.BigEndian.Uint32(entry[12:]))-1).Draw(t, "at")
		if string(entry[:4]) == "head" && at >= 8 && at < 12 {
			return // the sum of the whole file, which nobody needs
		}
		b[int(binary.BigEndian.Uint32(entry[8:]))+at] ^= rapid.ByteRange(1, 255).Draw(t, "change")
		if _, err := readFont(bytes.NewReader(b)); err == nil {
			t.Fatalf("a font with another byte at %d of table %q is taken", at, entry[:4])
		}
	})
}

// TestFontThatLeadsAstrayIsForgotten sets a text in a font whose sums are right and whose contents are not.
func TestFontThatLeadsAstrayIsForgotten(t *testing.T) {
	f := fonts(t)
	if f.with('བ') == nil {
		t.Fatal("no font has Tibetan")
	}
	set := newTypesetter(f)
	bad := f.with('བ')
	bad.GSUB.Lookups = nil // its features still name them
	if p := set.paragraph("王 བོད་རྒྱ", 40, 1000, 1); len(p.lines) != 1 || f.with('བ') != nil {
		t.Errorf("%d lines; the font is still used: %v", len(p.lines), f.with('བ') != nil)
	}
}

// FuzzFont reads bytes that may be a font: nothing but an error or a font that draws comes of it.
func FuzzFont(f *testing.F) {
	f.Add([]byte("ttcf\x00\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x10"))
	f.Add(builtin.Tibetan()[:600])
	f.Fuzz(func(t *testing.T, b []byte) {
		if f, err := readFont(bytes.NewReader(b)); err == nil {
			drawn(&Fonts{all: []lazyFont{{font: f}}}, "王བོད", 200)
		}
	})
}
