// Package pdftest reads what package pdf has written, for tests.
package pdftest

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
)

// Text returns the text of a document, a line for each piece that was written, and how many pages it has.
func Text(t testing.TB, b []byte) (text string, pages int) {
	t.Helper()
	if !bytes.HasPrefix(b, []byte("%PDF-")) {
		t.Fatalf("no PDF: %.60q", b)
	}
	objects := objectsOf(b)
	fonts := make(map[string]map[string]string)
	var out strings.Builder
	for n := 1; n <= len(objects); n++ {
		page := objects[strconv.Itoa(n)]
		if !bytes.Contains(page, []byte("/Type /Page ")) {
			continue
		}
		pages++
		for _, m := range regexp.MustCompile(`/(T\d+) (\d+) 0 R`).FindAllSubmatch(page, -1) {
			if fonts[string(m[1])] == nil {
				fonts[string(m[1])] = codes(t, stream(t, objects[named(t, objects[string(m[2])], "ToUnicode")]))
			}
		}
		for line := range strings.SplitSeq(stream(t, objects[named(t, page, "Contents")]), "\n") {
			if strings.HasPrefix(line, "BT ") {
				fmt.Fprintln(&out, read(t, line, fonts))
			}
		}
	}
	return out.String(), pages
}

// Boxes returns how many squares of a side there are.
func Boxes(t testing.TB, b []byte, side int) (n int) {
	t.Helper()
	objects := objectsOf(b)
	for _, page := range objects {
		if bytes.Contains(page, []byte("/Type /Page ")) {
			n += strings.Count(stream(t, objects[named(t, page, "Contents")]), fmt.Sprintf(" %d %d re S", side, side))
		}
	}
	return n
}

// objectsOf returns the objects of a file by their numbers.
func objectsOf(b []byte) map[string][]byte {
	objects := make(map[string][]byte)
	for _, m := range regexp.MustCompile(`(?s)\n(\d+) 0 obj\n(.*?)\nendobj`).FindAllSubmatch(b, -1) {
		objects[string(m[1])] = m[2]
	}
	return objects
}

// named returns the number of the object that another one names.
func named(t testing.TB, object []byte, key string) string {
	t.Helper()
	m := regexp.MustCompile(`/` + key + ` (\d+) 0 R`).FindSubmatch(object)
	if m == nil {
		t.Fatalf("no %s in %.200q", key, object)
	}
	return string(m[1])
}

func stream(t testing.TB, object []byte) string {
	t.Helper()
	_, b, ok := bytes.Cut(object, []byte("\nstream\n"))
	if !ok {
		t.Fatalf("no stream: %.200q", object)
	}
	r, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// codes reads which characters a font's codes mean.
func codes(t testing.TB, s string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, m := range regexp.MustCompile(`<([0-9A-F]{2})> <([0-9A-F]+)>\n`).FindAllStringSubmatch(s, -1) {
		all[m[1]] = wide(t, m[2])
	}
	return all
}

// wide reads hexadecimal UTF-16.
func wide(t testing.TB, s string) string {
	t.Helper()
	var units []uint16
	for ; len(s) >= 4; s = s[4:] {
		u, err := strconv.ParseUint(s[:4], 16, 16)
		if err != nil {
			t.Fatal(err)
		}
		units = append(units, uint16(u))
	}
	return string(utf16.Decode(units))
}

func read(t testing.TB, line string, fonts map[string]map[string]string) (text string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`/(\w+) \d+ Tf <([0-9A-F]*)> Tj`).FindAllStringSubmatch(line, -1) {
		if m[1] == "F1" {
			text += wide(t, m[2])
			continue
		}
		for s := m[2]; len(s) >= 2; s = s[2:] {
			r, ok := fonts[m[1]][s[:2]]
			if !ok {
				t.Fatalf("%s has no %s", m[1], s[:2])
			}
			text += r
		}
	}
	return text
}
