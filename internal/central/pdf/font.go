package pdf

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf16"

	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"

	"haochaping/display/fonts"
)

// em is in how many parts characters are measured.
const em = 1000

// mostCodes is how many characters a font of Type 3 has: its codes are single bytes, of which 0 is left out.
const mostCodes = 255

// face is the characters that a document uses, in the order of their first use. Each is drawn from the built-in font into fonts of Type 3,
// which hold outlines as pages do, so that a file has no more of the font than it shows.
type face struct {
	font  *sfnt.Font
	buf   sfnt.Buffer
	drawn []glyph
	known map[rune]int // place in drawn, -1: the font lacks it
}

// glyph is a character of the built-in font.
type glyph struct {
	r       rune
	index   sfnt.GlyphIndex
	advance int
}

// place returns where a character is in drawn, -1 where the font lacks it.
func (f *face) place(r rune) int {
	if f.font == nil {
		var err error
		if f.font, err = sfnt.Parse(fonts.Han()); err != nil {
			panic(err) // it is built in
		}
		f.known = make(map[rune]int)
	}
	if n, ok := f.known[r]; ok {
		return n
	}
	n, drawn := -1, r
	if r == '−' { // which the font lacks
		drawn = '–'
	}
	if i, err := f.font.GlyphIndex(&f.buf, drawn); err == nil && i != 0 {
		if a, err := f.font.GlyphAdvance(&f.buf, i, fixed.I(em), font.HintingNone); err == nil {
			n = len(f.drawn)
			f.drawn = append(f.drawn, glyph{r, i, a.Round()})
		}
	}
	f.known[r] = n
	return n
}

// advance returns how wide a character is, in parts of an em.
func (f *face) advance(r rune) int {
	if n := f.place(r); n >= 0 {
		return f.drawn[n].advance
	}
	return em
}

// width returns how wide a text is, in points.
func (f *face) width(size int, s string) (w int) {
	for _, r := range s {
		w += f.advance(r)
	}
	return (w*size + em - 1) / em
}

// run is a part of a text that one font has.
type run struct {
	font  string
	codes []byte
}

// runs parts a text by fonts. What is no character to be seen is left out.
func (f *face) runs(s string) (all []run) {
	for _, r := range s {
		if r < ' ' {
			continue
		}
		name, code := "F1", []byte(nil)
		if n := f.place(r); n >= 0 {
			name, code = fmt.Sprintf("T%d", n/mostCodes), []byte{byte(n%mostCodes + 1)}
		} else {
			for _, u := range utf16.Encode([]rune{r}) {
				code = append(code, byte(u>>8), byte(u))
			}
		}
		if n := len(all); n > 0 && all[n-1].font == name {
			all[n-1].codes = append(all[n-1].codes, code...)
			continue
		}
		all = append(all, run{name, code})
	}
	return all
}

// outline returns a glyph as a page draws it.
func (f *face) outline(g glyph) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d 0 -200 -400 1200 1200 d1\n", g.advance)
	segments, err := f.font.LoadGlyph(&f.buf, g.index, fixed.I(em), nil)
	if err != nil {
		return b.Bytes() // a blank
	}
	for _, s := range segments {
		n, op := 1, "l"
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			op = "m"
		case sfnt.SegmentOpQuadTo:
			n, op = 2, "v" // the font has cubic curves only
		case sfnt.SegmentOpCubeTo:
			n, op = 3, "c"
		}
		for _, a := range s.Args[:n] {
			fmt.Fprintf(&b, "%d %d ", a.X.Round(), -a.Y.Round())
		}
		b.WriteString(op + "\n")
	}
	b.WriteString("f\n")
	return b.Bytes()
}

// fonts adds the fonts of a face, and returns them as the resources of pages name them.
func (f *file) fonts(of *face) string {
	var names strings.Builder
	for at := 0; at < len(of.drawn); at += mostCodes {
		some := of.drawn[at:min(at+mostCodes, len(of.drawn))]
		var procs, differences, widths, unicode strings.Builder
		for i, g := range some {
			fmt.Fprintf(&procs, "/g%d %d 0 R ", i+1, f.stream("", of.outline(g)))
			fmt.Fprintf(&differences, "/g%d ", i+1)
			fmt.Fprintf(&widths, "%d ", g.advance)
			fmt.Fprintf(&unicode, "<%02X> <", i+1)
			for _, u := range utf16.Encode([]rune{g.r}) {
				fmt.Fprintf(&unicode, "%04X", u)
			}
			unicode.WriteString(">\n")
		}
		n := f.put(fmt.Sprintf("<< /Type /Font /Subtype /Type3 /FontBBox [-200 -400 1200 1200] /FontMatrix [0.001 0 0 0.001 0 0] "+
			"/Resources << >> /CharProcs << %s>> /Encoding << /Type /Encoding /Differences [1 %s] >> /FirstChar 1 /LastChar %d "+
			"/Widths [%s] /ToUnicode %d 0 R >>",
			procs.String(), differences.String(), len(some), widths.String(), f.stream("", meanings(unicode.String(), len(some)))))
		fmt.Fprintf(&names, "/T%d %d 0 R ", at/mostCodes, n)
	}
	fmt.Fprintf(&names, "/F1 %d 0 R ", f.ofReader())
	return names.String()
}

// meanings says which characters codes mean, for who searches and copies. A block has at most 100 lines.
func meanings(lines string, n int) []byte {
	var b bytes.Buffer
	b.WriteString("/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Adobe-Identity-UCS def /CMapType 2 def\n" +
		"1 begincodespacerange <00> <FF> endcodespacerange\n")
	all := strings.SplitAfter(lines, "\n")[:n]
	for len(all) > 0 {
		some := all[:min(100, len(all))]
		fmt.Fprintf(&b, "%d beginbfchar\n%sendbfchar\n", len(some), strings.Join(some, ""))
		all = all[len(some):]
	}
	b.WriteString("endcmap CMapName currentdict /CMap defineresource pop end end\n")
	return b.Bytes()
}

// ofReader adds the font for Chinese that readers of PDF have themselves.
func (f *file) ofReader() int {
	described := f.put("<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880] /ItalicAngle 0 /Ascent 880 " +
		"/Descent -120 /CapHeight 880 /StemV 93 >>")
	chosen := f.put(fmt.Sprintf("<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /CIDSystemInfo << /Registry (Adobe) "+
		"/Ordering (GB1) /Supplement 2 >> /DW 1000 /FontDescriptor %d 0 R >>", described))
	return f.put(fmt.Sprintf("<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UTF16-H /DescendantFonts [%d 0 R] >>",
		chosen))
}
