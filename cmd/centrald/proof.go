package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"haochaping/internal/central/books"
	"haochaping/internal/central/journal"
	"haochaping/internal/cli"
)

// prove prints the proof that the journal holds an evaluation.
func (c *command) prove(ctx context.Context, args []string) (err error) {
	flags := c.flags("centrald prove ID")
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	id, err := strconv.ParseInt(flags.Arg(0), 10, 64)
	if err != nil || flags.NArg() != 1 || id <= 0 {
		return errors.New("centrald prove takes the number of an evaluation, as the centre's page and /api/latest have it (cursor)")
	}
	x, err := c.openWritten(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	pos, part := books.Entry{Cursor: id}.Pos()
	p, err := x.journal.Prove(ctx, pos, part)
	if err != nil {
		return err
	}
	out := json.NewEncoder(c.env.stdout)
	out.SetIndent("", " ")
	return out.Encode(p)
}

// checkProof verifies a proof without the books.
func (c *command) checkProof(args []string) error {
	flags := c.flags("centrald check-proof FILE")
	key := flags.String("seal-key", "", "the centre's public `key` for heads, 43 characters, as \"centrald key -seal\" prints it")
	box := flags.String("box-key", "", "the box's public `key`, if the signature of a certain box is to be checked")
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	if flags.NArg() != 1 || *key == "" {
		return errors.New("centrald check-proof takes -seal-key KEY and the name of a file that \"centrald prove\" wrote")
	}
	pub, err := parseKey(*key, sealKeyPrinted)
	if err != nil {
		return fmt.Errorf("-seal-key: %w", err)
	}
	b, err := os.ReadFile(flags.Arg(0))
	if err != nil {
		return err
	}
	var p journal.Proof
	if err := json.Unmarshal(b, &p); err != nil {
		return fmt.Errorf("%s is no proof: %w", flags.Arg(0), err)
	}
	plain, err := journal.ParseCheckpoint([]byte(p.Checkpoint))
	if err != nil {
		return fmt.Errorf("%s proves nothing: %w", flags.Arg(0), err)
	}
	v, err := journal.Verifier(plain.Origin, pub)
	if err != nil {
		return err
	}
	head, err := p.Check(v)
	if err == nil && *box != "" {
		err = signedBy(p, *box)
	}
	if err != nil {
		return fmt.Errorf("%s proves nothing: %w", flags.Arg(0), err)
	}
	_, err = fmt.Fprint(c.env.stdout, describeProof(p, head))
	return err
}

func signedBy(p journal.Proof, box string) error {
	key, err := parseKey(box, boxKeyPrinted)
	if err != nil {
		return fmt.Errorf("-box-key: %w", err)
	}
	if !key.Equal(ed25519.PublicKey(p.Header.Key)) {
		return errors.New("it is not signed by this box")
	}
	return p.Header.CheckSignature()
}

// describeProof says what a proof that holds shows.
func describeProof(p journal.Proof, head journal.Checkpoint) string {
	var b strings.Builder
	fmt.Fprintf(&b, "proven: row %d of %s, which had %d rows when its head was signed, holds this %s\n", p.Index+1, head.Origin, head.Size, p.Header.Kind)
	fmt.Fprintf(&b, "from %s, received %d ms after 1970-01-01 UTC\n", p.Header.Source, p.Header.Received)
	switch {
	case p.Header.Kind == journal.Batch && len(p.Header.Signature) > 0:
		fmt.Fprintf(&b, "signed by the box with the key %s\n", keyText(p.Header.Key))
	case p.Header.Kind == journal.Batch:
		b.WriteString("not signed by the box: it comes from books of the first version\n")
	}
	if utf8.Valid(p.Content) {
		fmt.Fprintf(&b, "%s\n", p.Content)
	}
	return b.String()
}

// erase destroys the key of a text.
func (c *command) erase(ctx context.Context, args []string) (err error) {
	flags := c.flags("centrald erase ID")
	reason := flags.String("reason", "", "`why`, for whoever looks later; mandatory")
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	id, err := strconv.ParseInt(flags.Arg(0), 10, 64)
	if err != nil || flags.NArg() != 1 || id <= 0 || *reason == "" {
		return errors.New("centrald erase takes -reason WHY and the number of an evaluation, as the centre's page has it (cursor)")
	}
	x, err := c.openWritten(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	pos, part := books.Entry{Cursor: id}.Pos()
	if err := x.journal.Erase(ctx, pos, part, c.operator(), *reason); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.env.stdout, "the text of evaluation %d cannot be read any more; its level and times stand\nbackups that were made before still hold its key: make a new one, and destroy those\n", id)
	return err
}
