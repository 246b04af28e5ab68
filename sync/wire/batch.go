package wire

import (
	"bytes"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	strict "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
)

// Version is the version of every payload that this code writes.
const Version = 1

// Bounds of a batch.
const (
	MaxBatch        = 256 << 10 // bytes of a batch's payload
	MaxBatchRecords = 500       // records in a batch
	// batchOverhead bounds what a batch's payload holds besides its records and the commas between them.
	batchOverhead = 1024
	// MaxBatchBytes is the greatest sum of the sizes of a batch's records that surely fits MaxBatch.
	MaxBatchBytes = MaxBatch - batchOverhead - MaxBatchRecords
)

// Batch is a run of records without gaps: those with the seqs First to First+len(Records)-1.
type Batch struct {
	Device rating.DeviceID
	Epoch  rating.Epoch
	First  uint64
	// Released says that the box no longer holds the records up to this seq, because the centre had acknowledged them.
	// A centre that lacks some of them (its books were restored from a copy) must not wait for them.
	Released uint64
	// Records are the bytes of the records as the box's log holds them. That each is a valid record is not checked by
	// DecodeBatch, since an invalid one is to be quarantined alone.
	Records [][]byte
	// Algorithm is that of the signature, empty for Ed25519, which names itself nowhere.
	Algorithm recordkey.Algorithm
	// Signature is the device's, over SignedText.
	Signature []byte
}

// batchJSON is the form of a batch on the wire.
type batchJSON struct {
	V        int             `json:"v"`
	Device   rating.DeviceID `json:"device"`
	Epoch    rating.Epoch    `json:"epoch"`
	First    uint64          `json:"first"`
	Count    int             `json:"count"`
	Released uint64          `json:"released"`
	Head     rating.Hash     `json:"head"`

	Algorithm recordkey.Algorithm `json:"alg,omitempty"`

	Sig     []byte           `json:"sig"`
	Records []jsontext.Value `json:"records"`
}

// Last returns the seq of the last record.
func (b Batch) Last() uint64 { return b.First + uint64(len(b.Records)) - 1 }

// Head returns the hash of the last record, which by the chain stands for all of them.
func (b Batch) Head() rating.Hash {
	if len(b.Records) == 0 {
		return rating.Hash{}
	}
	return rating.HashOf(b.Records[len(b.Records)-1])
}

// Hashes returns those of the records.
func (b Batch) Hashes() []rating.Hash {
	hashes := make([]rating.Hash, len(b.Records))
	for i, r := range b.Records {
		hashes[i] = rating.HashOf(r)
	}
	return hashes
}

// SignedText returns the bytes that the signature covers.
func (b Batch) SignedText() []byte {
	return BatchText(b.Device, b.Epoch, b.First, b.Released, b.Hashes())
}

// BatchText returns the bytes that a batch's signature covers, for one who has the hashes of its records. The head alone
// would bind only a batch whose chain is whole, and a batch whose chain is broken must be provable too, so each record's
// hash is in it.
func BatchText(d rating.DeviceID, e rating.Epoch, first, released uint64, hashes []rating.Hash) []byte {
	t := fmt.Appendf(make([]byte, 0, 96+len(hashes)*len(rating.Hash{})), "hcp/1 batch\n%s\n%s\n%d\n%d\n%d\n", d, e, first, len(hashes),
		released)
	for _, h := range hashes {
		t = append(t, h[:]...)
	}
	return t
}

// Sign sets the signature and its algorithm.
func (b *Batch) Sign(key crypto.Signer) {
	b.Algorithm, b.Signature = Named(recordkey.Public(key)), recordkey.Sign(key, b.SignedText())
}

// Named returns the algorithm of a public key as a batch names it.
func Named(key []byte) recordkey.Algorithm {
	if a := recordkey.Of(key); a != recordkey.Ed25519 {
		return a
	}
	return ""
}

// Verify reports whether the signature is that of key's owner. The centre asks journal.CheckSignatures, which differs for some that no
// honest box makes.
func (b Batch) Verify(key []byte) bool {
	return b.Algorithm == Named(key) && recordkey.Verify(key, b.SignedText(), b.Signature)
}

// Encode returns the payload. The records stand in it byte for byte.
func (b Batch) Encode() ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("encode batch: %w", err)
	}
	head, err := json.Marshal(batchJSON{
		V: Version, Device: b.Device, Epoch: b.Epoch, First: b.First, Count: len(b.Records), Released: b.Released,
		Head: b.Head(), Algorithm: b.Algorithm, Sig: b.Signature, Records: []jsontext.Value{},
	})
	if err != nil {
		return nil, fmt.Errorf("encode batch: %w", err)
	}
	out := head[:len(head)-len("]}")]
	for i, r := range b.Records {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, r...)
	}
	out = append(out, "]}"...)
	if len(out) > MaxBatch {
		return nil, fmt.Errorf("encode batch: %d bytes, at most %d are allowed", len(out), MaxBatch)
	}
	return out, nil
}

func (b Batch) check() error {
	switch {
	case b.Epoch == 0:
		return errors.New("epoch is empty")
	case b.First == 0 || b.First > maxSafeInt:
		return fmt.Errorf("first is %d: out of range", b.First)
	case len(b.Records) == 0 || len(b.Records) > MaxBatchRecords:
		return fmt.Errorf("%d records: want 1 to %d", len(b.Records), MaxBatchRecords)
	case b.Last() > maxSafeInt:
		return fmt.Errorf("the last record is %d: out of range", b.Last())
	case b.Released >= b.First:
		return fmt.Errorf("released through %d, yet the first record is %d", b.Released, b.First)
	case b.Algorithm != "" && b.Algorithm != recordkey.SM2:
		return fmt.Errorf("it is signed in %.20q, which is unknown here", b.Algorithm)
	case len(b.Signature) != recordkey.SignatureSize:
		return fmt.Errorf("signature of %d bytes: want %d", len(b.Signature), recordkey.SignatureSize)
	}
	return nil
}

const maxSafeInt = 1<<53 - 1

// DecodeBatch reads a payload, whose names are exact and stand once. The records' bytes are those of the payload, which must not
// be changed afterwards. They are not read here, so that one that is damaged is quarantined alone.
func DecodeBatch(payload []byte) (Batch, error) {
	if len(payload) > MaxBatch {
		return Batch{}, fmt.Errorf("batch: %d bytes, at most %d are allowed", len(payload), MaxBatch)
	}
	j, err := readBatch(payload)
	if err != nil {
		return Batch{}, fmt.Errorf("batch: %w", err)
	}
	if j.V != Version {
		return Batch{}, errVersion("batch", j.V)
	}
	b := Batch{Device: j.Device, Epoch: j.Epoch, First: j.First, Released: j.Released, Algorithm: j.Algorithm,
		Signature: j.Sig}
	for _, r := range j.Records {
		b.Records = append(b.Records, r)
	}
	if _, err := rating.ParseDeviceID(string(b.Device)); err != nil {
		return Batch{}, fmt.Errorf("batch: %w", err)
	}
	if err := b.check(); err != nil {
		return Batch{}, fmt.Errorf("batch: %w", err)
	}
	if j.Count != len(b.Records) {
		return Batch{}, fmt.Errorf("batch: count is %d, yet there are %d records", j.Count, len(b.Records))
	}
	if j.Head != b.Head() {
		return Batch{}, errors.New("batch: head is not the hash of the last record, the payload was changed on the way")
	}
	return b, nil
}

// readBatch reads the batch's own fields by exact names, and of the records only where they begin and end.
func readBatch(payload []byte) (j batchJSON, err error) {
	fields := map[string]any{
		"v": &j.V, "device": &j.Device, "epoch": &j.Epoch, "first": &j.First, "count": &j.Count,
		"released": &j.Released, "head": &j.Head, "alg": &j.Algorithm, "sig": &j.Sig,
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(payload), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err := expect(dec, '{'); err != nil {
		return j, err
	}
	seen := make(map[string]bool, len(fields)+1)
	for dec.PeekKind() != '}' {
		token, err := dec.ReadToken()
		if err != nil {
			return j, err
		}
		name := token.String()
		if seen[name] {
			return j, fmt.Errorf("the name %q stands twice", name)
		}
		seen[name] = true
		if name == "records" {
			if j.Records, err = readValues(dec, payload); err != nil {
				return j, fmt.Errorf("records: %w", err)
			}
			continue
		}
		value, err := dec.ReadValue()
		if err != nil {
			return j, err
		}
		if field, ok := fields[name]; ok {
			if err := strict.Unmarshal(value, field); err != nil {
				return j, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return j, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return j, errors.New("something follows after its end")
	}
	return j, nil
}

// readValues reads an array, and returns the parts of payload that hold its elements.
func readValues(dec *jsontext.Decoder, payload []byte) (all []jsontext.Value, err error) {
	if err := expect(dec, '['); err != nil {
		return nil, err
	}
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		if len(all) == MaxBatchRecords {
			return nil, fmt.Errorf("more than %d", MaxBatchRecords)
		}
		end := int(dec.InputOffset())
		all = append(all, jsontext.Value(payload[end-len(value):end:end]))
	}
	_, err = dec.ReadToken()
	return all, err
}

// expect reads the token that begins an object or an array.
func expect(dec *jsontext.Decoder, kind jsontext.Kind) error {
	token, err := dec.ReadToken()
	if err == nil && token.Kind() != kind {
		return fmt.Errorf("%s where %s is expected", token.Kind(), kind)
	}
	return err
}

func errVersion(what string, v int) error {
	return fmt.Errorf("%s: version %s is not supported, only %d is", what, strconv.Itoa(v), Version)
}
