package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// person is somebody of a role, and what they ask for.
type person struct {
	role  string
	scope []string // flags of `centrald account add`
	pages []string
}

// people returns ten, of all roles that look at the centre's pages daily.
func people() []person {
	area := func(code string) []string { return []string{"-area", code} }
	of := func(scope string) []string { return []string{"-area", "629900000000", "-scope", scope} }
	month := "from=" + time.Now().AddDate(0, -1, 0).Format(time.DateOnly)
	return []person{
		{"province", area("620000000000"), []string{"/", "/evaluations", "/evaluations?channel=phone"}},
		{"city", area("629900000000"), []string{"/", "/evaluations", "/evaluations?level=1&level=2"}},
		{"city", area("629900000000"), []string{"/", "/evaluations?text=1", "/evaluations?" + month}},
		{"county", area("629901000000"), []string{"/", "/evaluations", "/evaluations?level=1&level=2"}},
		{"county", area("629902000000"), []string{"/", "/evaluations?channel=phone"}},
		{"unit", of("116299003MB003333Y"), []string{"/", "/evaluations"}},
		{"hall", of("SL-H007"), []string{"/", "/fleet"}},
		{"hall", of("SL-H050"), []string{"/", "/fleet"}},
		{"technician", area("629900000000"), []string{"/", "/fleet"}},
		{"auditor", area("620000000000"), []string{"/", "/evaluations?hall=SL-H007&" + month}},
	}
}

// visitor is a person whose browser is signed in.
type visitor struct {
	person
	cookie *http.Cookie
}

// signIn opens a person's account and signs them in by a one-time link, as whoever has the machine may.
func (w *world) signIn(ctx context.Context, n int, p person) (v visitor, err error) {
	login := fmt.Sprintf("person.%d", n)
	add := append([]string{"account", "add", "-config", w.config, "-role", p.role, "-login", login, "-name", "示例"}, p.scope...)
	if _, err := w.command(ctx, add...); err != nil {
		return v, err
	}
	link, err := w.command(ctx, "account", "link", "-config", w.config, "-sign-in", login)
	if err != nil {
		return v, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.admin+regexp.MustCompile(`/enter/\S+`).FindString(link), nil)
	if err != nil {
		return v, err
	}
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := stay.Do(r)
	if err != nil {
		return v, err
	}
	for _, c := range resp.Cookies() {
		if c.Name == "hcp" {
			return visitor{p, c}, resp.Body.Close()
		}
	}
	return v, errors.Join(fmt.Errorf("%s is not signed in: %s", login, resp.Status), resp.Body.Close())
}

// get asks for a page and returns how long it took to the last byte.
func (v visitor) get(ctx context.Context, address string) (time.Duration, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	r.AddCookie(v.cookie)
	began := time.Now()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	text, err := io.ReadAll(resp.Body)
	took := time.Since(began)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(text), "</html>") {
		return 0, fmt.Errorf("%s of %s: %s", address, v.role, resp.Status)
	}
	return took, nil
}

// row is a line of the table: a page of a role.
type row struct{ role, page string }

// measure lets ten people ask at once, and prints how long each kind of page took.
func (w *world) measure(ctx context.Context, out io.Writer) error {
	var all []visitor
	for n, p := range people() {
		v, err := w.signIn(ctx, n, p)
		if err != nil {
			return err
		}
		all = append(all, v)
	}
	log.Print("ten people are signed in")
	alone, took := make(map[row]time.Duration), make(map[row][]time.Duration)
	var rows []row
	for _, v := range all {
		for _, page := range v.pages {
			x := row{v.role, page}
			for range 2 { // once for the caches of the machine
				d, err := v.get(ctx, w.admin+page)
				if err != nil {
					return err
				}
				alone[x] = d
			}
			if !slices.Contains(rows, x) {
				rows = append(rows, x)
			}
		}
	}
	if err := w.together(ctx, all, took); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%-12s %-52s %10s %10s %10s\n", w.engine, "", "alone", "median", "p95"); err != nil {
		return err
	}
	for _, x := range rows {
		t := slices.Sorted(slices.Values(took[x]))
		if _, err := fmt.Fprintf(out, "%-12s %-52s %10s %10s %10s\n", x.role, x.page, ms(alone[x]), ms(t[len(t)/2]),
			ms(t[len(t)*95/100])); err != nil {
			return err
		}
	}
	return nil
}

func ms(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

// together lets all ask at once, each for its pages in turn.
func (w *world) together(ctx context.Context, all []visitor, took map[row][]time.Duration) error {
	var mu sync.Mutex
	var failed error
	var asking sync.WaitGroup
	for _, v := range all {
		asking.Go(func() {
			for range w.rounds {
				for _, page := range v.pages {
					d, err := v.get(ctx, w.admin+page)
					mu.Lock()
					took[row{v.role, page}] = append(took[row{v.role, page}], d)
					failed = errors.Join(failed, err)
					mu.Unlock()
					if err != nil {
						return
					}
				}
			}
		})
	}
	asking.Wait()
	return failed
}
