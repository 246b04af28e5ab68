package receiver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"haochaping/internal/proof/mosquitto"
)

// TestTheDocumentsSuffice lets the receiver be the centre of a real box, over a broker with no more rights than the documents ask for.
func TestTheDocumentsSuffice(t *testing.T) {
	if testing.Short() {
		t.Skip("plays a day of a window")
	}
	for _, algorithm := range []string{"ed25519", "sm2"} {
		t.Run(algorithm, func(t *testing.T) { documentsSuffice(t, algorithm) })
	}
}

func documentsSuffice(t *testing.T, algorithm string) {
	broker := mosquitto.Start(t, mosquitto.Open)
	folder := t.TempDir()
	n := start(t, folder, broker)
	b := startBox(t, broker, n.key, algorithm)
	b.is("enrolling")
	n.enrol(t, "real-box", b.publicKey(), 1)
	b.is("idle")
	b.delivered()
	early := copyJournal(t, folder)

	// A case, about which both questions are asked. The answers are 4 and 2.
	first := b.visit(`{"cases":[{"project_no":"p-1","task_code":"t-1","task_name":"居住证办理","completed":true}]}`)
	b.answer(4)
	b.is("asking")
	b.answer(2)
	b.ended()
	want := map[string]int{first + " staff": 4, "case p-1": 2}
	// A correction.
	for corrected := false; !corrected; {
		second := b.visit(`{"staff":{"id":"0417"}}`)
		b.answer(1)
		if want[second+" staff"] = 1; b.corrects(5) {
			want[second+" staff"], corrected = 5, true
		}
		b.ended()
	}
	b.delivered()
	counted(t, n, want)
	// A second after it has connected the box says how it is, and then each minute.
	b.until("heard", func() bool { got := n.books(t); return len(got.Health) == 1 && got.Presence["real-box"].Online })

	// The centre dies, and the window goes on.
	n.kill()
	third := b.visit(`{}`)
	b.answer(3)
	b.ended()
	n = start(t, folder, broker)
	b.delivered()
	want[third+" staff"] = 3
	counted(t, n, want)

	// A phone rates, and the box is told no more than that.
	fourth := b.visit(`{}`)
	link := b.look().Link
	rate := map[string]any{"do": "rate", "link": link, "submission": "s-1", "answers": []map[string]any{{"subject": "staff", "level": 5}}}
	var rated struct {
		Counting          int
		Repeated, Refused bool
	}
	if n.ask(t, rate, &rated); rated.Counting != 1 {
		t.Fatalf("the phone's answer: %+v", rated)
	}
	b.ended()
	b.delivered()
	if n.ask(t, rate, &rated); !rated.Repeated {
		t.Errorf("the same form again: %+v", rated)
	}
	if outcomes := fmt.Sprint(n.books(t).Outcomes); !strings.Contains(outcomes, fourth+" rated_by_phone") {
		t.Errorf("the outcomes are %s", outcomes)
	}

	// The centre goes on from an old copy: what the box has let go is missed, asked for, and comes.
	all := len(n.books(t).Evaluations)
	n.kill()
	restoreJournal(t, folder, early)
	n = start(t, folder, broker)
	fifth := b.visit(`{}`)
	b.answer(3)
	b.ended()
	b.delivered()
	want[fifth+" staff"] = 3
	// The phone's answer is nowhere but in the journal that was lost; the fifth visit's has come.
	b.until("brought again", func() bool { return len(n.books(t).Evaluations) == all-1+1 })
	counted(t, n, want)

	// Another window.
	n.enrol(t, "real-box", b.publicKey(), 2)
	whole(t, n, b)
}

// counted compares what counts at the receiver, by what it counts for.
func counted(t *testing.T, n *node, want map[string]int) {
	t.Helper()
	got := make(map[string]int)
	for _, e := range n.books(t).Evaluations {
		for _, i := range e.Counts {
			name := i.Visit + " " + i.Subject
			if i.Case != "" {
				name = "case " + i.Case
			}
			if e.Evaluation.Channel == "keypad" {
				got[name] = e.Evaluation.Level
			}
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("counted is %v, want %v", got, want)
	}
}

// whole holds that the receiver has all of the box's log, knows the box's state, and has found nothing but the gap that was made.
func whole(t *testing.T, n *node, b *box) {
	t.Helper()
	configured := func() (all int) {
		for _, r := range b.log() {
			if event, ok := r["event"].(map[string]any); ok && event["name"] == "configured" {
				all++
			}
		}
		return all
	}
	b.until("configured twice", func() bool { return configured() == 2 })
	b.delivered()
	var got books
	b.until("heard", func() bool { got = n.books(t); return len(got.Replies) > 0 })
	records := uint64(len(b.log()))
	if len(got.Logs) != 1 || got.Logs[0].Records != records || got.Logs[0].Through != records || got.Logs[0].Forks != 0 {
		t.Errorf("the box has %d records, the receiver %+v", records, got.Logs)
	}
	if !got.Presence["real-box"].Online {
		t.Errorf("the box's presence is %+v", got.Presence)
	}
	for _, r := range got.Replies {
		if !r.OK {
			t.Errorf("the box answered %+v", r)
		}
	}
	for _, f := range got.Findings {
		if f.What != "gap" {
			t.Errorf("found: %+v", f)
		}
	}
	if len(got.Findings) != 1 || len(got.Refused) > 0 {
		t.Errorf("found: %+v; refused: %+v", got.Findings, got.Refused)
	}
}

func copyJournal(t *testing.T, folder string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder, "journal.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func restoreJournal(t *testing.T, folder string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, "journal.ndjson"), b, 0o600); err != nil {
		t.Fatal(err)
	}
}
