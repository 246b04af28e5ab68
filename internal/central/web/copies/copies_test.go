package copies_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/replica"
	"haochaping/internal/central/web/copies"
	"haochaping/internal/central/web/webtest"
)

// TestEachStateIsSaid: the page says of each copy up to where it goes, what is wrong and what to do, from what its process records, and the
// home page names those that somebody has to look at.
func TestEachStateIsSaid(t *testing.T) {
	w := webtest.New(t)
	dir := t.TempDir()
	now := w.Now()
	head := journal.Checkpoint{Origin: "haochaping-journal/lanzhou", Size: 4711, Root: sha256.Sum256([]byte("root"))}
	fine := replica.Status{URL: "https://centre.lanzhou.example.com/seal", Every: time.Minute}.After(head, true, nil, now.Add(-time.Minute))
	failing := func(err error, since time.Duration) replica.Status {
		return fine.After(head, false, err, now.Add(-since)).After(head, false, err, now)
	}
	var all []copies.Copy
	for _, c := range []struct {
		name     string
		status   replica.Status
		verified *replica.Verification
	}{
		{"兰州市", fine, &replica.Verification{At: now, Sound: true}},
		{"天水市", replica.Status{}, nil},
		{"白银市", failing(fmt.Errorf("dial: no route"), time.Minute), nil},
		{"武威市", failing(fmt.Errorf("ask: %w", replica.ErrToken), 2*time.Hour), nil},
		{"张掖市", failing(replica.ErrChanged, 0), nil},
		{"酒泉市", failing(replica.ErrOtherOrigin, 0), nil},
		{"平凉市", fine.After(head, false, nil, now.Add(-time.Hour)), nil},
		{"庆阳市", fine, &replica.Verification{At: now, Words: "3 problems"}},
		{"定西市", replica.Status{}, nil},
	} {
		folder := filepath.Join(dir, c.name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if c.status.URL != "" {
			if err := c.status.Keep(folder); err != nil {
				t.Fatal(err)
			}
		}
		if c.verified != nil {
			if err := c.verified.Keep(folder); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, copies.Copy{Name: c.name, Folder: folder})
	}
	if err := os.WriteFile(filepath.Join(dir, "定西市", "status.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	site := w.Site(copies.Section(copies.Config{Copies: all}))
	grant := webtest.Grant(account.Province, "620000000000", "620000000000")
	session := w.SignIn(w.Add(grant))
	page := webtest.Do(site, webtest.Request("GET", "/copies", session, nil))
	webtest.Want(t, page, http.StatusOK, "第 4711 行为止", "haochaping-journal/lanzhou", fmt.Sprintf("%x", head.Root[:8]), "还没有开始复制", "联系不上",
		"no route", "不认这里的令牌", "与已复制的不一致", "恢复过备份", "-accept-restore", "复制程序没有运行", "上次核对发现问题", "3 problems", "读不出来", "完好")
	home := webtest.Do(site, webtest.Request("GET", "/", session, nil)).Body.String()
	for i, c := range all {
		if grave := i == 3 || i >= 4; strings.Contains(home, c.Name) != grave {
			t.Errorf("%s is on the home page: %t, want %t", c.Name, !grave, grave)
		}
	}
	var told struct {
		Items []copies.Row `json:"items"`
	}
	p := w.Program(site, grant, "", account.VerifySeal)
	a := p.Get("/api/v1/copies", "/api/v1/copies")
	if err := json.Unmarshal(a.Body.Bytes(), &told); err != nil || a.Code != http.StatusOK {
		t.Fatalf("%d %v %s", a.Code, err, a.Body)
	}
	var states []copies.State
	for _, x := range told.Items {
		states = append(states, x.State)
	}
	want := []copies.State{copies.Fine, copies.Waiting, copies.Silent, copies.Silent, copies.Stopped, copies.Stopped, copies.Standing,
		copies.Fine, copies.Unread}
	if fmt.Sprint(states) != fmt.Sprint(want) {
		t.Errorf("states %v, want %v", states, want)
	}
}

// TestWithoutCopies: a centre that keeps none says so, and its menu does not lead there; who may not see the seal sees no copies.
func TestWithoutCopies(t *testing.T) {
	w := webtest.New(t)
	site := w.Site(copies.Section(copies.Config{}))
	session := w.SignIn(w.Add(webtest.Grant(account.Province, "620000000000", "620000000000")))
	webtest.Want(t, webtest.Do(site, webtest.Request("GET", "/copies", session, nil)), http.StatusOK, "没有配置副本", "!市州副本</a>")
	hall := w.SignIn(w.Add(webtest.Grant(account.Technician, "620000000000", "620000000000")))
	webtest.Want(t, webtest.Do(site, webtest.Request("GET", "/copies", hall, nil)), http.StatusNotFound)
}
