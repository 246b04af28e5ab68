package boxconfig

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"haochaping/internal/cli"
	"haochaping/internal/keptfile"
	"haochaping/internal/provision"
	"haochaping/internal/tomlfile"
)

// Files beside that which all boxes share, by which a new box is let in without anybody who types its code.
const (
	SerialFile = "haochaping.serial" // its supplier's serial number and the password that goes with it
	TicketFile = "haochaping.ticket" // a ticket of the centre's for one hall
)

// Pass is what these files say. The zero one is of a box that has none.
type Pass struct {
	Serial   string `toml:"serial"`
	Password string `toml:"password"`
	Ticket   []byte `toml:"-"` // the file, which the centre has signed
}

// Pass reads the files. A ticket that this box's centre has not signed is not shown to anybody: it is named, as is a file that cannot be
// read, and the rest holds.
func (c Config) Pass() (p Pass, fault error) {
	if c.Enrol.File == "" {
		return p, nil
	}
	folder := filepath.Dir(c.Enrol.File)
	b, err := keptfile.ReadSmall(filepath.Join(folder, SerialFile))
	if err == nil {
		_, err = tomlfile.Decode(b, &p, "ratingd -print-config")
	}
	if err == nil && (p.Serial == "" || p.Password == "") {
		err = cli.Error("没有写全；请写 serial = \"…\" 和 password = \"…\"", "it is not whole; write serial = \"…\" and password = \"…\"")
	}
	if err != nil {
		p = Pass{}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		fault = fmt.Errorf("%s: %w", SerialFile, err)
	}
	var latest provision.Ticket
	for _, path := range []string{filepath.Join(folder, TicketFile), c.Enrol.Ticket} {
		if path == "" {
			continue
		}
		var t provision.Ticket
		b, err := keptfile.ReadSmall(path)
		if err == nil {
			t, err = provision.ParseTicket(b, ed25519.PublicKey(c.Uplink.CentreKey))
		}
		switch {
		case err == nil && t.Until.After(latest.Until):
			latest, p.Ticket = t, b
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			fault = errors.Join(fault, fmt.Errorf("%s: %w", path, err))
		}
	}
	return p, fault
}
