package rectify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/webhook"
)

// receiver is the server of a province, which verifies what it gets and takes it unless it is told to refuse.
type receiver struct {
	mu     sync.Mutex // guards all, between the server and the test
	refuse bool
	ids    []string // of all posts
	taken  []string // "type do state"
	bodies string
}

func (r *receiver) refuses(all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = all
}

func (r *receiver) serve(t *testing.T, key webhook.Secret) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		id := q.Header.Get("Webhook-Id")
		mac := hmac.New(sha256.New, key)
		_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, q.Header.Get("Webhook-Timestamp"), body)
		var m struct {
			Type string
			Data struct {
				Do    string
				State string
				Due   string
			}
		}
		if err != nil || q.Header.Get("Webhook-Signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) ||
			json.Unmarshal(body, &m) != nil {
			t.Errorf("a post does not verify: %v\n%s", err, body)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ids = append(r.ids, id)
		if r.refuse {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		r.taken = append(r.taken, strings.TrimSpace(m.Type+" "+m.Data.Do))
		r.bodies += string(body)
	}))
	t.Cleanup(s.Close)
	return s
}

// checkTheHook: each act is posted once, in order, signed, without what anybody wrote, and no clue.
func checkTheHook(t *testing.T, on engine) {
	b := on(t)
	before := b.complain(t, "before", complained()) // is read by the API
	key, r := webhook.Secret(make([]byte, 32)), &receiver{}
	h := Hook{Orders: b.orders, URL: r.serve(t, key).URL, Secret: key, Logger: slog.New(slog.DiscardHandler)}
	once := func(ok bool) {
		t.Helper()
		if err := h.Once(t.Context()); err == nil != ok {
			t.Fatalf("posted: %v", err)
		}
	}
	once(true)
	clue := complained()
	clue.Retaliation = true
	b.complain(t, "clue", clue)
	b.complete(t, "P", police, "", "")
	rated := b.answer(t, "P", 1, 1)
	b.once(t)
	k := b.do(t, rated, Verify, Plan)
	if _, err := b.orders.Attach(t.Context(), clerk(), k, paper()); err != nil {
		t.Fatal(err)
	}
	k, err := b.orders.Do(t.Context(), clerk(), k, Event{Do: Refer}, "涉嫌收受礼品")
	if err != nil {
		t.Fatal(err)
	}
	r.refuses(true)
	once(false)
	once(false)
	r.refuses(false)
	once(true)
	if _, err := b.orders.Do(t.Context(), clerk(), k, Event{Do: Reply}, "增开一个窗口"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.orders.Do(t.Context(), clerk(), before.Parts[0], choosing(Event{Do: Contact}), "已电话沟通"); err != nil {
		t.Fatal(err)
	}
	once(true)
	once(true)
	r.mu.Lock()
	if diff := cmp.Diff([]string{"order.opened", "order.changed verify", "order.changed plan", "order.changed reply", "order.changed contact"},
		r.taken); diff != "" {
		t.Errorf("posted was:\n%s", diff)
	}
	if len(r.ids) != 7 || r.ids[0] != r.ids[1] || r.ids[1] != r.ids[2] {
		t.Errorf("the ids are %q: what was not taken comes again under its own", r.ids)
	}
	for _, not := range []string{"收受", "增开", "沟通", "139"} {
		if strings.Contains(r.bodies, not) {
			t.Errorf("the posts say %q", not)
		}
	}
	for _, want := range []string{`"state":"replied"`, `"complaint":"hotline"`, `"level":1`, `"unit":"` + police + `"`,
		`"do":"contact","method":"phone","result":"talked"`} {
		if !strings.Contains(r.bodies, want) {
			t.Errorf("the posts lack %s:\n%s", want, r.bodies)
		}
	}
	r.mu.Unlock()
	// A server that takes nothing for a day holds up nothing for longer.
	r.refuses(true)
	if _, err := b.orders.Do(t.Context(), clerk(), b.order(t, rated).Parts[0], Event{Do: Pass}, ""); err != nil {
		t.Fatal(err)
	}
	b.pass(hookLife + 1)
	once(true)
}

// checkTheHooksLease: an instance whose lease has gone to another one while a server was slow posts nothing more, and what it has posted is
// noted.
func checkTheHooksLease(t *testing.T, on engine) {
	b := on(t)
	var posts atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if posts.Add(1) > 1 {
			return
		}
		err := b.journal.Unlease(r.Context(), hookName, "here")
		held, also := b.journal.Lease(r.Context(), hookName, "another", tellLease)
		if err = errors.Join(err, also); err != nil || !held {
			t.Errorf("the lease of another: %t, %v", held, err)
		}
	}))
	t.Cleanup(s.Close)
	h := Hook{Orders: b.orders, URL: s.URL, Secret: webhook.Secret("0123456789abcdef0123456789abcdef"), Logger: slog.New(slog.DiscardHandler)}
	once := func(want int64) {
		t.Helper()
		if err := h.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := posts.Load(); got != want {
			t.Fatalf("%d posts, want %d", got, want)
		}
	}
	once(0)
	for i := range 3 {
		b.complain(t, fmt.Sprint(i), complained())
	}
	once(1)
	once(1)
	if err := b.journal.Unlease(t.Context(), hookName, "another"); err != nil {
		t.Fatal(err)
	}
	once(3)
}
