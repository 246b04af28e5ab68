package guomi

import (
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
)

// Head is what can be seen of an envelope, and is signed. Its texts have no line breaks.
type Head struct {
	App   string `json:"app"`   // whose it is
	Kind  string `json:"kind"`  // what is in it
	Batch string `json:"batch"` // tells envelopes apart
	Time  string `json:"time"`
}

// Envelope is a text for one receiver. Bytes are in base64, digests in hex.
type Envelope struct {
	Head
	Key    string `json:"key"`    // of SM4, encrypted by SM2
	Data   string `json:"data"`   // nonce, ciphertext and tag
	Digest string `json:"digest"` // SM3 of the text
	Sign   string `json:"sign"`   // SM2 of what is above, a line each
}

// ErrForged says that an envelope is not what its sender has signed.
var ErrForged = errors.New("the envelope's signature does not hold")

const keySize = 16 // of SM4

// Seal closes an envelope.
func Seal(random io.Reader, from Key, to Public, h Head, text []byte) (Envelope, error) {
	e := Envelope{Head: h}
	if strings.ContainsAny(h.App+h.Kind+h.Batch+h.Time, "\r\n") {
		return e, errors.New("close an envelope: a line break in its head")
	}
	key := make([]byte, keySize)
	if _, err := io.ReadFull(random, key); err != nil {
		return e, fmt.Errorf("draw a key: %w", err)
	}
	a, err := gcm(key)
	if err != nil {
		return e, err
	}
	nonce := make([]byte, a.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return e, fmt.Errorf("draw a nonce: %w", err)
	}
	wrapped, err := sm2.EncryptASN1(random, to.key, key)
	if err != nil {
		return e, fmt.Errorf("encrypt the envelope's key: %w", err)
	}
	e.Key, e.Digest = base64.StdEncoding.EncodeToString(wrapped), Digest(text)
	e.Data = base64.StdEncoding.EncodeToString(a.Seal(nonce, nonce, text, []byte(h.signed())))
	sign, err := from.private.Sign(random, e.signed(), sm2.DefaultSM2SignerOpts)
	if err != nil {
		return e, fmt.Errorf("sign the envelope: %w", err)
	}
	e.Sign = base64.StdEncoding.EncodeToString(sign)
	return e, nil
}

// Open returns the text of an envelope, or ErrForged.
func Open(to Key, from Public, e Envelope) ([]byte, error) {
	sign, err := base64.StdEncoding.DecodeString(e.Sign)
	if err != nil || !sm2.VerifyASN1WithSM2(from.key, nil, e.signed(), sign) {
		return nil, ErrForged
	}
	wrapped, err := base64.StdEncoding.DecodeString(e.Key)
	if err != nil {
		return nil, fmt.Errorf("read the envelope's key: %w", err)
	}
	key, err := sm2.Decrypt(to.private, wrapped)
	if err != nil || len(key) != keySize {
		return nil, errors.New("the envelope is for somebody else: its key cannot be decrypted")
	}
	a, err := gcm(key)
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.DecodeString(e.Data)
	if err != nil || len(data) < a.NonceSize() {
		return nil, errors.New("the envelope's text is damaged")
	}
	text, err := a.Open(nil, data[:a.NonceSize()], data[a.NonceSize():], []byte(e.Head.signed()))
	if err != nil {
		return nil, errors.New("the envelope's text is damaged")
	}
	if Digest(text) != e.Digest {
		return nil, ErrForged
	}
	return text, nil
}

// Digest returns the SM3 digest of bytes, in hex.
func Digest(b []byte) string {
	d := sm3.Sum(b)
	return hex.EncodeToString(d[:])
}

func gcm(key []byte) (cipher.AEAD, error) {
	b, err := sm4.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use SM4: %w", err)
	}
	return cipher.NewGCM(b)
}

func (h Head) signed() string { return strings.Join([]string{h.App, h.Kind, h.Batch, h.Time}, "\n") }

// signed returns what the signature is over: no two envelopes have the same, since none of its lines has a line break.
func (e Envelope) signed() []byte {
	return []byte(strings.Join([]string{e.Head.signed(), e.Key, e.Data, e.Digest}, "\n"))
}
