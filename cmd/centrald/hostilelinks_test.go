package main

import (
	"net/http"
	"testing"
)

// No page of another site leads a browser to something that is entered under its person's name, as an export is.
func TestHostileLinks(t *testing.T) {
	w := newWalk(t)
	for _, path := range []string{"/evaluations/export.csv", "/evaluations/export.xlsx", "/evaluations/export.jsonl", "/audit.csv"} {
		for _, site := range []string{"cross-site", "same-site"} {
			what := path + " from " + site
			w.still(t, what, func() {
				if got := w.do("GET", path, "", nil, "Sec-Fetch-Site", site); got.Code != http.StatusForbidden {
					t.Errorf("%s: %d", what, got.Code)
				}
			})
		}
		for _, site := range []string{"same-origin", "none"} {
			if got := w.do("GET", path, "", nil, "Sec-Fetch-Site", site); got.Code != http.StatusOK {
				t.Errorf("%s from %s: %d", path, site, got.Code)
			}
		}
	}
}
