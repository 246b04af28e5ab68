package display

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/http"
	"sync"
)

// Browser is a panel that browsers look at. It serves the frame at /frame.png and, at /events, the number of each new
// frame as a server-sent event. It is safe for concurrent use.
type Browser struct {
	mu      sync.Mutex
	frame   *image.RGBA   // guarded by mu
	number  uint64        // guarded by mu; of the frame
	encoded []byte        // guarded by mu; of encodedNumber
	of      uint64        // guarded by mu; which frame encoded is
	next    chan struct{} // guarded by mu; closed by the next frame
}

// NewBrowser returns a black panel.
func NewBrowser(size image.Point) *Browser {
	return &Browser{frame: image.NewRGBA(image.Rectangle{Max: size}), number: 1, next: make(chan struct{})}
}

// String implements conn.Resource.
func (b *Browser) String() string { return "browser" }

// Halt implements conn.Resource.
func (b *Browser) Halt() error { return nil }

// ColorModel implements display.Drawer.
func (b *Browser) ColorModel() color.Model { return color.RGBAModel }

// Bounds implements display.Drawer.
func (b *Browser) Bounds() image.Rectangle {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.frame.Rect
}

// Resize makes the panel another size, and black, if it is not that size already.
func (b *Browser) Resize(size image.Point) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.frame.Rect.Size() != size {
		b.frame = image.NewRGBA(image.Rectangle{Max: size})
	}
}

// Draw implements display.Drawer.
func (b *Browser) Draw(r image.Rectangle, src image.Image, sp image.Point) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	draw.Draw(b.frame, r, src, sp, draw.Src)
	b.announce()
	return nil
}

// DrawParts draws parts of a frame, which browsers see as one new frame.
func (b *Browser) DrawParts(parts []image.Rectangle, frame *image.RGBA) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range parts {
		draw.Draw(b.frame, p, frame, p.Min, draw.Src)
	}
	b.announce()
	return nil
}

// announce wakes those who wait for the next frame. The caller holds mu.
func (b *Browser) announce() {
	b.number++
	close(b.next)
	b.next = make(chan struct{})
}

// ServeHTTP serves /frame.png and /events, whatever comes before them in the path.
func (b *Browser) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.Path) >= 7 && r.URL.Path[len(r.URL.Path)-7:] == "/events" {
		b.events(w, r)
		return
	}
	content, number, err := b.png()
	if err != nil {
		http.Error(w, "the frame cannot be encoded", http.StatusInternalServerError)
		return
	}
	tag := fmt.Sprintf("%q", fmt.Sprint(number))
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache")
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(content) // a browser that has gone away is no error of ours
}

func (b *Browser) png() (content []byte, number uint64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of != b.number {
		var buf bytes.Buffer
		enc := png.Encoder{CompressionLevel: png.BestSpeed}
		if err := enc.Encode(&buf, b.frame); err != nil {
			return nil, 0, err
		}
		b.encoded, b.of = buf.Bytes(), b.number
	}
	return b.encoded, b.number, nil
}

func (b *Browser) events(w http.ResponseWriter, r *http.Request) {
	c := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	for {
		b.mu.Lock()
		number, next := b.number, b.next
		b.mu.Unlock()
		if _, err := fmt.Fprintf(w, "id: %d\ndata: %d\n\n", number, number); err != nil {
			return
		}
		if err := c.Flush(); err != nil {
			return
		}
		select {
		case <-next:
		case <-r.Context().Done():
			return
		}
	}
}
