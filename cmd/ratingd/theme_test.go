package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/proof/inspect"
)

// open opens a visit and returns its URL.
func (b *box) open(body string) string {
	b.t.Helper()
	resp, err := http.Post("http://"+b.bound["window_api"]+"/v1/visits", "application/json", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusCreated {
		b.t.Fatalf("open a visit: %s %s, %v", resp.Status, text, err)
	}
	return "http://" + b.bound["window_api"] + resp.Header.Get("Location")
}

// onPhone fills in the form behind a link as soon as it asks for what is to be answered.
func (b *box) onPhone(link, field string, level int) {
	b.t.Helper()
	submission := regexp.MustCompile(`name="submission" value="([0-9a-f]{32})"`)
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get(link)
		if err != nil {
			b.t.Fatal(err)
		}
		page, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			b.t.Fatal(err)
		}
		if !strings.Contains(string(page), `name="`+field+`.level"`) {
			if time.Now().After(end) {
				b.t.Fatalf("the form does not ask about %s:\n%s", field, page)
			}
			continue
		}
		found := submission.FindStringSubmatch(string(page))
		resp, err = http.PostForm(link, url.Values{"submission": {found[1]}, field + ".level": {fmt.Sprint(level)}})
		if err != nil {
			b.t.Fatal(err)
		}
		_ = resp.Body.Close()
		if !strings.HasSuffix(resp.Request.URL.Path, "/thanks") {
			b.t.Errorf("the phone was led to %s", resp.Request.URL)
		}
		return
	}
}

// TestThemeByKeyAndPhone rates a theme matter by matter, one of them by key and the other by phone, and then one again.
func TestThemeByKeyAndPhone(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	b := newGPIOBox(t, w, "theme", 1)
	w.enrol(b, 0)
	b.start()
	visit := b.open(`{"subjects":["matter"],"grouping":"theme","separate":true,"wait_sec":120,"cases":[` +
		`{"project_no":"P1","task_code":"T1","task_name":"个体工商户登记","completed":true},` +
		`{"project_no":"P2","task_code":"T2","task_name":"税务登记","completed":true}]}`)
	var link string
	b.wait("the question", func(s boxState) bool { link = s.Link; return s.State == "asking" && s.Link != "" })
	b.onPhone(link, "matter2", 2)
	time.Sleep(reading)
	b.press(4)
	b.wait("the end", func(s boxState) bool { return s.State == "idle" })
	resp, err := http.Get(visit)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var ended struct {
		Outcome string
		Rated   []string `json:"rated_subjects"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&ended); err != nil || ended.Outcome != "rated" ||
		!slices.Equal(ended.Rated, []string{"matter"}) {
		t.Errorf("the visit ended with %+v, %v", ended, err)
	}
	// P1 has been rated by itself, over its whole life: only the other one can be.
	refused, err := http.Post("http://"+b.bound["window_api"]+"/v1/visits", "application/json",
		strings.NewReader(`{"subjects":["matter"],"cases":[{"project_no":"P1","task_code":"T1","task_name":"个体工商户登记","completed":true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(refused.Body)
	_ = refused.Body.Close()
	if err != nil || refused.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(text), "matter_once_per_case") {
		t.Errorf("a case that was rated is asked about again: %s %s, %v", refused.Status, text, err)
	}
	b.settle()
	b.stop()
	w.stopCentre()

	books, err := inspect.Open(context.Background(), filepath.Join(w.dir, "centre"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = books.Close() }()
	entries, err := books.Entries(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, fmt.Sprintf("%s %s %d %s %s", e.Case, e.Subject, e.Level, e.Channel, e.Status))
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"P1 matter 4 keypad counted", "P2 matter 2 phone counted"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
