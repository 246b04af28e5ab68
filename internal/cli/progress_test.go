package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// What is over soon is silent; what takes longer is told by lines where nobody watches, and by one line that changes on a terminal.
func TestProgress(t *testing.T) {
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	work := func(p *Progress) {
		for i := range int64(60) {
			p.Tell(i, 60)
			now = now.Add(100 * time.Millisecond)
		}
		p.End()
	}
	var lines bytes.Buffer
	work(NewProgress(English, &lines, clock, "核对", "checking"))
	if got, want := lines.String(), "checking: 20 / 60 (33 %), 4s left\nchecking: 40 / 60 (66 %), 2s left\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	lines.Reset()
	NewProgress(Both, &lines, clock, "核对", "checking").Tell(1, 2)
	if lines.Len() > 0 {
		t.Errorf("what has just begun says %q", lines.String())
	}

	screen, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = screen.Close() }()
	work(NewProgress(English, terminal, clock, "核对", "checking"))
	_, _ = terminal.WriteString("done")
	var all strings.Builder
	for b := make([]byte, 4096); !strings.HasSuffix(all.String(), "done"); {
		n, err := screen.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = all.Write(b[:n])
	}
	_ = terminal.Close()
	for _, want := range []string{"\r\x1b[Kchecking: [########................] 20 / 60 (33 %), 4s left\r", "\r\x1b[Kdone"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("the screen has %q, want %q in it", all.String(), want)
		}
	}
	if strings.Contains(all.String(), "\n") {
		t.Errorf("the bar takes more than one line: %q", all.String())
	}
}

// What has no known length says how long it takes already.
func TestWaiting(t *testing.T) {
	p := NewProgress(Both, nil, time.Now, "等待", "waiting")
	if got := p.text(0, 0, 4*time.Second); got != "等待 / waiting … 4s" {
		t.Errorf("%q", got)
	}
	var said bytes.Buffer
	Waiting(t.Context(), &said, "等待", "waiting")()
	if said.Len() > 0 {
		t.Errorf("what is over at once says %q", said.String())
	}
}
