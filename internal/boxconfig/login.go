package boxconfig

import (
	"cmp"
	"crypto/tls"

	"haochaping/internal/loginfiles"
	"haochaping/internal/rating"
)

// Login is how a box logs in at its brokers. Daemon and doctor read it here.
type Login struct {
	Username string
	Password string
	TLS      *tls.Config
}

// Login reads the files that the uplink names.
func (u Uplink) Login(device rating.DeviceID) (l Login, err error) {
	l.Username = cmp.Or(u.Username, string(device))
	if l.TLS, err = u.ReadTLS(); err != nil {
		return l, err
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
	return loginfiles.TLS(loginfiles.File{Field: "uplink.ca_file", Path: u.CAFile}, loginfiles.File{Field: "uplink.cert_file", Path: u.CertFile}, u.KeyFile)
}
