package hallyear

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
)

// gateway takes short messages of the centre. Some it loses, and of some it says that it has not taken them though it has.
type gateway struct {
	mu     sync.Mutex // guards all below
	random *rand.Rand
	shown  []map[string]string // on telephones, and not looked at yet
	asked  map[string]int      // how often each case was written about, by its number
}

func newGateway(seed uint64) *gateway {
	return &gateway{random: rand.New(rand.NewPCG(seed, 2)), asked: make(map[string]int)}
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m map[string]string
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if matter, _, ok := strings.Cut(m["text"], " "); ok && !strings.HasPrefix(m["text"], "【") {
		g.asked[matter]++
	}
	if g.random.IntN(10) > 0 {
		g.shown = append(g.shown, m)
	}
	if g.random.IntN(20) == 0 {
		w.WriteHeader(http.StatusBadGateway)
	}
}

// take returns what telephones show.
func (g *gateway) take() []map[string]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := g.shown
	g.shown = nil
	return all
}
