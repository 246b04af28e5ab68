package display

import (
	"bytes"
	"image"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestPackedRowsComeBack packs rows of few colours and of many, and compares.
func TestPackedRowsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &packed{bytes: rapid.SampledFrom([]int{2, 4}).Draw(t, "bytes")}
		width := rapid.SampledFrom([]int{1, 2, 7, 480, longestRun, longestRun + 1, 2*longestRun + 3}).Draw(t, "width")
		p.size = image.Pt(width, 0)
		var want [][]byte
		for range rapid.IntRange(0, 3).Draw(t, "rows") {
			row := bytes.Repeat(rapid.SliceOfN(rapid.Byte(), p.bytes, p.bytes).Draw(t, "paper"), width)
			for range rapid.IntRange(0, 5).Draw(t, "spots") {
				copy(row[p.bytes*rapid.IntRange(0, width-1).Draw(t, "at"):], rapid.SliceOfN(rapid.Byte(), 0, 3*p.bytes).Draw(t, "spot"))
			}
			want = append(want, row)
			p.add(row)
		}
		var got [][]byte
		p.unpack(func(y int, row []byte) {
			if y != len(got) {
				t.Fatalf("row %d comes as the %dth", y, len(got))
			}
			got = append(got, slices.Clone(row))
		})
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatal("the rows are others")
		}
	})
}
