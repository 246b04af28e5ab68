package boxconfig

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"haochaping/internal/identity"
	"haochaping/internal/keptfile"
	"haochaping/internal/provision"
	"haochaping/internal/rating"
	"haochaping/internal/tomlfile"
)

// Files in the state folder of a box that gets into the centre by itself.
const (
	NameFile        = "device.name"     // drawn at birth
	TLSKeyFile      = "tls.key"         // its key for TLS
	CertificateFile = "tls.pem"         // its certificate, and what stands between it and the root
	SharedFile      = "haochaping.toml" // a copy of Enrol.File
)

// Enrols reports whether the box gets into the centre by itself. One with a password or certificate from elsewhere does not.
func (c Config) Enrols() bool {
	return c.Enrol.URL != "" && c.Uplink.PasswordFile == "" && c.Uplink.CertFile == ""
}

func (c Config) checkEnrol(bad func(key, format string, args ...any)) {
	for key, address := range map[string]string{"enrol.url": c.Enrol.URL, "enrol.page": c.Enrol.Page} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "") {
			bad(key, "%q is not allowed; write https://host without a path", address)
		}
	}
	if c.Enrol.URL != "" && c.root() == nil {
		bad("enrol.root", "it holds no certificate; write the centre's root, as \"centrald image-config\" does")
	}
}

// root returns the centre's root certificate, nil if there is none.
func (c Config) root() *x509.Certificate {
	block, _ := pem.Decode([]byte(c.Enrol.Root))
	if block == nil {
		return nil
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return root
}

// Roots returns the pinned root of a box that enrols.
func (c Config) Roots() *x509.CertPool { return identity.Pool(c.root()) }

// sharedFile returns what all boxes share, by a box's own configuration. The copy in the state folder serves while the file is missing or broken, and says
// whose signature the next one needs; before there is one, the file's own key is believed.
func sharedFile(own []byte) (text []byte, fault error) {
	at := struct {
		State string
		Enrol struct{ File string }
	}{State: Default().State}
	at.Enrol.File = Default().Enrol.File
	own, err := tomlfile.Text(own)
	if err == nil {
		err = toml.Unmarshal(own, &at)
	}
	if err != nil {
		return nil, nil // which is found out where it is read for good
	}
	kept, err := os.ReadFile(filepath.Join(at.State, SharedFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		fault = err
	}
	if at.Enrol.File == "" {
		return nil, nil
	}
	fresh, err := os.ReadFile(at.Enrol.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return kept, fault
	case err != nil:
		return kept, err
	}
	signer := signerOf(fresh)
	if kept != nil {
		signer = signerOf(kept)
	}
	if err := provision.Verify(fresh, signer); err != nil {
		return kept, fmt.Errorf("%s: %w", at.Enrol.File, err)
	}
	return fresh, nil
}

// signerOf returns the key of the centre that a shared file names.
func signerOf(text []byte) []byte {
	var named struct {
		Uplink struct {
			Key PublicKey `toml:"centre_key"`
		}
	}
	if err := toml.Unmarshal(text, &named); err != nil {
		return nil
	}
	return named.Uplink.Key
}

// bornAs returns the name that the box has drawn, empty if it has not yet.
func bornAs(state string) (rating.DeviceID, error) {
	b, err := os.ReadFile(filepath.Join(state, NameFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the box's name: %w", err)
	}
	d, err := rating.ParseDeviceID(strings.TrimSpace(string(b)))
	if err != nil {
		return "", fmt.Errorf("read the box's name in %s: %w", NameFile, err)
	}
	return d, nil
}

// Birth draws the name of a box that enrols and has none, and keeps a copy of what it shares with others. A box that has both changes nothing.
func (c *Config) Birth(random io.Reader) error {
	if !c.Enrols() {
		return nil
	}
	if err := os.MkdirAll(c.State, 0o750); err != nil {
		return fmt.Errorf("create the state folder: %w", err)
	}
	copyAt := filepath.Join(c.State, SharedFile)
	if kept, err := os.ReadFile(copyAt); c.Shared != nil && (err != nil || !bytes.Equal(kept, c.Shared)) {
		if err := keptfile.Replace(copyAt, c.Shared); err != nil {
			return err
		}
	}
	if c.Device != "" {
		return nil
	}
	drawn, err := identity.NewName(random)
	if err != nil {
		return err
	}
	if err := keptfile.Create(filepath.Join(c.State, NameFile), []byte(drawn+"\n")); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	c.Device, err = bornAs(c.State)
	return err
}

// TLSKey returns the box's key for TLS, which it draws at the first call.
func (c Config) TLSKey() (identity.Key, error) {
	return identity.Keep(filepath.Join(c.State, TLSKeyFile), rand.Reader)
}

// enrolled returns how a box that enrols logs in: by its certificate, which is read anew at each connection.
func (c Config) enrolled() (Login, error) {
	key, err := identity.Read(filepath.Join(c.State, TLSKeyFile))
	if err != nil {
		return Login{}, err
	}
	path := filepath.Join(c.State, CertificateFile)
	now, err := identity.ReadCertificate(path, key)
	if err != nil {
		return Login{}, err
	}
	show := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		next, err := identity.ReadCertificate(path, key)
		return &next, err
	}
	return Login{Username: string(c.Device), Certificate: now.Leaf,
		TLS: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: c.Roots(), GetClientCertificate: show}}, nil
}
