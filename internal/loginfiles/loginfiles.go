// Package loginfiles reads the files by which a program logs in at a broker: the password, the authority, and a certificate of its own.
package loginfiles

import (
	"crypto/tls"
	"crypto/x509"
	"strings"

	"haochaping/internal/cli"
	"haochaping/internal/keptfile"
	"haochaping/internal/tomlfile"
)

// File is a file that a field of the configuration names.
type File struct{ Field, Path string }

func (f File) fault(err error) error { return tomlfile.Lines{}.Fault(f.Field, err) }

// Password returns the line in a file, without the mark that some editors put before it; empty if no file is named.
func Password(f File) (string, error) {
	if f.Path == "" {
		return "", nil
	}
	b, err := keptfile.ReadSmall(f.Path)
	if err != nil {
		return "", f.fault(cli.Because(err, "读不到密码；请写入密码，并让服务用户可读",
			"the password cannot be read; write it into the file, for the daemon's user to read"))
	}
	return strings.TrimRight(strings.TrimPrefix(string(b), "\ufeff"), "\r\n"), nil
}

// Authorities returns the certificates in a file, by which servers are judged.
func Authorities(f File) (*x509.CertPool, error) {
	pem, err := keptfile.ReadSmall(f.Path)
	if err != nil {
		return nil, f.fault(err)
	}
	all := x509.NewCertPool()
	if !all.AppendCertsFromPEM(pem) {
		return nil, f.fault(cli.Errorf("%s 中没有证书；请写 PEM 格式的证书文件",
			"%s holds no certificate; name a file of certificates in PEM", f.Path))
	}
	return all, nil
}

// TLS returns how a client judges the broker, by the system's authorities if no other is named, and shows itself, if it has a certificate.
func TLS(authority, certificate File, key string) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if authority.Path != "" {
		var err error
		if out.RootCAs, err = Authorities(authority); err != nil {
			return nil, err
		}
	}
	if certificate.Path == "" {
		return out, nil
	}
	own, err := keptfile.ReadSmall(certificate.Path)
	if err != nil {
		return nil, certificate.fault(err)
	}
	private, err := keptfile.ReadSmall(key)
	if err != nil {
		return nil, certificate.fault(err)
	}
	pair, err := tls.X509KeyPair(own, private)
	if err != nil {
		return nil, certificate.fault(cli.Because(err, "证书和私钥不能用，或不是一对；请核对两个文件",
			"certificate and key cannot be used, or are no pair; look at both files"))
	}
	out.Certificates = []tls.Certificate{pair}
	return out, nil
}
