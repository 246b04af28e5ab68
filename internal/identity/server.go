package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"haochaping/internal/rating"
)

// WindowUnit is the organisational unit in certificates by which a window's PC knows its box. No box takes one of them for the centre,
// whatever names it has.
const WindowUnit = "window PC"

// MaxServerNames bounds the names and addresses of a box for its PC.
const MaxServerNames = 16

// ServerRequest is what a box asks for to be known by its window's PC: a PKCS #10 request whose subject is the box's name, with the names
// and addresses by which the PC calls it. Who asks is proven by the box's certificate.
type ServerRequest struct {
	Device rating.DeviceID
	Key    *ecdsa.PublicKey
	Hash   [sha256.Size]byte // of the key
	Names  []string
}

// NewServerRequest returns a request in DER.
func NewServerRequest(device rating.DeviceID, key Key, names []string) ([]byte, error) {
	r := &x509.CertificateRequest{Subject: pkix.Name{CommonName: string(device)}}
	r.DNSNames, r.IPAddresses = splitNames(names)
	der, err := x509.CreateCertificateRequest(rand.Reader, r, key)
	if err != nil {
		return nil, fmt.Errorf("make the request for the window's PC: %w", err)
	}
	return der, nil
}

// ParseServerRequest reads a request and checks its proof. It reads bytes of boxes.
func ParseServerRequest(der []byte) (q ServerRequest, err error) {
	if len(der) > MaxRequest {
		return q, fmt.Errorf("request for the window's PC: %d bytes, at most %d are allowed", len(der), MaxRequest)
	}
	c, err := x509.ParseCertificateRequest(der)
	if err == nil {
		err = c.CheckSignature()
	}
	if err != nil {
		return q, fmt.Errorf("request for the window's PC: %w", err)
	}
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() || c.SignatureAlgorithm != x509.ECDSAWithSHA256 {
		return q, errors.New("request for the window's PC: want a key on P-256 that signs with SHA-256")
	}
	if len(c.EmailAddresses) > 0 || len(c.URIs) > 0 || len(c.Subject.Names) != 1 {
		return q, errors.New("request for the window's PC: it has more than names and addresses")
	}
	if q.Device, err = rating.ParseDeviceID(c.Subject.CommonName); err != nil {
		return q, fmt.Errorf("request for the window's PC: %w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return q, fmt.Errorf("request for the window's PC: %w", err)
	}
	q.Key, q.Hash, q.Names = key, sha256.Sum256(spki), ServerNames(c.DNSNames, c.IPAddresses)
	if len(q.Names) == 0 || len(q.Names) > MaxServerNames {
		return ServerRequest{}, fmt.Errorf("request for the window's PC: %d names, 1 to %d are allowed", len(q.Names), MaxServerNames)
	}
	return q, nil
}

// splitNames parts names from addresses.
func splitNames(names []string) (hosts []string, addresses []net.IP) {
	for _, n := range names {
		if a, err := netip.ParseAddr(n); err == nil {
			addresses = append(addresses, a.Unmap().AsSlice())
		} else {
			hosts = append(hosts, n)
		}
	}
	return hosts, addresses
}

// ServerNames returns names and addresses together, each once, in order.
func ServerNames(hosts []string, addresses []net.IP) []string {
	all := slices.Clone(hosts)
	for _, ip := range addresses {
		if a, ok := netip.AddrFromSlice(ip); ok {
			all = append(all, a.Unmap().String())
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// NotAWindow refuses a server that shows the certificate of a box for its window's PC, as tls.Config's VerifyConnection.
func NotAWindow(s tls.ConnectionState) error {
	if len(s.PeerCertificates) > 0 && slices.Contains(s.PeerCertificates[0].Subject.OrganizationalUnit, WindowUnit) {
		return fmt.Errorf("what answers is the box %q and not the centre", s.PeerCertificates[0].Subject.CommonName)
	}
	return nil
}
