package boxconfig

import (
	"crypto/ed25519"
	_ "embed"
	"encoding/base64"
	"errors"
	"os"
	"time"

	"github.com/pelletier/go-toml/v2"

	"haochaping/device/keypad"
	"haochaping/internal/cli"
	"haochaping/internal/tomlfile"
)

//go:embed default.toml
var defaultTOML string

// DefaultTOML returns the documented defaults, which are a complete configuration but for the mandatory fields.
func DefaultTOML() string { return defaultTOML }

// Default returns the defaults.
func Default() Config {
	var c Config
	if err := toml.Unmarshal([]byte(defaultTOML), &c); err != nil {
		panic("boxconfig: the built-in default.toml does not parse: " + err.Error())
	}
	return c
}

// Load reads and checks a configuration file.
func Load(path string) (Config, error) { return load(path, all()) }

// LoadPartial is Load for the tool that finds out what the keys read as: the map of keys may be absent or incomplete.
func LoadPartial(path string) (Config, error) { return load(path, needs{name: true}) }

// needs says what must not be missing.
type needs struct {
	name   bool // the box's, or where one is drawn
	keys   bool // the map of keys
	centre bool // the centre's key
}

func all() needs { return needs{true, true, true} }

func load(path string, need needs) (Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, cli.Because(err, "读不到配置；请核对路径和权限", "the configuration cannot be read; look at its path and who may read it")
	}
	texts, fault := sharedTexts(b)
	var first error
	for _, shared := range texts {
		n := need
		if shared == nil && (fault != nil || first != nil) {
			n.name, n.centre = false, false // what says where the centre is cannot be used, and the keys go on without
		}
		c, err := parse(shared, b, n, keypad.Find, (*Config).learn)
		if err == nil {
			c.Shared, c.SharedFault = shared, errors.Join(fault, first)
			if c.Device == "" {
				c.Device, err = bornAs(c.State)
			}
			if err != nil || c.Device != "" || c.Enrols() {
				return c, err
			}
		}
		if first == nil {
			first = err
		}
	}
	return Config{}, cli.Because(errors.Join(first, fault), "配置 "+path, "configuration "+path)
}

// Parse reads and checks a configuration. Errors begin with the line that they are about. A keypad's profile that is a file
// is not read, and the form of its keys not checked.
func Parse(b []byte) (Config, error) {
	return parse(nil, b, all(), builtIn, func(*Config) error { return nil })
}

// builtIn finds profiles that are built in. For a file it returns nil.
func builtIn(name string) (*keypad.Profile, error) {
	if keypad.IsFile(name) {
		return nil, nil
	}
	return keypad.Find(name)
}

// parse reads a configuration over what all boxes share, which may be nil, and lets learn put in what was learnt.
func parse(shared, b []byte, need needs, profile profileFinder, learn func(*Config) error) (Config, error) {
	c := Default()
	if _, err := tomlfile.Decode(shared, &c, "ratingd -print-config"); err != nil {
		return Config{}, cli.Because(err, "各评价器共用的文件", "the file that all boxes share")
	}
	lines, err := tomlfile.Decode(b, &c, "ratingd -print-config")
	if err != nil {
		return Config{}, err
	}
	if err := learn(&c); err != nil {
		return Config{}, err
	}
	c.Lines = lines
	if err := c.check(lines, need, profile); err != nil {
		return Config{}, err
	}
	return c, nil
}

// UnmarshalText reads a duration such as "250ms".
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return cli.Errorf("%q 不是时长；请写成 \"250ms\" 或 \"3s\"", "%q is no duration; write one as \"250ms\" or \"3s\"", b)
	}
	*d = Duration(v)
	return nil
}

// UnmarshalText reads one address, where no list is written.
func (a *Addresses) UnmarshalText(b []byte) error {
	*a = Addresses{string(b)}
	return nil
}

// UnmarshalText reads 43 characters of unpadded base64url.
func (k *PublicKey) UnmarshalText(b []byte) error {
	v, err := base64.RawURLEncoding.Strict().DecodeString(string(b))
	if err != nil || len(v) != ed25519.PublicKeySize {
		return cli.Errorf("%q 不是公钥；请写 \"centrald key\" 打印的 43 个字符",
			"%q is no public key; write the 43 characters that \"centrald key\" prints", b)
	}
	*k = v
	return nil
}
