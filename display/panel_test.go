package display

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"periph.io/x/conn/v3/display"
	"periph.io/x/conn/v3/display/displaytest"

	"haochaping/internal/rating"
)

// The panels fit where any periph screen fits.
var _ = []display.Drawer{(*Framebuffer)(nil), (*DRM)(nil), (*Browser)(nil), (*Files)(nil)}

// counting is a panel that counts what it is sent.
type counting struct {
	displaytest.Drawer
	parts []image.Rectangle
	err   error
}

func (c *counting) Draw(r image.Rectangle, src image.Image, sp image.Point) error {
	c.parts = append(c.parts, r)
	if c.err != nil {
		return c.err
	}
	return c.Drawer.Draw(r, src, sp)
}

func TestBoardSendsWhatHasChanged(t *testing.T) {
	size := image.Pt(800, 480)
	p := &counting{Drawer: displaytest.Drawer{Img: image.NewNRGBA(image.Rectangle{Max: size})}}
	r := renderer(t)
	b := NewBoard(r, size, p)
	first := screens(t)["thanks"]
	second := first
	second.Chosen = rating.Satisfied - 1
	for _, s := range []Screen{first, first, second} {
		if err := b.Show(s); err != nil {
			t.Fatal(err)
		}
	}
	sent := 0
	for _, r := range p.parts[1:] {
		sent += r.Dx() * r.Dy()
	}
	// Two of five tiles have changed, each a fifth of the screen's breadth and less than half of its height.
	if p.parts[0] != (image.Rectangle{Max: size}) || sent == 0 || sent > size.X*size.Y*2/5/2*3/2 {
		t.Errorf("drawn parts: %v; want the whole, then the two tiles", p.parts)
	}
	if n := different(render(t, renderer(t), second, size), p.Img); n > 0 {
		t.Errorf("%d pixels of the panel are not those of the screen", n)
	}
	p.err = errors.New("unplugged")
	if err := b.Show(first); err == nil {
		t.Error("the panel's failure was swallowed")
	}
	p.err = nil
	if err := b.Show(first); err != nil || p.parts[len(p.parts)-1] != (image.Rectangle{Max: size}) {
		t.Errorf("after a failure: %v, %v; want the whole again", err, p.parts)
	}
}

func TestBrowserServesThePanelsPixels(t *testing.T) {
	size := image.Pt(480, 320)
	p := NewBrowser(size)
	if err := NewBoard(renderer(t), size, p).Show(screens(t)["idle"]); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest("GET", "/frame.png", nil))
	got, err := png.Decode(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if n := different(render(t, renderer(t), screens(t)["idle"], size), got); n > 0 {
		t.Errorf("%d pixels differ", n)
	}
	again := httptest.NewRequest("GET", "/frame.png", nil)
	again.Header.Set("If-None-Match", w.Header().Get("ETag"))
	w = httptest.NewRecorder()
	p.ServeHTTP(w, again)
	if w.Code != http.StatusNotModified {
		t.Errorf("the same frame again: status %d", w.Code)
	}
}

func TestBrowserAnnouncesFrames(t *testing.T) {
	p := NewBrowser(image.Pt(480, 320))
	s := httptest.NewServer(p)
	defer s.Close()
	resp, err := http.Get(s.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b := make([]byte, 64)
	n, err := resp.Body.Read(b)
	if err != nil || !strings.Contains(string(b[:n]), "data: 1\n") {
		t.Fatalf("first event %q, %v", b[:n], err)
	}
	if err := p.Draw(p.Bounds(), image.White, image.Point{}); err != nil {
		t.Fatal(err)
	}
	if n, err = resp.Body.Read(b); err != nil || !strings.Contains(string(b[:n]), "data: 2\n") {
		t.Errorf("second event %q, %v", b[:n], err)
	}
}

func TestFilesHoldTheFrame(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "screens")
	size := image.Pt(480, 320)
	p, err := NewFiles(dir, size)
	if err != nil {
		t.Fatal(err)
	}
	if err := NewBoard(renderer(t), size, p).Show(screens(t)["idle"]); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, "screen.png"))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := png.Decode(bytes.NewReader(content)); err != nil || m.Bounds().Size() != size {
		t.Errorf("file: %v", err)
	}
}

func TestFramebufferThatWasScrolled(t *testing.T) {
	v := fbVarInfo{xres: 800, yres: 480, xresVirtual: 1024, yresVirtual: 960, xoffset: 10, yoffset: 480, bitsPerPixel: 16,
		red: fbBitfield{11, 5, 0}, green: fbBitfield{5, 6, 0}, blue: fbBitfield{0, 5, 0}}
	f := fbFormat(v, fbFixInfo{lineLength: 2048})
	if err := f.check(); err != nil || f.origin != 480*2048+20 || f.memory() != 959*2048+20+1600 {
		t.Errorf("%+v with %d bytes, %v", f, f.memory(), err)
	}
}

func TestFramebufferFormats(t *testing.T) {
	rgb565 := pixelFormat{width: 3, height: 2, stride: 8, bytes: 2, red: channelBits{11, 5}, green: channelBits{5, 6}, blue: channelBits{0, 5}}
	xrgb := pixelFormat{width: 3, height: 2, stride: 16, bytes: 4, red: channelBits{16, 8}, green: channelBits{8, 8}, blue: channelBits{0, 8}}
	m := image.NewRGBA(image.Rect(0, 0, 2, 2))
	m.Set(0, 0, color.RGBA{0xff, 0, 0, 0xff})
	m.Set(1, 0, color.RGBA{0, 0xff, 0, 0xff})
	m.Set(0, 1, color.RGBA{0, 0, 0xff, 0xff})
	m.Set(1, 1, color.RGBA{0x80, 0x40, 0x20, 0xff})
	for _, c := range []struct {
		format pixelFormat
		want   []byte
	}{
		{rgb565, []byte{0, 0, 0x00, 0xf8, 0xe0, 0x07, 0, 0, 0, 0, 0x1f, 0x00, 0x04, 0x82, 0, 0}},
		{xrgb, []byte{0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0x20, 0x40, 0x80, 0, 0, 0, 0, 0}},
	} {
		if err := c.format.check(); err != nil {
			t.Fatal(err)
		}
		f := &Framebuffer{surface: surface{memory: make([]byte, len(c.want)), format: c.format}}
		if err := f.Draw(image.Rect(1, 0, 5, 2), m, image.Point{}); err != nil { // wider than the screen
			t.Fatal(err)
		}
		if !bytes.Equal(f.memory, c.want) {
			t.Errorf("%d bytes a pixel: % x, want % x", c.format.bytes, f.memory, c.want)
		}
	}
	for _, bad := range []pixelFormat{{width: 1, height: 1, stride: 3, bytes: 1}, {width: 4, height: 1, stride: 2, bytes: 2}} {
		if err := bad.check(); err == nil {
			t.Errorf("format %+v was accepted", bad)
		}
	}
}
