package opsapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// KeyEvent is what a key did, or whether keys are told of now, as a line of GET /v1/keys. A key has the code that its source reads and
// no level.
type KeyEvent struct {
	At   int64  `json:"at_ms"` // since the machine started
	What string `json:"what"`  // one of the names below
	Code string `json:"code,omitempty"`
	Why  string `json:"why,omitempty"` // of a loss
}

// What a KeyEvent says.
const (
	KeyShown    = "shown"    // from here on keys are told of
	KeyHidden   = "hidden"   // a citizen is asked: from here on nothing is told
	KeyDown     = "down"     // a press
	KeyTogether = "together" // with another, so that neither counts
	KeyStuck    = "stuck"
	KeyReleased = "released" // a stuck key was let go
	KeypadLost  = "lost"
	KeypadBack  = "back"
)

// Keys tells of keys until ctx ends or tell fails. With pause the window is closed for that time.
type Keys func(ctx context.Context, pause bool, tell func(KeyEvent) error) error

// keys answers with one line for each event until the client is gone.
func (a api) keys(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	began := false
	err := a.Keys(r.Context(), r.URL.Query().Has("pause"), func(e KeyEvent) error {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if !began {
			began = true
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.Header().Set("Cache-Control", "no-store")
		}
		if err := out.SetWriteDeadline(time.Now().Add(answerLimit)); err != nil {
			return err
		}
		if _, err := w.Write(append(b, '\n')); err != nil {
			return err
		}
		return out.Flush()
	})
	if err != nil && !began {
		http.Error(w, err.Error(), http.StatusConflict)
	}
}

// WatchKeys calls heard with what the daemon at a unix socket tells of its keys, until ctx ends, when it returns nil. With pause the
// window is closed meanwhile. Errors are as of Ask.
func WatchKeys(ctx context.Context, socket string, pause bool, heard func(KeyEvent)) (err error) {
	defer func() {
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("ask ratingd at %s: %w", socket, err)
		} else {
			err = nil
		}
	}()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	address := "http://localhost/v1/keys"
	if pause {
		address += "?pause"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return unaddressed(err)
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(answer.Body, 1000)) // without it the status must do
		return fmt.Errorf("it answers %s: %s", answer.Status, why)
	}
	for lines := bufio.NewScanner(answer.Body); ; {
		if !lines.Scan() {
			if err := lines.Err(); err != nil {
				return err
			}
			return errors.New("it has ended")
		}
		var e KeyEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("read its answer: %w", err)
		}
		heard(e)
	}
}
