package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
)

// verify checks the whole journal and that the books are what follows from it.
func (c *command) verify(ctx context.Context, args []string) error {
	return c.onWritten(ctx, c.flags("centrald verify"), args, func(x *rooms) error { return c.verifyRooms(ctx, x) })
}

// verifyRooms prints what is wrong, and returns an error if anything is.
func (c *command) verifyRooms(ctx context.Context, x *rooms) error {
	a, err := x.journal.Verify(ctx, x.seal.Public().(ed25519.PublicKey), c.progress("核对日志 · journal").tell)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "journal: %d rows, %d of them under %d signed heads; %d batches signed by their boxes, %d of the first version without a signature\n",
		a.Rows, a.Sealed, a.Heads, a.Signed, a.Unsigned)
	problems := a.Problems
	if err := x.checkHead(ctx); err != nil {
		problems = append(problems, err.Error())
	}
	for _, p := range problems {
		fmt.Fprintf(&b, "journal: %s\n", p)
	}
	if a.More > 0 {
		fmt.Fprintf(&b, "journal: and %d more\n", a.More)
	}
	if _, err := fmt.Fprint(c.env.stdout, b.String()); err != nil {
		return err
	}
	wrong, err := c.verifyBooks(ctx, x)
	if err != nil {
		return err
	}
	if found := len(problems) + a.More; found+wrong > 0 {
		return fmt.Errorf("%d problems of the journal, %d of the books: what is named was changed in the database after it was received; compare with a backup and with the heads that witnesses keep; the books alone are made right by \"centrald rebuild\"",
			found, wrong)
	}
	if a.Rows == 0 {
		return errors.New("the journal is empty, so that nothing was verified; if it should not be, a backup was not restored, " +
			"or this is not the centre's database (\"state\" and \"books\" in the configuration)")
	}
	_, err = fmt.Fprintln(c.env.stdout, "verified")
	return err
}

// verifyBooks compares the books with what follows from the journal, and returns how many differences it has printed.
func (c *command) verifyBooks(ctx context.Context, x *rooms) (int, error) {
	if err := x.caughtUp(ctx); err != nil {
		return 0, err
	}
	r, err := x.books.Verify(ctx, c.progress("核对账本 · books").books)
	if err != nil {
		return 0, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "books: %d rows compared with what follows from the journal up to row %d\n", r.Rows, r.Pos)
	for _, d := range r.Differences {
		fmt.Fprintf(&b, "books: %s\n", d)
	}
	if r.More > 0 {
		fmt.Fprintf(&b, "books: and %d more\n", r.More)
	}
	_, err = fmt.Fprint(c.env.stdout, b.String())
	return len(r.Differences) + int(r.More), err
}
