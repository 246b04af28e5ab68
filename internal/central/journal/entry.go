package journal

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// Kind says what a row is.
type Kind string

// The kinds of rows.
const (
	Batch   Kind = "batch"   // records of a box
	Phone   Kind = "phone"   // a rating by phone
	Device  Kind = "device"  // a box was enrolled, or serves another window
	Erasure Kind = "erasure" // a free text was made unreadable
	Restore Kind = "restore" // the journal goes on from a backup
	Acted   Kind = "act"     // a person did or looked at something

	Cases     Kind = "case"     // what a business system says of cases
	Answered  Kind = "answer"   // answers by a channel that knows no visit
	Deadlines Kind = "deadline" // article 14's five working days have passed for some cases
	Reminded  Kind = "reminder" // a case was reminded of
)

// Entry is a row: a message as it came.
type Entry struct {
	Pos    int64  `json:"pos"` // from 1, dense, in the order of commit; 0 before it is entered
	Kind   Kind   `json:"kind"`
	Source string `json:"source"` // the device of a batch, phone or device row; who acted else
	// by which a source tells its messages apart, so that one that comes twice is entered once; empty for a batch
	Name     string `json:"name,omitempty"`
	Received int64  `json:"received"` // milliseconds since 1970-01-01 UTC, by the centre's clock
	// Key is the public key by which Signature verified. A batch of books of the first version may have neither.
	Key       []byte       `json:"key,omitempty"`
	Signature []byte       `json:"signature,omitempty"`
	Epoch     rating.Epoch `json:"epoch,omitzero"` // of a batch, as First and Released
	First     uint64       `json:"first,omitempty"`
	Released  uint64       `json:"released,omitempty"` // the box held nothing up to here
	// Quarantined is which of a batch's records were not accepted when it was entered, by the rules of then. Whoever appends leaves it out.
	Quarantined []wire.Quarantined `json:"quarantined,omitempty"`
	// Until is how far the records of a box that was replaced are accepted. Whoever appends says so; the verdict is in Quarantined. Nil:
	// all are.
	Until *Until `json:"-"`
	// Parts are the bytes of a batch's records, of a phone's PhoneAnswers, or of the one act.
	Parts [][]byte `json:"-"`
	// Hashes are those of the parts, if whoever appends has them; nil: they are made.
	Hashes []rating.Hash `json:"-"`

	judged []judged // a batch's records, if they were read already
}

// Last returns the seq of a batch's last record.
func (e Entry) Last() uint64 { return e.First + uint64(len(e.Parts)) - 1 }

// Batch returns a batch's row as the box sent it.
func (e Entry) Batch() wire.Batch {
	return wire.Batch{Device: rating.DeviceID(e.Source), Epoch: e.Epoch, First: e.First, Released: e.Released, Records: e.Parts,
		Algorithm: wire.Named(e.Key), Signature: e.Signature}
}

// PhoneAnswer is a part of a row of the kind Phone.
type PhoneAnswer struct {
	Evaluation rating.Evaluation `json:"evaluation"` // without its text
	Text       []byte            `json:"text,omitempty"`
}

// Enrolment is the act of a row of the kind Device.
type Enrolment struct {
	Device     rating.DeviceID `json:"device"`
	Key        []byte          `json:"key"`
	Window     rating.Window   `json:"window"`
	EnrolledAt int64           `json:"enrolled_at"`
	Retired    *Until          `json:"retired,omitempty"` // the box was replaced
}

// Until is how far the records of a box that was replaced are accepted: those of one epoch up to a number, if the last one has a hash. The
// zero Until accepts none.
type Until struct {
	Epoch rating.Epoch `json:"epoch,omitzero"`
	Last  uint64       `json:"last,omitempty"`
	Head  rating.Hash  `json:"head,omitzero"`
}

// Replaced is why a record of a box that was replaced is not accepted.
const Replaced = "the box was replaced, and its last signed report does not vouch for this record"

// takes reports whether a record is vouched for. Hash may be asked for once.
func (u Until) takes(e rating.Epoch, seq uint64, hash func() rating.Hash) bool {
	return e == u.Epoch && e != 0 && (seq < u.Last || seq == u.Last && hash() == u.Head)
}

// Header is what a leaf of the tree hashes: a row without its contents.
type Header struct {
	Kind      Kind          `json:"kind"`
	Source    string        `json:"source"`
	Name      string        `json:"name,omitempty"`
	Received  int64         `json:"received"`
	Key       []byte        `json:"key,omitempty"`
	Signature []byte        `json:"signature,omitempty"`
	Epoch     rating.Epoch  `json:"epoch,omitzero"`
	First     uint64        `json:"first,omitempty"`
	Released  uint64        `json:"released,omitempty"`
	Hashes    []rating.Hash `json:"hashes"` // of the parts
	// Quarantined is the verdict that was acknowledged.
	Quarantined []wire.Quarantined `json:"quarantined,omitempty"`
}

// Header returns the row's header.
func (e Entry) Header() Header {
	h := Header{Kind: e.Kind, Source: e.Source, Name: e.Name, Received: e.Received, Key: e.Key, Signature: e.Signature, Epoch: e.Epoch,
		First: e.First, Released: e.Released, Hashes: e.Hashes, Quarantined: e.Quarantined}
	if h.Hashes != nil {
		return h
	}
	h.Hashes = make([]rating.Hash, len(e.Parts))
	for i := range e.Parts {
		h.Hashes[i] = e.Hash(i)
	}
	return h
}

// Hash returns the hash of a part.
func (e Entry) Hash(i int) rating.Hash {
	if i < len(e.Hashes) {
		return e.Hashes[i]
	}
	return rating.HashOf(e.Parts[i])
}

// Text returns the bytes that the leaf hashes. Each field ends with a line break, which none can hold but a name or a source, and those are
// written with their length. What was quarantined comes last, as JSON.
func (h Header) Text() []byte {
	t := fmt.Appendf(make([]byte, 0, 256+32*len(h.Hashes)), "hcp/1 entry\n%s\n%d %s\n%d %s\n%d\n%d\n%d\n%d\n%d\n%s\n%s\n",
		h.Kind, len(h.Source), h.Source, len(h.Name), h.Name, h.Received, uint64(h.Epoch), h.First, h.Released, len(h.Hashes),
		base64.StdEncoding.EncodeToString(h.Key), base64.StdEncoding.EncodeToString(h.Signature))
	for _, x := range h.Hashes {
		t = append(t, x[:]...)
	}
	return append(t, quarantineText(h.Quarantined)...)
}

// quarantineText returns a verdict as a row has it, nil if nothing was quarantined.
func quarantineText(all []wire.Quarantined) []byte {
	if len(all) == 0 {
		return nil
	}
	b, err := json.Marshal(all)
	if err != nil { // numbers and words always can be
		return nil
	}
	return b
}

// Leaf returns the row's hash in the tree.
func (h Header) Leaf() tlog.Hash { return tlog.RecordHash(h.Text()) }

// CheckSignature reports whether the box's signature covers the header's records.
func (h Header) CheckSignature() error {
	if h.Kind != Batch {
		return errors.New("only a batch is signed by a box")
	}
	if !CheckSignatures([]Signed{h.signed()})[0] {
		return errBoxSignature
	}
	return nil
}

var errBoxSignature = errors.New("the box's signature does not cover these records")

// signed returns what a batch's box has signed.
func (h Header) signed() Signed {
	return Signed{h.Key, wire.BatchText(rating.DeviceID(h.Source), h.Epoch, h.First, h.Released, h.Hashes), h.Signature}
}

// frame returns parts as a body: each after its length.
func frame(parts [][]byte) []byte {
	n := 0
	for _, p := range parts {
		n += binary.MaxVarintLen32 + len(p)
	}
	b := make([]byte, 0, n)
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return b
}

// unframe is the inverse of frame. The parts are those of the body.
func unframe(body []byte) ([][]byte, error) {
	var parts [][]byte
	for len(body) > 0 {
		n, w := binary.Uvarint(body)
		if w <= 0 || n > uint64(len(body)-w) {
			return nil, errors.New("the body is damaged: a part is longer than what is left")
		}
		body = body[w:]
		parts = append(parts, body[:n:n])
		body = body[n:]
	}
	return parts, nil
}
