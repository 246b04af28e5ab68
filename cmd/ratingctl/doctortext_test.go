package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"

	"haochaping/internal/rating"
)

// TestDoctorSaysWhatTheScreenCannotDraw gives the box names, photos and fonts of all kinds.
func TestDoctorSaysWhatTheScreenCannotDraw(t *testing.T) {
	c := newClinic(t)
	c.enrol()
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, 16, 16)), nil); err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(c.dir, "cut.ttc")
	if err := os.WriteFile(cut, []byte("ttcf\x00\x01\x00\x00\x00\x00\x00\x0a"), 0o600); err != nil {
		t.Fatal(err)
	}
	const screen = "screen.browser = \"127.0.0.1:8390\"\nscreen.fonts = []\n"
	for _, x := range []struct {
		name, changed string
		member        rating.Member
		mark          mark
		words         []string
	}{
		{"everyday names", screen, rating.Member{Staff: rating.Staff{ID: "0417", Name: "王鑫琪", Department: "བོད་ཡིག"}, Photo: photo.Bytes()}, well,
			[]string{"都能显示"}},
		{"a rare name", screen, rating.Member{Staff: rating.Staff{ID: "0417", Name: "王𠮷\u200b"}}, noted,
			[]string{"王𠮷", "U+20BB7", "fonts-noto-cjk"}},
		{"an odd photo", screen, rating.Member{Staff: rating.Staff{ID: "0417"}, Photo: photo.Bytes()[:40]}, noted, []string{"照片无法显示，工号 0417"}},
		{"a damaged font", fmt.Sprintf("screen.browser = \"127.0.0.1:8390\"\nscreen.fonts = [%q]\n", cut),
			rating.Member{Staff: rating.Staff{ID: "0417"}}, noted, []string{cut, "screen.fonts"}},
		{"no screen", "", rating.Member{Staff: rating.Staff{ID: "0417", Name: "王𠮷"}}, well, []string{"未配置屏幕"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			roster, err := json.Marshal([]rating.Member{x.member})
			if err != nil {
				t.Fatal(err)
			}
			c.write(filepath.Join(c.state, "roster.json"), string(roster))
			c.configure(x.changed)
			lines, _ := c.look()
			c.want(lines, "text", x.mark, x.words...)
		})
	}
}
