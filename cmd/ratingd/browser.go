package main

import (
	"encoding/json"
	"net/http"

	"haochaping/device"
	"haochaping/display"
	"haochaping/internal/boxconfig"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
)

// boxState is what a page beside the screen needs to know besides its pixels.
type boxState struct {
	State   string             `json:"state"`
	Offline bool               `json:"offline"`
	Visit   string             `json:"visit,omitempty"`
	Link    string             `json:"link,omitempty"`    // what the QR code says
	Code    string             `json:"code,omitempty"`    // under which the box waits to be accepted
	Digits  string             `json:"digits,omitempty"`  // that go with it
	Chosen  rating.Level       `json:"chosen,omitempty"`  // what the thanks or reasons are for, as the frame shows it
	Reasons []string           `json:"reasons,omitempty"` // what the keys stand for instead, left to right
	Texts   rating.ScreenTexts `json:"texts,omitzero"`    // that the levels above have set in place of the program's own
	Press   rating.Level       `json:"press,omitempty"`   // whose key is to be pressed while the keys are learnt
	Test    bool               `json:"test_picture,omitempty"`
	Round   int                `json:"round,omitempty"` // for the how manieth time
	Pending uint64             `json:"pending"`         // records that the centre has not acknowledged
	Order   [5]rating.Level    `json:"order"`           // left to right
	Codes   [5]string          `json:"codes"`           // the keys' names, in the same order
}

// browserPage serves the screen's very frames, and the keys where they are simulated.
func browserPage(frames http.Handler, keys *device.Simulated, shown *latest[picture], links *linkBook, c boxconfig.Keys,
	pending func() uint64) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /frame.png", frames)
	mux.Handle("GET /events", frames)
	if keys != nil {
		mux.Handle("POST /keys/{code}", keys.Handler())
	}
	mux.HandleFunc("GET /state.json", func(w http.ResponseWriter, _ *http.Request) {
		now := shown.get() // the citizen's screen
		v, wait := now.view, now.code
		s := boxState{State: string(v.State), Offline: !now.online, Chosen: v.Chosen, Pending: pending(), Code: wait.Text, Digits: wait.Digits,
			Press: now.lesson.level, Round: int(now.lesson.step), Test: now.test != nil}
		if displayState(v) == display.Fault {
			s.State = terminal.Fault
		}
		s.Texts = v.Texts
		for _, r := range v.Reasons {
			if r.Code != "" {
				s.Reasons = append(s.Reasons, r.Text)
			}
		}
		if v.Visit != nil {
			s.Visit = v.Visit.ID.String()
			s.Link, _ = links.link(v) // an error is logged where the screen is drawn
		}
		for i, k := range c.Map {
			s.Order[i], s.Codes[i] = k.Level, k.Key
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		// A page that has gone away is no error of ours.
		_ = json.NewEncoder(w).Encode(s)
	})
	return mux
}
