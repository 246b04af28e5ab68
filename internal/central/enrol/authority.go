package enrol

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"haochaping/internal/identity"
	"haochaping/internal/keptfile"
)

// The authority's files in the centre's state folder. The root's key may lie elsewhere: it is needed when the issuing certificate is
// renewed.
const (
	RootKeyFile    = "root.key"
	RootFile       = "root.pem"
	IssuingKeyFile = "issuing.key"
	IssuingFile    = "issuing.pem"
	// FormerFiles are issuing certificates whose key is lost. What they have signed holds on.
	FormerFiles = "issuing-*.pem"
)

const (
	day         = 24 * time.Hour
	rootLife    = 20 * 365 * day
	issuingLife = 5 * 365 * day
	issuingLeft = 365 * day // less than this, and the issuing certificate is renewed
	// BoxLife is how long a box's certificate holds. It is renewed at two thirds.
	BoxLife = 180 * day
	// WindowLife is how long a certificate for a window's PC holds where nothing else is said.
	WindowLife = 7 * day
	// MostWindowLife bounds what may be said, and so how long a PC takes a stolen box for its own.
	MostWindowLife = 30 * day
	// ServerLife is how long a server's certificate holds that the centre makes for itself in memory.
	ServerLife = 30 * day
	// ahead is how far back certificates begin, for clocks that are behind.
	ahead = time.Hour
	// listLife is how long a list of revoked certificates may be believed.
	listLife = 7 * day
)

// Authority issues certificates. It is safe for concurrent use.
type Authority struct {
	root, issuing *x509.Certificate
	former        []*x509.Certificate
	key           identity.Key
	now           func() time.Time

	mu     sync.Mutex
	server *tls.Certificate // guarded by mu; the one that was made last
}

// OpenAuthority reads the authority in a folder and makes what is missing. Commands and daemons that do so at once agree.
func OpenAuthority(folder string, now func() time.Time) (*Authority, error) {
	a := &Authority{now: now}
	at := func(name string) string { return filepath.Join(folder, name) }
	var err error
	if a.root, err = kept(at(RootFile), func() ([]byte, error) { return a.makeRoot(at(RootKeyFile)) }); err != nil {
		return nil, fmt.Errorf("open the certificate authority: %w", err)
	}
	if a.key, err = identity.Keep(at(IssuingKeyFile), rand.Reader); err != nil {
		return nil, fmt.Errorf("open the certificate authority: %w", err)
	}
	issue := func() ([]byte, error) { return a.makeIssuing(at(RootKeyFile)) }
	if a.issuing, err = kept(at(IssuingFile), issue); err != nil {
		return nil, fmt.Errorf("open the certificate authority: %w", err)
	}
	if !identity.Is(a.issuing, a.key) || a.issuing.CheckSignatureFrom(a.root) != nil {
		return nil, fmt.Errorf("open the certificate authority: %s, %s and %s do not belong together; restore them from one backup", RootFile,
			IssuingFile, IssuingKeyFile)
	}
	if a.former, err = readFormer(folder, a.root); err != nil {
		return nil, fmt.Errorf("open the certificate authority: %w", err)
	}
	if a.issuing.NotAfter.Sub(now()) < issuingLeft && a.issuing.NotAfter.Before(a.root.NotAfter) {
		if err := a.renew(at(IssuingFile), issue); err != nil {
			return nil, fmt.Errorf("open the certificate authority: %w", err)
		}
	}
	return a, nil
}

// readFormer reads the issuing certificates of before.
func readFormer(folder string, root *x509.Certificate) (all []*x509.Certificate, err error) {
	names, err := filepath.Glob(filepath.Join(folder, FormerFiles))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		c, err := kept(name, func() ([]byte, error) { return nil, fs.ErrNotExist })
		if err == nil {
			err = c.CheckSignatureFrom(root)
		}
		if err != nil {
			return nil, fmt.Errorf("%s is no issuing certificate of %s; move it elsewhere: %w", name, RootFile, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// Trouble says what is to be done before, or since, no certificate can be issued any more, nil if that is more than a year ahead.
func (a *Authority) Trouble() error {
	end := a.issuing.NotAfter.UTC().Format(time.DateOnly)
	todo := fmt.Sprintf("put %s back into the state folder and restart the centre", RootKeyFile)
	if !a.issuing.NotAfter.Before(a.root.NotAfter) {
		todo = "the root ends with it: make a new one, as docs/enrolment.md says"
	}
	switch left := a.issuing.NotAfter.Sub(a.now()); {
	case left <= 0:
		return fmt.Errorf("%w on %s, so that boxes get no certificate and are not let in; %s", ErrEnded, end, todo)
	case left < issuingLeft:
		return fmt.Errorf("the issuing certificate ends on %s; before that, %s", end, todo)
	}
	return nil
}

// ErrEnded says that the authority can issue nothing.
var ErrEnded = errors.New("the issuing certificate ended")

// renew makes a new issuing certificate of the same key. Without the root's key it stays as it is, which Trouble says.
func (a *Authority) renew(path string, issue func() ([]byte, error)) error {
	der, err := issue()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = keptfile.Replace(path, encode(der))
	}
	if err == nil {
		a.issuing, err = x509.ParseCertificate(der)
	}
	if err != nil {
		return fmt.Errorf("renew %s, which needs %s beside it: %w", IssuingFile, RootKeyFile, err)
	}
	return nil
}

// PEM returns a certificate as text.
func PEM(c *x509.Certificate) []byte { return encode(c.Raw) }

func encode(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// kept reads a certificate, and makes it if it is not there.
func kept(path string, issue func() ([]byte, error)) (*x509.Certificate, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		var der []byte
		if der, err = issue(); err == nil {
			if err = keptfile.Create(path, encode(der)); err == nil || errors.Is(err, fs.ErrExist) {
				b, err = os.ReadFile(path)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("%s holds no certificate; restore it from the backup", path)
	}
	return x509.ParseCertificate(block.Bytes)
}

// makeRoot draws the root. Where its certificate is lost and its key is not, it gets another certificate, which boxes do not know.
func (a *Authority) makeRoot(keyPath string) ([]byte, error) {
	key, err := identity.Keep(keyPath, rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "haochaping root"}, NotBefore: a.now().Add(-ahead),
		NotAfter: a.now().Add(rootLife),
		IsCA:     true, BasicConstraintsValid: true, MaxPathLen: 1, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	return x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
}

func (a *Authority) makeIssuing(rootKey string) ([]byte, error) {
	key, err := identity.Read(rootKey)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "haochaping issuing"}, NotBefore: a.now().Add(-ahead),
		NotAfter: a.end(a.root, issuingLife),
		IsCA:     true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	return x509.CreateCertificate(rand.Reader, template, a.root, a.key.Public(), key)
}

// end returns when a certificate ends that may live so long, and no longer than its issuer's.
func (a *Authority) end(issuer *x509.Certificate, life time.Duration) time.Time {
	if end := a.now().Add(life); end.Before(issuer.NotAfter) {
		return end
	}
	return issuer.NotAfter
}

// Root returns the certificate that boxes pin.
func (a *Authority) Root() *x509.Certificate { return a.root }

// RootPEM returns it as text.
func (a *Authority) RootPEM() []byte { return encode(a.root.Raw) }

// Issuing returns the certificate that goes with each other one.
func (a *Authority) Issuing() *x509.Certificate { return a.issuing }

// Box issues a box's certificate.
func (a *Authority) Box(r identity.Request) (*x509.Certificate, error) {
	return a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: string(r.Device)}, URIs: []*url.URL{keyName(r.Hash)},
		NotAfter:    a.end(a.issuing, BoxLife),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, r.Key)
}

// Client issues a certificate for a program of the centre at a broker, for a key of its own.
func (a *Authority) Client(name string, key any, life time.Duration) (*x509.Certificate, error) {
	return a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: name}, NotAfter: a.end(a.issuing, life),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, key)
}

// Server issues a certificate for a server of some names and addresses.
func (a *Authority) Server(names []string, key any, life time.Duration) (*x509.Certificate, error) {
	if len(names) == 0 {
		return nil, errors.New("issue a server's certificate: it has no name")
	}
	return a.serve(pkix.Name{CommonName: names[0]}, names, key, life)
}

// Window issues a certificate by which the PC of a window knows its box, and nobody the centre.
func (a *Authority) Window(q identity.ServerRequest, life time.Duration) (*x509.Certificate, error) {
	return a.serve(pkix.Name{CommonName: string(q.Device), OrganizationalUnit: []string{identity.WindowUnit}}, q.Names, q.Key, life)
}

func (a *Authority) serve(subject pkix.Name, names []string, key any, life time.Duration) (*x509.Certificate, error) {
	c := &x509.Certificate{Subject: subject, NotAfter: a.end(a.issuing, life), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, n)
		}
	}
	return a.issue(c, key)
}

func (a *Authority) issue(c *x509.Certificate, key any) (*x509.Certificate, error) {
	if !a.now().Before(a.issuing.NotAfter) {
		return nil, fmt.Errorf("issue a certificate for %s: %w", c.Subject.CommonName, a.Trouble())
	}
	c.NotBefore, c.KeyUsage, c.BasicConstraintsValid = a.now().Add(-ahead), x509.KeyUsageDigitalSignature, true
	der, err := x509.CreateCertificate(rand.Reader, c, a.issuing, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate for %s: %w", c.Subject.CommonName, err)
	}
	return x509.ParseCertificate(der)
}

// Verify reports why a certificate is not of a box, as of a time.
func (a *Authority) Verify(c *x509.Certificate, at time.Time) error {
	_, err := c.Verify(x509.VerifyOptions{Roots: identity.Pool(a.root),
		Intermediates: identity.Pool(append([]*x509.Certificate{a.issuing}, a.former...)...), CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err
}

// List returns the list of revoked certificates, in DER (RFC 5280, section 5).
func (a *Authority) List(all []Revocation, number int64) ([]byte, error) {
	now := a.now()
	l := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: now.Add(-ahead), NextUpdate: now.Add(listLife)}
	for _, r := range all {
		serial, ok := new(big.Int).SetString(r.Serial, 16)
		if !ok {
			return nil, fmt.Errorf("the certificate %q has no number", r.Serial)
		}
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: r.At})
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, a.issuing, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign the list of revoked certificates: %w", err)
	}
	return der, nil
}

// ServerTLS returns how the centre's own servers show themselves, all under the same names: by certificates that are made anew before they
// end and lie in memory alone. They ask clients for theirs, which the server judges.
func (a *Authority) ServerTLS(names []string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequestClientCert, SessionTicketsDisabled: true,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return a.serverCertificate(names) }}
}

func (a *Authority) serverCertificate(names []string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.server != nil && a.server.Leaf.NotAfter.Sub(a.now()) > ServerLife/3 {
		return a.server, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf, err := a.Server(names, key.Public(), ServerLife)
	if err != nil {
		return nil, err
	}
	a.server = &tls.Certificate{Certificate: [][]byte{leaf.Raw, a.issuing.Raw}, PrivateKey: key, Leaf: leaf}
	return a.server, nil
}
