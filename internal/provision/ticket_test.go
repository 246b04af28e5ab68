package provision

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func ticketOf() Ticket {
	return Ticket{ID: "0123456789abcdefghijkl", Hall: "SL-H2", Until: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Uses: 20}
}

func TestATicketIsAsItWasSigned(t *testing.T) {
	file := ticketOf().File("大厅\r\nuses 100", key(1))
	if got, err := ParseTicket(file, public(1)); err != nil || got != ticketOf() {
		t.Errorf("it reads as %+v, %v:\n%s", got, err, file)
	}
	if _, err := ParseTicket(file, public(2)); !errors.Is(err, ErrBroken) {
		t.Errorf("another key: %v", err)
	}
	if err := Verify(file, public(1)); !errors.Is(err, ErrBroken) {
		t.Errorf("it passes for the file of all boxes: %v", err)
	}
	shared, err := Sign(file[:bytes.Index(file, []byte(mark))], key(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseTicket(shared, public(1)); !errors.Is(err, ErrBroken) {
		t.Errorf("the file of all boxes passes for a ticket: %v", err)
	}
	for i := range file[:len(file)-1] {
		changed := bytes.Clone(file)
		changed[i] ^= 1
		if _, err := ParseTicket(changed, public(1)); err == nil {
			t.Errorf("byte %d was changed unnoticed", i)
		}
	}
	for _, text := range []string{"", "ticket a\nhall b\nuntil 2026-03-02T09:00:00Z\n", "ticket a\nhall b\nuntil soon\nuses 3\n",
		"ticket a\nhall b\nuntil 2026-03-02T09:00:00Z\nuses 0\n", "ticket a\nhall b\nuntil 2026-03-02T09:00:00Z\nuses 101\n",
		"ticket a\nticket b\nhall b\nuntil 2026-03-02T09:00:00Z\nuses 3\n", "ticket a\nhall b\nuntil 2026-03-02T09:00:00Z\nuses 3\nmore 1\n",
		"ticket " + strings.Repeat("a", maxTicketText+1) + "\nhall b\nuntil 2026-03-02T09:00:00Z\nuses 3\n"} {
		if _, err := ParseTicket(sign(ticket, []byte(text), key(1)), public(1)); !errors.Is(err, ErrBroken) {
			t.Errorf("%q is a ticket: %v", text, err)
		}
	}
}

func FuzzParseTicket(f *testing.F) {
	f.Add([]byte("ticket a\nhall b\nuntil 2026-03-02T09:00:00Z\nuses 3\n"))
	f.Add(ticketOf().File("", key(1)))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := ParseTicket(text, public(2)); err == nil {
			t.Errorf("%q is taken, which nobody has signed", text)
		}
		// What the centre's key has signed, as if it had signed anything.
		got, err := ParseTicket(sign(ticket, text, key(1)), public(1))
		if err == nil && (got.ID == "" || got.Hall == "" || got.Uses < 1 || got.Uses > MaxTicketUses) {
			t.Errorf("%q is the ticket %+v", text, got)
		}
	})
}
