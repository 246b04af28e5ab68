package fleet_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web/webtest"
)

// TestCodesAreNotGuessed: who types many codes that no box shows waits, and the journal says so once; another person does not.
func TestCodesAreNotGuessed(t *testing.T) {
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"})
	room := w.lets(t)
	who := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	other := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	p, _ := asks(t, room, "bcdf23456789")
	const letters = "BCDFGHJKLMNPQRSTVWXZ"
	guess := func(from, n int) string {
		var all []string
		for i := from; i < from+n; i++ {
			all = append(all, fmt.Sprintf("XXXXXX%c%c", letters[i/len(letters)], letters[i%len(letters)]))
		}
		return "/fleet/enrol?code=" + url.QueryEscape(strings.Join(all, ","))
	}
	webtest.Want(t, w.get(guess(0, 60), who), 200)
	webtest.Want(t, w.get(guess(60, 60), who), 200)
	webtest.Want(t, w.get("/fleet/enrol?code="+p.Code, who), 200, p.Digits)
	webtest.Want(t, w.get(guess(120, 2), who), 429, "已记入审计")
	webtest.Want(t, w.get("/fleet/enrol?code="+p.Code, who), 429)
	webtest.Want(t, w.get("/fleet/enrol?code="+p.Code, other), 200, p.Digits)
	w.Pass(2 * time.Second)
	webtest.Want(t, w.get("/fleet/enrol?code="+p.Code, who), 200, p.Digits)
	entries, err := w.Journal.Read(t.Context(), 0, 1000)
	n := 0
	for _, e := range entries {
		if a, err := e.Act(); e.Kind == journal.Acted && err == nil && a.Do == "enrol.typed" {
			n++
		}
	}
	if err != nil || n != 1 {
		t.Errorf("the journal says it %d times, %v", n, err)
	}
}
