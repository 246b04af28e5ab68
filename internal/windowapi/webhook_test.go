package windowapi

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"haochaping/internal/webhook"

	"github.com/google/go-cmp/cmp"
)

func listenLoopback(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// receiver is the hall's server. It answers with the statuses in their order, then with 204.
type receiver struct {
	mu       sync.Mutex
	statuses []int
	got      []string // the visits of the events that were taken
	tried    []time.Time
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w.Result(), nil
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried = append(r.tried, time.Now())
	if len(r.statuses) > 0 {
		w.WriteHeader(r.statuses[0])
		r.statuses = r.statuses[1:]
		return
	}
	b, err := io.ReadAll(req.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	mac := hmac.New(sha256.New, []byte("0123456789abcdef0123456789abcdef"))
	_, _ = mac.Write([]byte(req.Header.Get("webhook-id") + "." + req.Header.Get("webhook-timestamp") + "." + string(b)))
	if req.Header.Get("webhook-signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var e Event
	if err := json.Unmarshal(b, &e); err != nil || e.ID != req.Header.Get("webhook-id") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.got = append(r.got, fmt.Sprint(e.Type, " ", int(e.Visit)))
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.got...)
}

// hook returns a webhook whose place is kept in *place.
func hook(j *Journal, r http.RoundTripper, place *string) *Webhook {
	secret, err := webhook.ParseSecret("whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef")))
	if err != nil {
		panic(err)
	}
	return &Webhook{
		URL: "http://hall.example/hook", Secret: secret, Client: &http.Client{Transport: r}, Journal: j,
		Position: func() string { return *place }, Keep: func(id string) error { *place = id; return nil },
		Now: time.Now, Random: func() float64 { return 0.5 }, Report: func(error) {}, Logger: slog.New(slog.DiscardHandler),
	}
}

func TestWebhook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, j, place := &memoryLog{epoch: 7}, NewJournal(nil), ""
		r := &receiver{statuses: []int{500, 503, 302}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		log.append(nil, visitBodies(1)...) // before the webhook was configured
		bodies := visitBodies(2)
		log.append(j, bodies[0]) // while the log is read
		if err := j.Load(log); err != nil {
			t.Fatal(err)
		}
		go func() { done <- hook(j, r, &place).Run(ctx) }()
		synctest.Wait()
		log.append(j, bodies[1:]...)
		time.Sleep(time.Minute)
		synctest.Wait()
		want := []string{"visit.opened 2", "visit.ended 2"}
		if diff := cmp.Diff(want, r.taken()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if len(r.tried) != 5 || r.tried[1].Sub(r.tried[0]) != time.Second || r.tried[2].Sub(r.tried[1]) != 2*time.Second ||
			r.tried[3].Sub(r.tried[2]) != 4*time.Second {
			t.Errorf("tried at %v", r.tried)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		// The daemon starts again, having been away for a visit's end.
		log.append(nil, visitBodies(3)...)
		again := NewJournal(nil)
		if err := again.Load(log); err != nil {
			t.Fatal(err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		go func() { done <- hook(again, r, &place).Run(ctx) }()
		synctest.Wait()
		if diff := cmp.Diff(append(want, "visit.opened 3", "visit.ended 3"), r.taken()); diff != "" {
			t.Errorf("after a restart (-want +got):\n%s", diff)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestWebhookGivesUpAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, j, place := &memoryLog{epoch: 7}, NewJournal(nil), ""
		r := &receiver{}
		for range 400 {
			r.statuses = append(r.statuses, 500)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- hook(j, r, &place).Run(ctx) }()
		synctest.Wait()
		log.append(j, visitBodies(1)[:1]...)
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		r.mu.Lock()
		r.statuses = nil
		tries := len(r.tried)
		r.mu.Unlock()
		if tries < 200 || tries > 400 {
			t.Errorf("tried %d times in a day", tries)
		}
		log.append(j, visitBodies(2)[:1]...)
		synctest.Wait()
		if diff := cmp.Diff([]string{"visit.opened 2"}, r.taken()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// One event that the receiver does not want keeps those behind it waiting for minutes and not for a day.
func TestWebhookGoesOnAfterARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, j, place := &memoryLog{epoch: 7}, NewJournal(nil), ""
		r := &receiver{statuses: slices.Repeat([]int{422}, 11)} // the last two after 8:31 and 13:31 minutes
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- hook(j, r, &place).Run(ctx) }()
		synctest.Wait()
		log.append(j, visitBodies(1)...)
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"visit.ended 1"}, r.taken()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if gone := r.tried[len(r.tried)-1].Sub(r.tried[0]); gone < webhookRefused {
			t.Errorf("it was dropped after %s", gone)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// The power fails again and again while the first visit ever is open: what it began is told until something has ended.
func TestWebhookAfterAPowerCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, place := &memoryLog{epoch: 7}, ""
		r := &receiver{}
		bodies := visitBodies(1)
		for _, b := range bodies {
			j := NewJournal(nil)
			if err := j.Load(log); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- hook(j, r, &place).Run(ctx) }()
			synctest.Wait()
			log.append(j, b)
			synctest.Wait()
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if diff := cmp.Diff([]string{"visit.opened 1", "visit.opened 1", "visit.opened 1", "visit.ended 1"}, r.taken()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestWebhookStopsAt410(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, j, place := &memoryLog{epoch: 7}, NewJournal(nil), ""
		r := &receiver{statuses: []int{410}}
		began, _ := j.before(0)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- hook(j, r, &place).Run(ctx) }()
		synctest.Wait()
		log.append(j, visitBodies(1)...)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(r.tried) != 1 || place != began {
			t.Errorf("tried at %v, place %q", r.tried, place)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// unreachable is a line on which nobody answers.
type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route to host")
}

// TestWebhookKeepsItsAddressOutOfTheLog holds that neither a failure nor the end tells what is in the address: with many
// receivers that is the password.
func TestWebhookKeepsItsAddressOutOfTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, line := range []http.RoundTripper{unreachable{}, &receiver{statuses: []int{410}}} {
			log, j, place := &memoryLog{epoch: 7}, NewJournal(nil), ""
			h := hook(j, &receiver{}, &place)
			h.URL, h.Client = "http://user:s3cret@hall.example/hook?key=s3cret", &http.Client{Transport: line}
			var said bytes.Buffer
			h.Logger = slog.New(slog.NewTextHandler(&said, nil))
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- h.Run(ctx) }()
			synctest.Wait()
			log.append(j, visitBodies(1)...)
			synctest.Wait()
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if text := said.String(); strings.Contains(text, "s3cret") || !strings.Contains(text, "webhook") {
				t.Errorf("the log says %s", text)
			}
		}
	})
}
