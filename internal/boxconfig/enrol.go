package boxconfig

import (
	"bytes"
	"crypto/ed25519"
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
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"haochaping/internal/cli"
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
	WindowKeyFile   = "window.key"      // its key for the window's PC
	WindowCertFile  = "window.pem"      // the certificate by which that knows it
	SharedFile      = "haochaping.toml" // a copy of Enrol.File
	SharedCopy      = "haochaping.copy" // another one, for a disk that loses the first
)

// Enrols reports whether the box gets into the centre by itself. One with a password or certificate from elsewhere does not.
func (c Config) Enrols() bool {
	return c.Enrol.URL != "" && c.Uplink.PasswordFile == "" && c.Uplink.CertFile == ""
}

func (c Config) checkEnrol(bad tomlfile.Report) {
	for key, address := range map[string]string{"enrol.url": c.Enrol.URL, "enrol.page": c.Enrol.Page} {
		if u, err := url.Parse(address); address != "" &&
			(err != nil || u.Scheme != "https" || !leadsSomewhere(u) || strings.Trim(u.Path, "/") != "") {
			bad(key, "不能是 %[1]q；请写 https://主机，不带路径", "%[1]q is not allowed; write https://host without a path", address)
		}
	}
	if c.Enrol.URL != "" && c.root() == nil {
		bad("enrol.root",
			"其中没有证书；请写中心的根证书，如 centrald image-config 所写",
			"it holds no certificate; write the centre's root, as \"centrald image-config\" does")
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

// sharedTexts returns what all boxes may share by a box's own configuration, the best first and nil, which is nothing, at the end. The
// copies in the state folder serve while the file is missing, broken or wrong, and say whose signature the next one needs and of which
// revision it is at least. Before there is one, the file's own key is believed, unless the box has a certificate of another root.
func sharedTexts(own []byte) (texts [][]byte, fault error) {
	at := struct {
		State string
		Enrol struct{ File string }
	}{State: Default().State}
	at.Enrol.File = Default().Enrol.File
	own, err := tomlfile.Text(own)
	if err == nil {
		err = toml.Unmarshal(own, &at)
	}
	if err != nil || at.Enrol.File == "" {
		return [][]byte{nil}, nil // what is wrong is found out where it is read for good
	}
	for _, name := range []string{SharedFile, SharedCopy} {
		text, err := keptfile.ReadSmall(filepath.Join(at.State, name))
		if err == nil {
			err = provision.Verify(text, headOf(text).key())
		}
		switch {
		case err == nil:
			texts = append(texts, text)
		case !errors.Is(err, fs.ErrNotExist):
			fault = errors.Join(fault, fmt.Errorf("%s: %w", filepath.Join(at.State, name), err))
		}
	}
	fresh, err := keptfile.ReadSmall(at.Enrol.File)
	if err == nil {
		err = takes(fresh, texts, filepath.Join(at.State, CertificateFile))
	}
	switch {
	case err == nil:
		texts = slices.Insert(texts, 0, fresh)
	case !errors.Is(err, fs.ErrNotExist):
		fault = errors.Join(fault, fmt.Errorf("%s: %w", at.Enrol.File, err))
	}
	return append(texts, nil), fault
}

// ErrOlder says that a shared file is older than the one that the box has.
var ErrOlder = cli.Error("文件比评价器已有的旧，可能被人换回；请复制 \"centrald image-config\" 最近写出的那一份",
	"the file is older than the one that the box has, and was perhaps put back by somebody; "+
		"copy the newest that \"centrald image-config\" has written")

// takes reports why a shared file is not taken by a box that has others, or a certificate.
func takes(fresh []byte, others [][]byte, certificate string) error {
	head := headOf(fresh)
	if len(others) > 0 {
		known := headOf(others[0])
		if err := provision.Verify(fresh, known.key()); err != nil {
			return err
		}
		if head.Enrol.Revision < known.Enrol.Revision {
			return ErrOlder
		}
		return nil
	}
	if err := provision.Verify(fresh, head.key()); err != nil {
		return err
	}
	text, err := keptfile.ReadSmall(certificate)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	root := Config{Enrol: Enrol{Root: head.Enrol.Root}}.root()
	if root == nil || !identity.IssuedUnder(text, root) {
		return cli.Errorf("它与评价器的证书 %s 不属于同一个中心；请复制本中心的文件，或先清空评价器",
			"it is of another centre than the box's certificate %s; copy the file of its own centre, or let the box forget all first", certificate)
	}
	return nil
}

// sharedHead is by what a shared file is judged.
type sharedHead struct {
	Enrol struct {
		Revision int64
		Root     string
	}
	Uplink struct {
		Key PublicKey `toml:"centre_key"`
	}
}

func (h sharedHead) key() ed25519.PublicKey { return ed25519.PublicKey(h.Uplink.Key) }

// headOf reads the head of a shared file, which is empty if it cannot be read.
func headOf(text []byte) sharedHead {
	var h sharedHead
	if err := toml.Unmarshal(text, &h); err != nil {
		return sharedHead{}
	}
	return h
}

// CheckShared reports what would be wrong with defaults at the end of the file that all boxes share, line by line, and what a box must
// have of its own.
func CheckShared(shared, defaults []byte) error {
	need := needs{centre: true}
	c := Default()
	if _, err := tomlfile.Decode(defaults, &c, "ratingd -print-config"); err != nil {
		return err
	}
	need.keys = len(c.Keys.Map) > 0
	c, err := parse(shared, defaults, need, builtIn, func(*Config) error { return nil })
	switch {
	case err != nil:
		return err
	case c.Device != "":
		return tomlfile.Lines{}.Errorf("device", "所有评价器会同名；请删去，各自取名",
			"all boxes would have this name; leave it out, and each draws its own")
	case !c.Enrols():
		return tomlfile.Lines{}.Errorf("uplink.password_file", "写了它或 uplink.cert_file，评价器就不会申请入网；请都删去",
			"with it or uplink.cert_file no box asks to be let in; leave both out")
	}
	return nil
}

// bornAs returns the name that the box has drawn, empty if it has not yet.
func bornAs(state string) (rating.DeviceID, error) {
	b, err := os.ReadFile(filepath.Join(state, NameFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", cli.Because(err, "读不到评价器的名称；请核对状态文件夹的所有者", "the box's name cannot be read; look to whom the state folder belongs")
	}
	d, err := rating.ParseDeviceID(strings.TrimSpace(string(b)))
	if err != nil {
		return "", cli.Errorf("评价器的名称（%s）已损坏；请从备份恢复，或清空评价器",
			"the box's name in %s is damaged; restore it from a backup, or let the box forget all", NameFile)
	}
	return d, nil
}

// Birth draws the name of a box that enrols and has none, and keeps copies of what it shares with others. A box that has both changes
// nothing. A copy that cannot be kept is the shared file's fault and no error: the window does not need it.
func (c *Config) Birth(random io.Reader) error {
	if !c.Enrols() {
		return nil
	}
	if err := os.MkdirAll(c.State, 0o750); err != nil {
		return fmt.Errorf("create the state folder: %w", err)
	}
	for _, name := range []string{SharedFile, SharedCopy} {
		at := filepath.Join(c.State, name)
		if kept, err := keptfile.ReadSmall(at); c.Shared != nil && (err != nil || !bytes.Equal(kept, c.Shared)) {
			c.SharedFault = errors.Join(c.SharedFault, keptfile.Replace(at, c.Shared))
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
		TLS: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: c.Roots(), GetClientCertificate: show,
			VerifyConnection: identity.NotAWindow}}, nil
}
