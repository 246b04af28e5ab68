package main

import (
	"net/http"
	"testing"
)

// TestScreenIsNoWebPages holds that a page which lets its own name point to the box, or embeds what is there, sees nothing of the
// screen: the answer that a citizen is thanked for stands on it.
func TestScreenIsNoWebPages(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	b := newGPIOBox(t, w, "screen", 1)
	w.enrol(b, 0)
	b.launch()
	for _, path := range []string{"/state.json", "/frame.png", "/events"} {
		for name, change := range map[string]func(*http.Request){
			"another name":     func(r *http.Request) { r.Host = "evil.example" },
			"another origin":   func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
			"an embedding one": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		} {
			r, err := http.NewRequest("GET", "http://"+b.bound["browser"]+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			change(r)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s by %s: %s", path, name, resp.Status)
			}
		}
	}
	b.stop()
}
