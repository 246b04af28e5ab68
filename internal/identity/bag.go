package identity

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
)

// MaxBag bounds an answer with certificates in bytes.
const MaxBag = 64 << 10

// contentInfo is PKCS #7's outermost value (RFC 5652, section 3).
type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"explicit,tag:0"`
}

// signedData is one without content and signers: a bag of certificates (RFC 5652, section 5, and RFC 7030, section 4.1.3).
type signedData struct {
	Version      int
	Digests      asn1.RawValue
	Content      innerInfo
	Certificates asn1.RawValue `asn1:"optional,tag:0"`
	Lists        asn1.RawValue `asn1:"optional,tag:1"`
	Signers      asn1.RawValue
}

type innerInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"optional,explicit,tag:0"`
}

func dataID() asn1.ObjectIdentifier       { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1} }
func signedDataID() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2} }

// Bag encodes certificates as EST hands them out.
func Bag(all ...*x509.Certificate) ([]byte, error) {
	var raw []byte
	for _, c := range all {
		raw = append(raw, c.Raw...)
	}
	empty := asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSet, IsCompound: true}
	inner, err := asn1.Marshal(signedData{Version: 1, Digests: empty, Content: innerInfo{Type: dataID()}, Signers: empty,
		Certificates: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: raw}})
	if err != nil {
		return nil, fmt.Errorf("encode certificates: %w", err)
	}
	// The tag is written by hand: a raw value takes no heed of the field's.
	outer, err := asn1.Marshal(contentInfo{signedDataID(),
		asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: inner}})
	if err != nil {
		return nil, fmt.Errorf("encode certificates: %w", err)
	}
	return outer, nil
}

// ParseBag reads what Bag writes, and bags of other authorities.
func ParseBag(der []byte) ([]*x509.Certificate, error) {
	if len(der) > MaxBag {
		return nil, fmt.Errorf("certificates: %d bytes, at most %d are allowed", len(der), MaxBag)
	}
	var outer contentInfo
	if rest, err := asn1.Unmarshal(der, &outer); err != nil || len(rest) > 0 || !outer.Type.Equal(signedDataID()) {
		return nil, errors.Join(errors.New("certificates: it is no PKCS #7 with certificates"), err)
	}
	var inner signedData
	if rest, err := asn1.Unmarshal(outer.Content.Bytes, &inner); err != nil || len(rest) > 0 {
		return nil, errors.Join(errors.New("certificates: it is no PKCS #7 with certificates"), err)
	}
	all, err := x509.ParseCertificates(inner.Certificates.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	if len(all) == 0 {
		return nil, errors.New("certificates: there is none")
	}
	return all, nil
}
