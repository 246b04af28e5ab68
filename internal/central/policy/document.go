package policy

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	strict "github.com/go-json-experiment/json"

	"haochaping/internal/rating"
)

// MaxBytes bounds a signed document.
const MaxBytes = 1 << 20

// Errors of documents that are not taken.
var (
	ErrSignature = errors.New("签名不符：内容被改动，或者不是上级的密钥签的 · the signature does not hold: it was changed, or signed by another key")
	ErrOlder     = errors.New("编号不比已有的大：旧政策不再采用 · its number is not greater than that of the one that is here")
	ErrOther     = errors.New("同一编号已有另一内容：请与上级核对 · there is another one with this number; ask the level above")
	ErrExpired   = errors.New("已过有效期：请向上级取最新的一份 · it has expired; ask the level above for the latest one")
	ErrBehind    = errors.New("上级没有本中心已有的这一号：它可能由旧备份恢复，请与上级联系 · the level above lacks a policy that is here; was it restored?")
	ErrMeanwhile = errors.New("期间已有另一份政策，请重新预览 · there is another policy meanwhile; look at the preview again")
)

// Document is a policy.
type Document struct {
	Number    int64             `json:"number"`
	Title     string            `json:"title"`
	From      string            `json:"valid_from"`            // day of Asia/Shanghai, as 2027-01-01
	Until     string            `json:"valid_until,omitempty"` // last day by which another one should be there; empty: none
	Catalogue *rating.Catalogue `json:"catalogue,omitempty"`   // nil: each centre's own
	Calendars []rating.Notice   `json:"calendars,omitempty"`   // beside those that the program brings
	Settings  []Setting         `json:"settings"`
}

// ParseDocument reads a document. A member that it does not have, or has twice, is an error: a bound that is misspelt would bind nobody.
func ParseDocument(b []byte) (Document, error) {
	var d Document
	if len(b) > MaxBytes {
		return d, refuse("政策文件太大", "the policy is too large")
	}
	if err := strict.Unmarshal(b, &d, strict.RejectUnknownMembers(true)); err != nil {
		return d, refuse("政策文件读不懂："+err.Error(), "the policy cannot be read")
	}
	return d, d.Check()
}

// Check reports what is wrong with a document.
func (d Document) Check() error {
	if d.Number < 1 || d.Title == "" || len([]rune(d.Title)) > 100 {
		return refuse("政策须有编号（从 1 起）和标题（最多 100 字）", "a policy has a number from 1 and a title of at most 100 characters")
	}
	if !day(d.From) || d.Until != "" && (!day(d.Until) || d.Until < d.From) {
		return refuse("valid_from、valid_until 应写作 2027-01-01，且先后不颠倒", "valid_from and valid_until are days as 2027-01-01, in order")
	}
	if d.Catalogue != nil {
		if err := d.Catalogue.Check(); err != nil {
			return refuse("原因目录不能用："+err.Error(), "the catalogue cannot be used")
		}
	}
	if _, err := rating.NewCalendar(d.Calendars...); err != nil {
		return refuse("工作日历不能用："+err.Error(), "the calendars cannot be used")
	}
	seen := make(map[Name]bool)
	for _, s := range d.Settings {
		if seen[s.Name] {
			return refuse(fmt.Sprintf("“%s”写了两次", s.Name), fmt.Sprintf("%s stands there twice", s.Name))
		}
		seen[s.Name] = true
		if err := s.Check(); err != nil {
			return err
		}
	}
	return nil
}

func day(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// dayOf returns the day of a moment in Asia/Shanghai.
func dayOf(t time.Time) string { return t.In(rating.Shanghai()).Format(time.DateOnly) }

// Expired reports whether another policy should be there.
func (d Document) Expired(now time.Time) bool { return d.Until != "" && dayOf(now) > d.Until }

// Setting returns what a document says of a setting.
func (d Document) Setting(n Name) (Setting, bool) {
	for _, s := range d.Settings {
		if s.Name == n {
			return s, true
		}
	}
	return Setting{}, false
}

// Signed is a document as it goes from level to level: its bytes, who has signed them, and the signature.
type Signed struct {
	Policy    string `json:"policy"` // JSON of the document, byte for byte as it was signed
	Key       string `json:"key"`    // public key of Ed25519, unpadded base64url
	Signature string `json:"signature"`
}

// purpose keeps a signature from being taken for one of something else.
const purpose = "haochaping policy 1\n"

// Sign signs a document.
func Sign(d Document, key ed25519.PrivateKey) (Signed, error) {
	if err := d.Check(); err != nil {
		return Signed{}, err
	}
	b, err := json.Marshal(d)
	if err != nil {
		return Signed{}, err
	}
	public := key.Public().(ed25519.PublicKey)
	return Signed{string(b), base64.RawURLEncoding.EncodeToString(public),
		base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, append([]byte(purpose), b...)))}, nil
}

// ParseSigned reads a signed document, which Open verifies.
func ParseSigned(b []byte) (Signed, error) {
	var s Signed
	if len(b) > 2*MaxBytes {
		return s, refuse("政策文件太大", "the policy is too large")
	}
	if err := json.Unmarshal(b, &s); err != nil || s.Policy == "" {
		return s, refuse("这不是签名的政策文件：应为“centrald policy export”写出的", `this is no signed policy, as "centrald policy export" writes it`)
	}
	return s, nil
}

// Open returns the document if a key has signed it.
func (s Signed) Open(key ed25519.PublicKey) (Document, error) {
	signature, err := base64.RawURLEncoding.Strict().DecodeString(s.Signature)
	if err != nil || len(key) != ed25519.PublicKeySize || s.Key != base64.RawURLEncoding.EncodeToString(key) ||
		!ed25519.Verify(key, append([]byte(purpose), s.Policy...), signature) {
		return Document{}, ErrSignature
	}
	return ParseDocument([]byte(s.Policy))
}

// Hash names what was signed.
func (s Signed) Hash() string {
	sum := sha256.Sum256([]byte(s.Policy))
	return hex.EncodeToString(sum[:8])
}
