package seal_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/seal"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
	"haochaping/internal/proof/descriptions"
)

// world is a journal with a key that signs its heads, and a site that verifies it.
type world struct {
	*webtest.World
	key  ed25519.PrivateKey
	file *db.DB // the same database, as somebody who changes it has it
	site *web.Site

	mu    sync.Mutex
	older error // guarded by mu
}

func newWorld(t *testing.T) *world {
	t.Helper()
	url := "sqlite:" + t.TempDir() + "/journal.db"
	w := &world{World: webtest.At(t, url)}
	var err error
	if _, w.key, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if w.file, err = db.Open(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.file.Close(); err != nil {
			t.Error(err)
		}
	})
	older := func(context.Context) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.older
	}
	pages := seal.New(seal.Config{Journal: w.Journal, Key: w.key.Public().(ed25519.PublicKey), Older: older, Now: w.Now,
		Logger: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- pages.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	w.site = w.Site(pages.Section())
	return w
}

func (w *world) seal(t *testing.T) {
	t.Helper()
	if _, err := w.Journal.Seal(t.Context(), w.key); err != nil {
		t.Fatal(err)
	}
}

// state asks for the seal as a program does.
func (w *world) state(t *testing.T, p *webtest.Program) (s seal.State) {
	t.Helper()
	a := p.Get("/api/v1/journal", "/api/v1/journal")
	if err := json.Unmarshal(a.Body.Bytes(), &s); err != nil || a.Code != http.StatusOK {
		t.Fatalf("%d %v %s", a.Code, err, a.Body)
	}
	return s
}

// verify has the page verify, and returns what was found.
func (w *world) verify(t *testing.T, session string, p *webtest.Program) seal.Found {
	t.Helper()
	before := w.state(t, p).Last
	w.Pass(time.Second)
	webtest.Want(t, webtest.Do(w.site, webtest.Request("POST", "/journal/verify", session, map[string][]string{})), http.StatusSeeOther)
	for patience := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if s := w.state(t, p); s.Runs == nil && s.Last != nil && (before == nil || s.Last.At.After(before.At)) {
			return *s.Last
		}
		if time.Now().After(patience) {
			t.Fatal("nothing was found")
		}
	}
}

// TestWhoeverChangedARowIsFound: the auditor has the journal verified on the page, before and after somebody has changed a row, and the
// audit says both.
func TestWhoeverChangedARowIsFound(t *testing.T) {
	w := newWorld(t)
	grant := webtest.Grant(account.Auditor, "620000000000", "620000000000")
	session := w.SignIn(w.Add(grant))
	p := w.Program(w.site, grant, "", account.VerifySeal)
	see := func(texts ...string) {
		t.Helper()
		webtest.Want(t, webtest.Do(w.site, webtest.Request("GET", "/journal", session, nil)), 200, texts...)
	}
	see("还没有封存头", "验证", "!完好")
	w.seal(t)
	if s := w.state(t, p); s.Head == "" || s.Key == "" || s.Sealed == 0 || s.Last != nil {
		t.Errorf("the seal is %+v", s)
	}
	if f := w.verify(t, session, p); !f.Sound() || f.Rows == 0 || f.Heads != 1 {
		t.Errorf("found %+v, want nothing", f)
	}
	see("完好", "!有问题", "haochaping-journal/")
	w.mu.Lock()
	w.older = errors.New("the books are older than what was signed")
	w.mu.Unlock()
	if f := w.verify(t, session, p); len(f.Problems) != 1 {
		t.Errorf("found %+v, want one problem", f)
	}
	w.mu.Lock()
	w.older = nil
	w.mu.Unlock()
	if err := w.file.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE entry SET received = received + 1 WHERE pos = 1")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if f := w.verify(t, session, p); f.Sound() {
		t.Errorf("found %+v, want what was changed", f)
	}
	see("有问题", "!完好", "row 1")
	var did []string
	acts, err := w.Journal.Acts(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range acts {
		a, err := e.Act()
		if err != nil {
			t.Fatal(err)
		}
		if a.Do == "seal.verify" || a.Do == "seal.verified" {
			did = append(did, a.Do)
		}
	}
	if len(did) != 6 || did[0] != "seal.verified" || did[1] != "seal.verify" {
		t.Errorf("the audit has %q", did)
	}
	descriptions.Want(t, "../api/openapi.yaml", p.Answers)
}

// TestPrograms: a program asks for a verification too, and one that runs already is not begun again.
func TestPrograms(t *testing.T) {
	w := newWorld(t)
	p := w.Program(w.site, webtest.Grant(account.Province, "620000000000", "620000000000"), "", account.VerifySeal)
	for range 3 {
		p.Post("/api/v1/journal/verify", "/api/v1/journal/verify", "{}")
	}
	p.Post("/api/v1/journal/verify", "/api/v1/journal/verify", "{]")
	for patience := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if s := w.state(t, p); s.Runs == nil && s.Last != nil {
			break
		}
		if time.Now().After(patience) {
			t.Fatal("nothing was found")
		}
	}
	descriptions.Want(t, "../api/openapi.yaml", p.Answers)
}

// TestOnlyWhoeverLooksAfterTheSeal: nobody else learns that the page is there.
func TestOnlyWhoeverLooksAfterTheSeal(t *testing.T) {
	w := newWorld(t)
	for _, g := range []account.Grant{webtest.Grant(account.City, "629900000000", "629900000000"),
		webtest.Grant(account.Hall, "SL-H2", "629901000000"),
		webtest.Grant(account.Staff, "SL-0016", "629901000000"), webtest.Grant(account.Technician, "629900000000", "629900000000")} {
		session := w.SignIn(w.Add(g))
		webtest.Want(t, webtest.Do(w.site, webtest.Request("GET", "/journal", session, nil)), 404)
		webtest.Want(t, webtest.Do(w.site, webtest.Request("POST", "/journal/verify", session, map[string][]string{})), 404)
	}
}

// TestAFailureIsSaid: a journal that cannot be read is not called sound.
func TestAFailureIsSaid(t *testing.T) {
	f := seal.Found{Failed: "no"}
	if f.Sound() {
		t.Error("it is called sound")
	}
	if (seal.Found{More: 1}).Sound() {
		t.Error("with problems that are not listed it is called sound")
	}
}

// TestInABrowser looks at the page with axe: before a head, sound, and with problems.
func TestInABrowser(t *testing.T) {
	script := axe.Script(t)
	ctx := chromium.Start(t)
	w := newWorld(t)
	grant := webtest.Grant(account.Auditor, "620000000000", "620000000000")
	session := w.SignIn(w.Add(grant))
	p := w.Program(w.site, grant, "", account.VerifySeal)
	server := webtest.Serve(t, w.site, session)
	open := func(name string) {
		t.Helper()
		if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/journal")); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		axe.Look(t, ctx, script, name)
	}
	open("seal-empty")
	w.seal(t)
	w.verify(t, session, p)
	open("seal-sound")
	w.mu.Lock()
	w.older = errors.New("the last head that this centre has signed covers 120 rows, and the database has 80 of them")
	w.mu.Unlock()
	w.verify(t, session, p)
	open("seal-problems")
}
