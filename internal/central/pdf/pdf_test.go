package pdf_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"haochaping/internal/central/pdf"
	"haochaping/internal/central/pdf/pdftest"
)

// sample uses more characters than one font of Type 3 has, one that the built-in font lacks, and controls.
func sample() (b []byte, text string) {
	var d pdf.Document
	p, y := d.Page(), 780
	for r := '一'; r < '一'+300; r += 30 {
		var line strings.Builder
		for i := range rune(30) {
			line.WriteRune(r + i)
		}
		p.Text(12, 50, y, line.String())
		text += line.String()
		y -= 16
	}
	d.Wide().Right(14, 800, 500, "好评率 99.95%\x07 𠮷")
	return d.Bytes(), text + "好评率 99.95% 𠮷"
}

// TestTextCanBeReadBack: what is written is found again, by the test's own reader.
func TestTextCanBeReadBack(t *testing.T) {
	b, want := sample()
	got, pages := pdftest.Text(t, b)
	if got = strings.ReplaceAll(got, "\n", ""); got != want || pages != 2 {
		t.Errorf("%d pages with %q, want %q", pages, got, want)
	}
}

// TestReadersOfPDF: poppler finds nothing wrong with a file, and the same text in it.
func TestReadersOfPDF(t *testing.T) {
	if _, err := exec.LookPath("pdftotext"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("install the Debian packages poppler-utils and poppler-data")
		}
		t.Skip("install the Debian packages poppler-utils and poppler-data")
	}
	b, want := sample()
	path := filepath.Join(t.TempDir(), "a.pdf")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	want = strings.TrimSuffix(want, " 𠮷") // the reader's own font for Chinese is in another package
	out, err := exec.Command("pdftotext", "-q", "-raw", path, "-").CombinedOutput()
	if got := strings.NewReplacer("\n", "", "\f", "", " ", "").Replace(string(out)); err != nil || got != strings.ReplaceAll(want, " ", "") {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

// TestWrap: lines are as wide as is said and no wider, and nothing is lost.
func TestWrap(t *testing.T) {
	var d pdf.Document
	text := "政务服务“好差评”" + strings.Repeat("WWiil 12.5%", 20) + "\n第二行"
	lines := d.Wrap(10, 100, text)
	if got := strings.Join(lines, ""); got != strings.ReplaceAll(text, "\n", "") || len(lines) < 10 || lines[len(lines)-1] != "第二行" {
		t.Errorf("%q", lines)
	}
	if got := d.Wrap(10, 3, "宽字"); len(got) != 2 {
		t.Errorf("in no width: %q", got)
	}
}
