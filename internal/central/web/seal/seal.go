package seal

import (
	"context"
	"crypto/ed25519"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
)

//go:embed *.html
var files embed.FS

// Journal is what the pages need of the journal.
type Journal interface {
	Head(context.Context) (int64, error)
	LastCheckpoint(context.Context) (journal.Checkpoint, error)
	Verify(ctx context.Context, key ed25519.PublicKey, progress func(done, all int64)) (journal.Account, error)
	Do(ctx context.Context, account, name string, a journal.Act, also func(context.Context, *db.Tx, int64) error) (journal.Receipt, error)
}

// Config holds what the pages need. All fields are mandatory.
type Config struct {
	Journal Journal
	Key     ed25519.PublicKey // by which heads are signed
	// Older returns why the heads that this centre has signed are not those of the database, if so.
	Older  func(context.Context) error
	Now    func() time.Time
	Logger *slog.Logger
}

// Pages are the section's pages and what verifies for them. They are safe for concurrent use.
type Pages struct {
	cfg  Config
	asks chan asked

	mu      sync.Mutex
	running *Running // guarded by mu; nil: nothing is verified
	last    *Found   // guarded by mu; nil: nothing was since the start
}

// asked is who wants the seal verified.
type asked struct{ account, session, area string }

// Running is how far the verification has come.
type Running struct {
	Since time.Time `json:"since"`
	Done  int64     `json:"done"` // rows
	All   int64     `json:"all"`
}

// Found is what a verification has found.
type Found struct {
	At       time.Time `json:"at"`
	Rows     int64     `json:"rows"`
	Sealed   int64     `json:"sealed"` // rows under the last head
	Heads    int64     `json:"heads"`
	Signed   int64     `json:"signed"`   // batches with the signature of their box
	Unsigned int64     `json:"unsigned"` // of the first version, which came without one
	Problems []string  `json:"problems"`
	More     int       `json:"more"`             // problems that are not listed
	Failed   string    `json:"failed,omitempty"` // why it came to no end
}

// Sound reports whether nothing is wrong.
func (f Found) Sound() bool { return f.Failed == "" && len(f.Problems) == 0 && f.More == 0 }

// New returns pages whose verifications wait for Run.
func New(cfg Config) *Pages { return &Pages{cfg: cfg, asks: make(chan asked, 1)} }

// Section returns the pages' routes.
func (p *Pages) Section() web.Section {
	may := account.VerifySeal
	return web.Section{Name: "seal", Files: files, Routes: []web.Route{
		{Method: "GET", Path: "/journal", Action: may, Nav: "封存", Do: p.show},
		{Method: "POST", Path: "/journal/verify", Action: may, Do: p.verify},
		{Method: "GET", Path: "/api/v1/journal", Action: may, Do: p.tell},
		{Method: "POST", Path: "/api/v1/journal/verify", Action: may, Do: p.verifyForPrograms},
	}}
}

// State is the seal as pages and programs show it.
type State struct {
	Origin string   `json:"origin,omitempty"` // names the journal
	Key    string   `json:"key,omitempty"`    // by which a witness checks heads
	Rows   int64    `json:"rows"`             // of the journal
	Sealed int64    `json:"sealed"`           // of them under the head
	Head   string   `json:"head,omitempty"`   // the signed note
	Runs   *Running `json:"running,omitempty"`
	Last   *Found   `json:"last,omitempty"`
}

func (p *Pages) state(ctx context.Context) (s State, err error) {
	if s.Rows, err = p.cfg.Journal.Head(ctx); err != nil {
		return s, err
	}
	c, err := p.cfg.Journal.LastCheckpoint(ctx)
	switch {
	case errors.Is(err, journal.ErrNoEntry): // the first is signed within a minute
	case err != nil:
		return s, err
	default:
		s.Origin, s.Sealed, s.Head = c.Origin, c.Size, string(c.Signed)
		if s.Key, err = journal.VerifierKey(c.Origin, p.cfg.Key); err != nil {
			return s, fmt.Errorf("name the key of the seal: %w", err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		now := *p.running
		s.Runs = &now
	}
	s.Last = p.last
	return s, nil
}

func (p *Pages) show(c *web.Call) error {
	s, err := p.state(c.R.Context())
	if err != nil {
		return err
	}
	return c.Show("seal/seal", s)
}

func (p *Pages) tell(c *web.Call) error {
	s, err := p.state(c.R.Context())
	if err != nil {
		return err
	}
	return c.JSON(s)
}

func (p *Pages) verify(c *web.Call) error {
	if err := p.ask(c); err != nil {
		return err
	}
	return c.See("/journal")
}

// verifyForPrograms takes an empty object, which no other site's form sends.
func (p *Pages) verifyForPrograms(c *web.Call) error {
	if err := c.Body(&struct{}{}); err != nil {
		return err
	}
	if err := p.ask(c); err != nil {
		return err
	}
	s, err := p.state(c.R.Context())
	if err != nil {
		return err
	}
	return c.JSONStatus(http.StatusAccepted, s)
}

// ask begins a verification, unless one runs already.
func (p *Pages) ask(c *web.Call) error {
	area := ""
	for _, g := range c.Grants(account.VerifySeal) {
		area = g.Area
	}
	p.mu.Lock()
	runs := p.running != nil
	if !runs {
		p.running = &Running{Since: p.cfg.Now()}
	}
	p.mu.Unlock()
	if runs {
		return nil
	}
	if err := c.Act(journal.Act{Do: "seal.verify", Domain: area}, nil); err != nil {
		p.end(nil)
		return err
	}
	p.asks <- asked{c.Person.Account, c.Person.By, area} // has room, since nothing else runs
	return nil
}

// end notes that nothing is verified any more, and what was found.
func (p *Pages) end(f *Found) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = nil
	if f != nil {
		p.last = f
	}
}

// Run verifies when somebody asks, until ctx ends. It returns nil.
func (p *Pages) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case a := <-p.asks:
			f := p.look(ctx)
			if ctx.Err() != nil {
				return nil
			}
			if err := p.enter(ctx, a, f); err != nil {
				p.cfg.Logger.Error("what a verification of the seal has found is not in the journal", "error", err)
			}
			p.end(&f)
		}
	}
}

// look verifies the journal.
func (p *Pages) look(ctx context.Context) Found {
	a, err := p.cfg.Journal.Verify(ctx, p.cfg.Key, func(done, all int64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.running.Done, p.running.All = done, all
	})
	f := Found{At: p.cfg.Now(), Rows: a.Rows, Sealed: a.Sealed, Heads: a.Heads, Signed: a.Signed, Unsigned: a.Unsigned,
		Problems: append([]string{}, a.Problems...), More: a.More}
	if err != nil {
		p.cfg.Logger.Error("the seal could not be verified to its end", "error", err)
		f.Failed = "日志未能读完，请稍后再试；仍不行请联系技术人员。The journal could not be read to its end."
		return f
	}
	if err := p.cfg.Older(ctx); err != nil {
		f.Problems = append(f.Problems, err.Error())
	}
	if !f.Sound() {
		p.cfg.Logger.Error("the journal was changed in the database", "problems", len(f.Problems)+f.More, "first", f.Problems[0])
	}
	return f
}

// enter puts what was found into the journal.
func (p *Pages) enter(ctx context.Context, a asked, f Found) error {
	data, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("write down what was found: %w", err)
	}
	_, err = p.cfg.Journal.Do(ctx, a.account, "", journal.Act{Do: "seal.verified", By: a.session, Domain: a.area, Data: data}, nil)
	return err
}
