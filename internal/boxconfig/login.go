package boxconfig

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"

	"haochaping/internal/loginfiles"
)

// Login is how a box logs in at its brokers. Daemon and doctor read it here.
type Login struct {
	Username string
	Password string
	TLS      *tls.Config
	// Certificate is the box's own, nil if it has none.
	Certificate *x509.Certificate
}

// Login reads the files that the uplink names, or those of a box that enrols.
func (c Config) Login() (l Login, err error) {
	if c.Enrols() {
		return c.enrolled()
	}
	u := c.Uplink
	l.Username = cmp.Or(u.Username, string(c.Device))
	if l.TLS, err = u.ReadTLS(); err != nil {
		return l, err
	}
	if len(l.TLS.Certificates) > 0 {
		l.Certificate = l.TLS.Certificates[0].Leaf
	}
	l.Password, err = u.ReadPassword()
	return l, err
}

// ReadPassword returns the password at the broker, empty if no file is named.
func (u Uplink) ReadPassword() (string, error) {
	return loginfiles.Password(loginfiles.File{Field: "uplink.password_file", Path: u.PasswordFile})
}

// ReadTLS returns how the broker is judged, and the box's certificate if it has one.
func (u Uplink) ReadTLS() (*tls.Config, error) {
	return loginfiles.TLS(loginfiles.File{Field: "uplink.ca_file", Path: u.CAFile},
		loginfiles.File{Field: "uplink.cert_file", Path: u.CertFile}, u.KeyFile)
}
