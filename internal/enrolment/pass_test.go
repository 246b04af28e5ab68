package enrolment

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/enrol"
)

// expect has the centre expect a box at a window.
func (c *centre) expect(t *testing.T, line string) {
	t.Helper()
	c.write(t, func(ctx context.Context, tx *db.Tx) error {
		p, err := c.room.PreviewDelivery(ctx, []byte("serial,hall,window,password\n"+line+"\n"), 30, func(directory.Record) bool { return true })
		if err != nil || p.Refused() > 0 {
			t.Fatalf("the list is refused: %+v, %v", p.Lines, err)
		}
		return enrol.Expect(ctx, tx, p, "li", c.now())
	})
}

func (c *centre) write(t *testing.T, do func(context.Context, *db.Tx) error) {
	t.Helper()
	if err := c.db.Write(t.Context(), func(tx *db.Tx) error { return do(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

func (c *centre) ticket(t *testing.T, uses int) (x enrol.Ticket, file string) {
	t.Helper()
	x, err := c.room.NewTicket("SL-H2", "", uses, time.Hour, "li")
	if err != nil {
		t.Fatal(err)
	}
	c.write(t, func(ctx context.Context, tx *db.Tx) error { return enrol.MakeTicket(ctx, tx, x) })
	return x, string(c.room.File(x, ""))
}

// TestABoxByItsSerialNumber is let in without its code by the right password, and shows it by a wrong one, which it does not say again.
func TestABoxByItsSerialNumber(t *testing.T) {
	c := newCentre(t, "127.0.0.1")
	directorytest.Enter(t, c.directory, "../../cmd/ratingctl/organisation.csv")
	b := newBox(t, c, nil)
	b.pass = Pass{Serial: "SN-1", Password: "kV7-mQ2x-9Rw4"}
	waits := func(words string) {
		t.Helper()
		if _, err := b.step(t.Context()); !errors.Is(err, ErrWaits) || !strings.Contains(err.Error(), words) || b.code.Text == "" {
			t.Errorf("it waits with %v and the code %+v, want %q", err, b.code, words)
		}
	}
	waits("中心还没有登记这个序列号")
	c.expect(t, "SN-1,SL-H2,SL-H2-B02,kV7-mQ2x-9Rw4")
	for range rests {
		waits("中心还没有登记这个序列号")
	}
	if _, err := b.step(t.Context()); err != nil || b.kept != 1 || b.code != (Code{}) {
		t.Fatalf("it is not let in: %v, %d certificates", err, b.kept)
	}
	if d, err := c.fleet.Device(t.Context(), b.cfg.Device); err != nil || d.Window.ID != "SL-H2-B02" {
		t.Errorf("it stands at %+v, %v", d.Window, err)
	}

	other := newBox(t, c, func(cfg *Config) { cfg.Device = "ghjk23456789" })
	other.pass, b = b.pass, other
	waits("口令或票据已用过")
	for range 3 * rests {
		waits("口令或票据已用过")
	}
	if all, err := c.room.Expecting(t.Context(), "SL-H2", 9); err != nil || len(all) != 1 || all[0].Device != "bcdf23456789" {
		t.Errorf("the centre has %+v, %v", all, err)
	}
	_, b.pass.Ticket = c.ticket(t, 1)
	b.pass.Serial = ""
	if _, err := b.step(t.Context()); err != nil && !errors.Is(err, ErrWaits) {
		t.Fatal(err)
	}
	for range rests + 1 {
		if b.kept == 0 {
			_, _ = b.step(t.Context()) // it rests first
		}
	}
	if b.kept != 1 {
		t.Error("a ticket that was brought later does not let it in")
	}
}

// TestOnlyANewBoxShowsItsPass asks with a certificate, and from another board.
func TestOnlyANewBoxShowsItsPass(t *testing.T) {
	c := newCentre(t, "127.0.0.1")
	directorytest.Enter(t, c.directory, "../../cmd/ratingctl/organisation.csv")
	b := newBox(t, c, nil)
	b.letIn(t, c)
	x, file := c.ticket(t, 5)
	b.pass = Pass{Ticket: file}
	c.revoke(t, b.cfg.Device)
	b.barred = true
	b.cfg.Barred = true
	again, err := New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.Enrolment = again
	if _, err := b.step(t.Context()); !errors.Is(err, ErrWaits) {
		t.Errorf("a revoked box: %v", err)
	}
	moved := newBox(t, c, func(cfg *Config) { cfg.Device, cfg.Board, cfg.Moved = "ghjk23456789", "two", true })
	moved.pass = b.pass
	if _, err := moved.step(t.Context()); !errors.Is(err, ErrWaits) {
		t.Errorf("a box on another board: %v", err)
	}
	if now, err := c.room.Ticket(t.Context(), x.ID); err != nil || now.Used != 0 {
		t.Errorf("the ticket was used %d times, %v", now.Used, err)
	}
}
