package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// moment is something that went from one part of the product to the next.
type moment struct {
	// What is key, frame, network, or the last word of a message's topic.
	What  string `json:"what"`
	Box   string `json:"box,omitempty"`
	Count uint64 `json:"count,omitempty"` // records in a batch, or through which an acknowledgement goes
	Up    bool   `json:"up,omitempty"`    // of the network
	Frame string `json:"frame,omitempty"` // the number of what a screen shows
}

// parts tells those who look at the picture what travels through it. Its methods are safe for concurrent use.
type parts struct {
	mu      sync.Mutex
	lookers map[chan moment]bool // guarded by mu
}

func newParts() *parts { return &parts{lookers: make(map[chan moment]bool)} }

// tell never waits: a page that does not keep up misses something.
func (p *parts) tell(m moment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.lookers {
		select {
		case c <- m:
		default:
		}
	}
}

// heard tells of a message between a box and the broker.
func (s *stagehand) heard(topic string, payload []byte) {
	words := strings.Split(topic, "/")
	if len(words) != 4 {
		return
	}
	m := moment{What: words[3], Box: s.slotOf(words[2])}
	var counts struct {
		Count uint64
		Body  struct{ Through uint64 }
	}
	if err := json.Unmarshal(payload, &counts); err == nil {
		m.Count = max(counts.Count, counts.Body.Through)
	}
	s.parts.tell(m)
}

// follow tells of each frame of a box's screen until ctx ends. A browser has few connections for one page, so that all comes over one.
func (p *parts) follow(ctx context.Context, b *demoBox) {
	for ctx.Err() == nil {
		p.frames(ctx, b)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// frames reads one stream of a screen's frames until it ends.
func (p *parts) frames(ctx context.Context, b *demoBox) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.at("browser")()+"/events", nil)
	if err != nil {
		return
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return
	}
	defer func() { _ = resp.Body.Close() }()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if frame, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			p.tell(moment{What: "frame", Box: b.slot, Frame: frame})
		}
	}
}

// ServeHTTP streams the moments until the page or the demonstration ends.
func (p *parts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := make(chan moment, 64)
	p.mu.Lock()
	p.lookers[c] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.lookers, c)
		p.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	control := http.NewResponseController(w)
	_, _ = fmt.Fprint(w, ": here\n\n")
	for {
		if err := control.Flush(); err != nil {
			return // the page has gone away
		}
		select {
		case <-r.Context().Done():
			return
		case m := <-c:
			b, err := json.Marshal(m)
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(w, "data: %s\n\n", b); err != nil {
				return
			}
		}
	}
}
