package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"

	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
)

// MaxRequest bounds a request in bytes; an honest one has about 600.
const MaxRequest = 4 << 10

// Request is what a box asks for: a PKCS #10 request (RFC 2986) whose subject is the box's name, signed by its TLS key. An extension holds
// the key for records, with that one's signature over name and TLS key.
type Request struct {
	Device rating.DeviceID
	Key    *ecdsa.PublicKey
	Record []byte            // public key, as recordkey has it
	Raw    []byte            // DER
	Hash   [sha256.Size]byte // of the TLS key, as a certificate has it
	Digits string            // four, for the eyes
}

// proofID names the extension. It lies under the number that RFC 5612 keeps free for uses like this, so that it can be nobody else's.
func proofID() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 14, 1} }

// proof is the extension's value.
type proof struct {
	Algorithm string `asn1:"utf8"`
	Key       []byte
	Signature []byte
}

// proven returns what the key for records signs.
func proven(device rating.DeviceID, spki []byte) []byte {
	return append([]byte("hcp/1 certificate request\n"+string(device)+"\n"), spki...)
}

// NewRequest returns a request in DER.
func NewRequest(device rating.DeviceID, tlsKey, record Key) ([]byte, error) {
	spki, err := x509.MarshalPKIXPublicKey(tlsKey.Public())
	if err != nil {
		return nil, fmt.Errorf("make the certificate request: %w", err)
	}
	public := recordkey.Public(record)
	if public == nil {
		return nil, fmt.Errorf("make the certificate request: a key of %s is not for records", record.Algorithm())
	}
	signature := recordkey.Sign(record, proven(device, spki))
	value, err := asn1.Marshal(proof{string(record.Algorithm()), public, signature})
	if err != nil {
		return nil, fmt.Errorf("make the certificate request: %w", err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: string(device)}, ExtraExtensions: []pkix.Extension{{Id: proofID(), Value: value}},
	}, tlsKey)
	if err != nil {
		return nil, fmt.Errorf("make the certificate request: %w", err)
	}
	return der, nil
}

// ParseRequest reads a request and checks both proofs. It reads bytes of strangers.
func ParseRequest(der []byte) (Request, error) {
	out, err := parseRequest(der)
	if err != nil {
		return Request{}, fmt.Errorf("certificate request: %w", err)
	}
	return out, nil
}

func parseRequest(der []byte) (Request, error) {
	if len(der) > MaxRequest {
		return Request{}, fmt.Errorf("%d bytes, at most %d are allowed", len(der), MaxRequest)
	}
	c, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return Request{}, err
	}
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() || c.SignatureAlgorithm != x509.ECDSAWithSHA256 {
		return Request{}, errors.New("want a key on P-256 that signs with SHA-256")
	}
	if err := c.CheckSignature(); err != nil {
		return Request{}, err
	}
	if len(c.Subject.Names) != 1 || c.Subject.CommonName == "" {
		return Request{}, errors.New("the subject must be the box's name alone (CN)")
	}
	device, err := rating.ParseDeviceID(c.Subject.CommonName)
	if err != nil {
		return Request{}, err
	}
	// The key as a certificate will have it: the request's own encoding could have parts that nobody reads.
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return Request{}, err
	}
	record, err := parseProof(c, device, spki)
	if err != nil {
		return Request{}, err
	}
	return Request{Device: device, Key: key, Record: record, Raw: der, Hash: sha256.Sum256(spki), Digits: checkDigits(spki, record)}, nil
}

func parseProof(c *x509.CertificateRequest, device rating.DeviceID, spki []byte) ([]byte, error) {
	var value []byte
	for _, x := range c.Extensions {
		if x.Id.Equal(proofID()) {
			if value != nil {
				return nil, errors.New("it names two keys for records")
			}
			value = x.Value
		}
	}
	var p proof
	rest, err := asn1.Unmarshal(value, &p)
	switch {
	case value == nil:
		return nil, errors.New("it does not name the box's key for records")
	case err != nil:
		return nil, fmt.Errorf("the key for records: %w", err)
	case len(rest) > 0:
		return nil, errors.New("the key for records: bytes behind it")
	case recordkey.Check(p.Key) != nil || recordkey.Of(p.Key) != Algorithm(p.Algorithm):
		return nil, fmt.Errorf("the key for records is %.20q of %d bytes, want %s or %s", p.Algorithm, len(p.Key), recordkey.Ed25519,
			recordkey.SM2)
	case !recordkey.Verify(p.Key, proven(device, spki), p.Signature):
		return nil, errors.New("the signature by the key for records does not hold")
	}
	return p.Key, nil
}

// KeyHash returns the hash of a certificate's key, as Request has it.
func KeyHash(c *x509.Certificate) [sha256.Size]byte { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// Is reports whether a certificate is of a key.
func Is(c *x509.Certificate, k Key) bool {
	spki, err := x509.MarshalPKIXPublicKey(k.Public())
	return err == nil && bytes.Equal(c.RawSubjectPublicKeyInfo, spki)
}
