package provision

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of tickets.
const (
	MaxTicketLife = 24 * time.Hour
	MaxTicketUses = 100
	MaxTicket     = 2 << 10 // bytes of the file
	maxTicketText = 100     // bytes of an ID or a hall's
)

// Ticket lets new boxes into one hall, each once, until it ends or was used up: a file on a USB stick or a boot partition. Whoever has it
// can use it, so that the centre counts its uses and can take it back.
type Ticket struct {
	ID    string
	Hall  string
	Until time.Time // to a second
	Uses  int
}

// File returns the file, which says for whom it is in words of people.
func (t Ticket) File(words string, key ed25519.PrivateKey) []byte {
	var b bytes.Buffer
	b.WriteString("# 好差评评价器入厅票 / a ticket that lets new boxes into one hall\n")
	fmt.Fprintf(&b, "# %s\n", strings.Map(func(c rune) rune {
		if c < ' ' {
			return ' '
		}
		return c
	}, words))
	fmt.Fprintf(&b, "ticket %s\nhall %s\nuntil %s\nuses %d\n", t.ID, t.Hall, t.Until.UTC().Format(time.RFC3339), t.Uses)
	return sign(ticket, b.Bytes(), key)
}

// ParseTicket reads a file that File has written and the key has signed. It reads bytes of strangers.
func ParseTicket(file []byte, key ed25519.PublicKey) (t Ticket, err error) {
	if len(file) > MaxTicket {
		return t, ErrBroken
	}
	if err := verify(ticket, file, key); err != nil {
		return t, err
	}
	var seen []string
	for line := range strings.Lines(string(file)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, _ := strings.Cut(line, " ")
		if slices.Contains(seen, name) || value == "" || len(value) > maxTicketText {
			return Ticket{}, ErrBroken
		}
		seen = append(seen, name)
		switch name {
		case "ticket":
			t.ID = value
		case "hall":
			t.Hall = value
		case "until":
			t.Until, err = time.Parse(time.RFC3339, value)
		case "uses":
			t.Uses, err = strconv.Atoi(value)
		default:
			return Ticket{}, ErrBroken
		}
		if err != nil {
			return Ticket{}, ErrBroken
		}
	}
	if len(seen) != 4 || t.Uses < 1 || t.Uses > MaxTicketUses {
		return Ticket{}, ErrBroken
	}
	return t, nil
}
