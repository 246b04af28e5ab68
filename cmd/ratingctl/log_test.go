package main

import (
	"bytes"
	"crypto/rand"
	"encoding/csv"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/rating"
	"haochaping/store"
)

// runningBox is a state folder whose log somebody has open, as the daemon has, and its configuration.
func runningBox(t *testing.T, broker string) (db *store.Store, config, state string) {
	t.Helper()
	dir := t.TempDir()
	state, config = filepath.Join(dir, "state"), filepath.Join(dir, "ratingd.toml")
	text := fmt.Sprintf("device = \"lz-0417\"\nstate = %q\nuplink.broker = %q\n", state, broker)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(filepath.Join(state, "log.db"),
		store.Options{Device: "lz-0417", Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	at := rating.Stamp{Boot: 3, Mono: 61_500, Wall: 1_790_000_000_000, Synced: true}
	unset := rating.Stamp{Boot: 3, Mono: 1500, Wall: 2000}
	visit := rating.Visit{ID: 5, Window: rating.Window{ID: "A12", Name: "综合受理12号窗口", Hall: "市民中心", Generation: 3},
		Staff:    rating.Staff{ID: "0417"},
		Cases:    []rating.Case{{ProjectNo: "620100-1", TaskName: "身份证换领", Completed: true}},
		Grouping: rating.Single, Subjects: []rating.Subject{rating.StaffSubject}, Opener: rating.OpenedByPC, WaitSec: 60}
	if _, err := db.Append(rating.EventBody(unset, rating.EventStarted, "version", "v1"), rating.VisitBody(at, visit),
		rating.EvaluationBody(at, rating.Evaluation{Visit: 5, Subject: rating.StaffSubject, Level: 2, Channel: rating.Keypad}),
		rating.EvaluationBody(at, rating.Evaluation{Visit: 5, Subject: rating.StaffSubject, Level: 4, Channel: rating.Keypad, Replaces: 3}),
		rating.OutcomeBody(at, rating.Closing{Visit: 5, Outcome: rating.Rated, Rated: []rating.Subject{rating.StaffSubject}})); err != nil {
		t.Fatal(err)
	}
	if err := db.Acknowledge(db.Epoch(), 2); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Append(rating.EventBody(at, rating.EventClock, "before", "x")); err != nil {
		t.Fatal(err)
	}
	return db, config, state
}

func ratingctl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, &out, io.Discard)
	return out.String(), err
}

func TestLogOfARunningBox(t *testing.T) {
	db, config, _ := runningBox(t, "mqtt://127.0.0.1:1")
	text, err := ratingctl(t, "log", "-config", config, "-last", "0")
	if err != nil {
		t.Fatal(err)
	}
	at := func(seconds int64) string {
		return time.Unix(1_790_000_000+seconds, 0).Format("2006-01-02 15:04:05.000")
	}
	for _, want := range []string{"1  ≈" + at(-60) + "  started, version: v1", "3*  " + at(0) + "  visit", "\n≈ 当时时钟未同步",
		"staff rated 4 满意 by keypad, in place of 3", "visit 0000000000000005 ended: rated",
		"opened by pc, case 620100-1, staff", "* 中心尚未确认"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if last, err := ratingctl(t, "log", "-config", config, "-last", "2"); err != nil || strings.Count(last, "\n") != 3 ||
		!strings.Contains(text, last) {
		t.Errorf("the last two are\n%s%v", last, err)
	}
	lines, err := ratingctl(t, "log", "-config", config, "-format", "jsonl", "-from", "2")
	if err != nil {
		t.Fatal(err)
	}
	_, records, err := db.Pending(0, 10, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, want, _ := strings.Cut(lines, "\n"); want != string(bytes.Join(records, []byte("\n")))+"\n" {
		t.Errorf("the exported records are not the very bytes:\n%s", lines)
	}
	table, err := ratingctl(t, "log", "-config", config, "-format", "csv", "-last", "0")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if err != nil || len(rows) != 7 || rows[3][8] != "2" || rows[5][10] != "rated" || rows[1][2] != "false" {
		t.Errorf("the table is %q, %v", rows, err)
	}
	if text, err := ratingctl(t, "log", "-config", config, "-verify"); err != nil || !strings.Contains(text, "6, from 1 to 6: all sound") ||
		!strings.Contains(text, "at most 4 wait") {
		t.Errorf("%s%v", text, err)
	}
}

// A time that nobody can know says so, with what is certain of it.
func TestLogWithoutAClock(t *testing.T) {
	db, config, _ := runningBox(t, "mqtt://127.0.0.1:1")
	stamp := rating.Stamp{Boot: 4, Mono: 1500, Wall: 1_600_000_000_000}
	if _, err := db.Append(rating.EventBody(stamp, rating.EventStopped)); err != nil {
		t.Fatal(err)
	}
	text, err := ratingctl(t, "log", "-config", config, "-last", "1")
	want := "7* ?" + stamp.Time().Format("2006-01-02 15:04:05.000") + " boot 4 +1.500s  stopped\n"
	if err != nil || !strings.Contains(text, want) || !strings.Contains(text, "\n? 时钟未同步，时间可能不对") || strings.Contains(text, "≈") {
		t.Errorf("%q is not in\n%s%v", want, text, err)
	}
}

func TestLogRefusals(t *testing.T) {
	_, config, state := runningBox(t, "mqtt://127.0.0.1:1")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"unknown", []string{"-config", config, "-format", "xml"}}, {"unexpected", []string{"-config", config, "x"}},
		{"-last -1: there is no such number", []string{"-config", config, "-last", "-1"}},
		{"there is no record 99 yet; the newest is 6", []string{"-config", config, "-from", "99"}},
		{"no such file", []string{"-file", filepath.Join(state, "other.db")}}, {"damaged", []string{"-file", config}},
	} {
		_, err := ratingctl(t, append([]string{"log"}, c.args...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
	}
}
