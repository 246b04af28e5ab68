package qrcode

import (
	"crypto"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
)

const (
	version   = 1
	claimSize = 8 + 8 + 4 + 1
	tokenSize = 1 + claimSize + recordkey.SignatureSize
	// context keeps the device's signature of a link apart from all its other signatures.
	context = "hcp/1 link\n"
	// Path is the part of the link's path before the token.
	Path = "/R/"
)

// The claim's flags.
const (
	flagSynced = 1 << iota
	flagStaff
	flagMatter
	flagsKnown = flagSynced | flagStaff | flagMatter
)

// Claim is what a box states in a rating link.
type Claim struct {
	Device rating.DeviceID
	Visit  rating.VisitID
	Issued time.Time // whole minutes
	Synced bool      // whether the box's clock was set by the network, and Issued can be trusted
	Staff  bool      // whether the person may be rated
	Matter bool      // whether the matter may be rated
}

// Asks reports whether the link lets the citizen rate s.
func (c Claim) Asks(s rating.Subject) bool {
	return s == rating.StaffSubject && c.Staff || s == rating.MatterSubject && c.Matter
}

// ErrToken says that a token is damaged or not one of ours.
var ErrToken = errors.New("not a rating token")

// ErrSignature says that a token is well formed but not signed by the device that it names.
var ErrSignature = errors.New("the token's signature does not verify")

var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// Sign returns the token of a claim. Issued is cut to the minute.
func (c Claim) Sign(key crypto.Signer) (string, error) {
	device := c.Device.Pack()
	minutes := c.Issued.Unix() / 60
	if device == 0 || c.Visit == 0 || !c.Staff && !c.Matter {
		return "", fmt.Errorf("sign rating link: device %q, visit %s, staff %t, matter %t: incomplete", c.Device, c.Visit, c.Staff, c.Matter)
	}
	if minutes < 0 || minutes > 1<<32-1 {
		// A clock without battery may say anything; a link is better than none, and Synced tells the centre.
		minutes = 0
	}
	b := make([]byte, 0, tokenSize)
	b = append(b, version)
	b = binary.BigEndian.AppendUint64(b, device)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Visit))
	b = binary.BigEndian.AppendUint32(b, uint32(minutes))
	var flags byte
	for _, f := range []struct {
		set bool
		bit byte
	}{{c.Synced, flagSynced}, {c.Staff, flagStaff}, {c.Matter, flagMatter}} {
		if f.set {
			flags |= f.bit
		}
	}
	b = append(b, flags)
	signature := recordkey.Sign(key, append([]byte(context), b...))
	if len(signature) != recordkey.SignatureSize {
		return "", errors.New("sign rating link: the key cannot sign")
	}
	b = append(b, signature...)
	return encoding.EncodeToString(b), nil
}

// Token is a token that was read and is not yet verified.
type Token struct {
	Claim  Claim
	signed []byte
	sig    []byte
}

// ParseToken reads a token in capitals or small letters, since some scanners change them. Its claim is only to be used to
// find the device's key.
func ParseToken(s string) (Token, error) {
	if len(s) != encoding.EncodedLen(tokenSize) {
		return Token{}, fmt.Errorf("%w: %d characters, want %d", ErrToken, len(s), encoding.EncodedLen(tokenSize))
	}
	upper := strings.ToUpper(s)
	b, err := encoding.DecodeString(upper)
	if err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	// The last character has spare bits; only one spelling of a token is a token.
	if encoding.EncodeToString(b) != upper {
		return Token{}, fmt.Errorf("%w: spare bits are set", ErrToken)
	}
	if b[0] != version {
		return Token{}, fmt.Errorf("%w: version %d is not supported, only %d is", ErrToken, b[0], version)
	}
	device, err := rating.UnpackDeviceID(binary.BigEndian.Uint64(b[1:]))
	if err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	flags := b[21]
	c := Claim{
		Device: device,
		Visit:  rating.VisitID(binary.BigEndian.Uint64(b[9:])),
		Issued: time.Unix(int64(binary.BigEndian.Uint32(b[17:]))*60, 0).UTC(),
		Synced: flags&flagSynced != 0,
		Staff:  flags&flagStaff != 0,
		Matter: flags&flagMatter != 0,
	}
	if flags&^flagsKnown != 0 || c.Visit == 0 || !c.Staff && !c.Matter {
		return Token{}, fmt.Errorf("%w: visit %s, flags %#x", ErrToken, c.Visit, flags)
	}
	return Token{Claim: c, signed: b[:1+claimSize], sig: b[1+claimSize:]}, nil
}

// Verify returns the claim if the device with the given key has signed it, else ErrSignature.
func (t Token) Verify(key []byte) (Claim, error) {
	if !recordkey.Verify(key, append([]byte(context), t.signed...), t.sig) {
		return Claim{}, ErrSignature
	}
	return t.Claim, nil
}

// Link returns the rating link at the centre's base address, as "https://rate.example.com" or "http://127.0.0.1:8080". The
// base has no path, since a path's capitals could matter.
func Link(base, token string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" ||
		u.Fragment != "" || u.User != nil {
		return "", fmt.Errorf("rating link base %q: want https://host[:port] without a path", base)
	}
	return strings.ToUpper(u.Scheme+"://"+u.Host) + Path + token, nil
}
