package windowapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// heartbeat is how often a stream says that it is alive, so that either side notices a dead line.
const heartbeat = 15 * time.Second

// writeTimeout is how long a client may take to receive what is sent to it.
const writeTimeout = 10 * time.Second

// stream answers with the events as they happen, from after the one that the client names.
func (a *api) stream(w http.ResponseWriter, r *http.Request) {
	release, ok := a.clients.hold(clientOf(r), streamsOf, maxStreams)
	if !ok {
		a.fail(w, r, problemTooMany(5))
		return
	}
	defer release()
	c := a.Journal.end()
	reset := false
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		c, ok = a.Journal.after(last)
		reset = !ok
	}
	s := stream{w, http.NewResponseController(w)}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	// A client that loses the line before its first event goes on here too: an id without data is remembered and not shown.
	begin := "retry: 2000\n\n"
	if id, ok := a.Journal.before(c); ok && !reset {
		begin = "retry: 2000\nid: " + id + "\n\n"
	}
	if s.send(begin) != nil {
		return
	}
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		events, next, missed, more := a.Journal.next(c)
		c = next
		if reset || missed > 0 {
			reset = false
			if s.send("event: reset\ndata: {}\n\n") != nil {
				return
			}
		}
		for _, e := range events {
			b, err := json.Marshal(e)
			if err != nil {
				a.Logger.Error("an event cannot be encoded", "error", err)
				return
			}
			if s.send(fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", e.ID, e.Type, b)) != nil {
				return
			}
		}
		select {
		case <-more:
		case <-tick.C:
			if _, ok := a.authenticate(r); !ok { // revoked meanwhile
				return
			}
			if s.send(":\n\n") != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// stream writes events to a client.
type stream struct {
	w    io.Writer
	ctrl *http.ResponseController
}

// send returns an error when the client has gone away or takes too long.
func (s stream) send(text string) error {
	if err := s.ctrl.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := io.WriteString(s.w, text); err != nil {
		return err
	}
	return s.ctrl.Flush()
}
