// Package link writes and reads the links by which a case is rated on the centre's page (articles 11 to 13): those that a portal or app
// asks for, that of the reminder, those that a window without a box shows or prints, and that behind a terminal's posted code. Links of
// another path tell a citizen of the work on their rating (articles 16 and 18).
//
// A link is /C/ and a token: what it lets be rated, encrypted and authenticated under a key of the centre, so that nobody makes one up and
// nobody reads a project number in an address or a log. Its letters are capitals and digits, which a QR code packs best, and small letters
// are read too.
//
// The package keeps nothing. Whether a case was rated already is the books'; what the page says is ratepage's.
package link

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"haochaping/internal/rating"
)

// Path is where the pages behind links are, before the token.
const Path = "/C/"

// ToldPath is where those are that tell a citizen of the work on their rating, or ask what they think of it.
const ToldPath = "/F/"

const (
	// Life is how long a link can be used: longer than any deadline, since a late answer is kept too.
	Life = 30 * 24 * time.Hour
	// MaxReturn is the greatest length of an address to return to, in bytes.
	MaxReturn = 500
	maxToken  = 4 << 10
)

// ErrToken says that a token is damaged, or was not written by this centre.
var ErrToken = errors.New("not a link of this centre")

// Claim is what a link lets be rated.
type Claim struct {
	Case    rating.CaseKey `json:"c,omitzero"`
	Channel rating.Channel `json:"h"`
	Source  string         `json:"s"`           // who asked for it
	Expires int64          `json:"x"`           // minutes since 1970-01-01 UTC
	Return  string         `json:"r,omitempty"` // where the thanks page leads back to
	// Completed says that the terminal which asked for it has completed the case by itself.
	Completed bool `json:"d,omitempty"`
	// Terminal makes it the code posted at the self-service terminal Source: for what that has finished last.
	Terminal bool `json:"t,omitempty"`
	// Visit is a service at a window that has no box: its person can be rated too. Nil elsewhere.
	Visit *Visit `json:"v,omitempty"`
}

// Visit is one service at a window without a box.
type Visit struct {
	ID     rating.VisitID `json:"i"`
	Window rating.Window  `json:"w"`
	Staff  rating.Staff   `json:"s,omitzero"`
}

// Record returns the visit as the journal keeps it.
func (v Visit) Record() rating.Visit {
	return rating.Visit{ID: v.ID, Window: v.Window, Staff: v.Staff, Grouping: rating.Single, Subjects: []rating.Subject{rating.StaffSubject},
		Opener: rating.OpenedByPC, WaitSec: 1}
}

// Check reports the first reason why no link could be written for a claim.
func (c Claim) Check() error {
	switch {
	case c.Visit == nil && (c.Case == rating.CaseKey{}) != c.Terminal:
		return errors.New("a link is for a case, or for a service at a window")
	case utf8.RuneCountInString(c.Return) != len(c.Return) || len(c.Return) > MaxReturn:
		return fmt.Errorf("return: at most %d characters of ASCII, others percent-encoded", MaxReturn)
	}
	if c.Case != (rating.CaseKey{}) {
		if err := c.Case.Check(); err != nil {
			return err
		}
	}
	if c.Visit != nil {
		if err := c.Visit.Record().Check(); err != nil {
			return err
		}
	}
	if c.Return == "" {
		return nil
	}
	// An address of another scheme could run as a script, and one without encryption could be changed on its way.
	if u, err := url.Parse(c.Return); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errors.New("return: want an https:// address")
	}
	return nil
}

// Expired reports whether the link can no longer be used.
func (c Claim) Expired(now time.Time) bool { return now.Unix() >= c.Expires*60 }

// Keeper writes and reads tokens. It is safe for concurrent use.
type Keeper struct{ aead cipher.AEAD }

// New returns a Keeper with a secret of 32 bytes. Those with the same secret read each other's tokens.
func New(secret []byte) (*Keeper, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("links: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("links: %w", err)
	}
	return &Keeper{aead}, nil
}

func letters() *base32.Encoding { return base32.StdEncoding.WithPadding(base32.NoPadding) }

// Write returns the token of a claim.
func (k *Keeper) Write(c Claim) (string, error) {
	if err := c.Check(); err != nil {
		return "", err
	}
	return k.write(Path, c)
}

// Read returns the claim of a token, or ErrToken. Whether it has expired is the caller's to ask.
func (k *Keeper) Read(token string) (c Claim, err error) {
	err = k.read(Path, token, &c)
	return c, err
}

// Told is what a link of ToldPath is about.
type Told struct {
	About   string `json:"o"` // as whoever asked for it calls it
	Expires int64  `json:"x"` // minutes since 1970-01-01 UTC
	// Receipt says that it is what a citizen keeps of a rating or complaint, and that no message was sent.
	Receipt bool `json:"k,omitempty"`
}

// Expired reports whether the link can no longer be used.
func (t Told) Expired(now time.Time) bool { return now.Unix() >= t.Expires*60 }

// WriteTold returns the token of a link of ToldPath.
func (k *Keeper) WriteTold(t Told) (string, error) { return k.write(ToldPath, t) }

// ReadTold is the inverse of WriteTold, with ErrToken.
func (k *Keeper) ReadTold(token string) (t Told, err error) {
	err = k.read(ToldPath, token, &t)
	return t, err
}

// write returns a token that opens under its path alone.
func (k *Keeper) write(path string, v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("write a link: %w", err)
	}
	return letters().EncodeToString(k.aead.Seal(nil, nil, b, []byte(path))), nil
}

func (k *Keeper) read(path, token string, v any) error {
	if len(token) > maxToken {
		return ErrToken
	}
	token = strings.ToUpper(token)
	sealed, err := letters().DecodeString(token)
	// The decoder passes over line ends and the last letter's spare bits: each link would have names without end, and each its own limit.
	if err != nil || letters().EncodeToString(sealed) != token {
		return ErrToken
	}
	b, err := k.aead.Open(nil, nil, sealed, []byte(path))
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return ErrToken
	}
	return nil
}
