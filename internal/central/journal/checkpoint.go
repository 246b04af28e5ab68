package journal

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a signed head of the journal: how many rows it has, and the root of the tree over them. Its text is that of
// https://c2sp.org/tlog-checkpoint.
type Checkpoint struct {
	Origin string // names the journal; another one after each restore
	Size   int64
	Root   tlog.Hash
	// Chained says that the head names the size of the one before it, so that none of those that are kept can be taken away. Heads of earlier
	// versions do not.
	Chained  bool
	Previous int64  // that size, 0 of the first head
	Signed   []byte // the note, with its signatures
}

// previous begins the line that names the head before, an extension line of the format.
const previous = "previous "

func (c Checkpoint) text() string {
	t := fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
	if c.Chained {
		t += fmt.Sprintf("%s%d\n", previous, c.Previous)
	}
	return t
}

// algEd25519 is the note format's number of Ed25519.
const algEd25519 = 1

// Signer signs checkpoints with an Ed25519 key, under a name. It implements note.Signer.
type Signer struct {
	name string
	key  ed25519.PrivateKey
}

// NewSigner returns a Signer.
func NewSigner(name string, key ed25519.PrivateKey) Signer { return Signer{name, key} }

// Name implements note.Signer.
func (s Signer) Name() string { return s.name }

// KeyHash implements note.Signer.
func (s Signer) KeyHash() uint32 {
	pub, _ := s.key.Public().(ed25519.PublicKey) // always is
	h := sha256.Sum256(append(append([]byte(s.name+"\n"), algEd25519), pub...))
	return binary.BigEndian.Uint32(h[:])
}

// Sign implements note.Signer.
func (s Signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// VerifierKey returns the text by which others know a signer, in the note format's form.
func VerifierKey(name string, key ed25519.PublicKey) (string, error) {
	return note.NewEd25519VerifierKey(name, key)
}

// Verifier returns what checks the signatures of a name's key.
func Verifier(name string, key ed25519.PublicKey) (note.Verifier, error) {
	text, err := VerifierKey(name, key)
	if err != nil {
		return nil, err
	}
	return note.NewVerifier(text)
}

// sign returns the signed checkpoint.
func (c Checkpoint) sign(signers ...note.Signer) (Checkpoint, error) {
	signed, err := note.Sign(&note.Note{Text: c.text()}, signers...)
	if err != nil {
		return c, fmt.Errorf("sign the journal's head: %w", err)
	}
	c.Signed = signed
	return c, nil
}

// Countersign returns the checkpoint with one more signature.
func (c Checkpoint) Countersign(s note.Signer, known note.Verifiers) (Checkpoint, error) {
	n, err := note.Open(c.Signed, known)
	if err != nil {
		return c, fmt.Errorf("countersign a head: %w", err)
	}
	if c.Signed, err = note.Sign(n, s); err != nil {
		return c, fmt.Errorf("countersign a head: %w", err)
	}
	return c, nil
}

// OpenCheckpoint reads a signed checkpoint and checks that the verifier's signature is on it.
func OpenCheckpoint(signed []byte, v note.Verifier) (Checkpoint, error) {
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the head is not signed by %s: %w", v.Name(), err)
	}
	c, err := parseCheckpoint(n.Text)
	c.Signed = signed
	return c, err
}

// ParseCheckpoint reads a checkpoint without looking at its signatures.
func ParseCheckpoint(signed []byte) (Checkpoint, error) {
	text, _, found := strings.Cut(string(signed), "\n\n")
	if !found {
		return Checkpoint{}, errors.New("head: there is no signature")
	}
	c, err := parseCheckpoint(text + "\n")
	c.Signed = signed
	return c, err
}

func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] == "" {
		return Checkpoint{}, errors.New("head: want origin, size and root, a line each")
	}
	size, err := parseSize(lines[1])
	if err != nil {
		return Checkpoint{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return Checkpoint{}, fmt.Errorf("head: the root %q is no hash", lines[2])
	}
	c := Checkpoint{Origin: lines[0], Size: size, Root: tlog.Hash(root)}
	for _, l := range lines[3:] {
		if s, ok := strings.CutPrefix(l, previous); ok {
			c.Chained = true
			if c.Previous, err = parseSize(s); err != nil {
				return Checkpoint{}, err
			}
		}
	}
	return c, nil
}

func parseSize(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("head: the size %q is no number", s)
	}
	return n, nil
}
