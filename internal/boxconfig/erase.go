package boxconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"haochaping/internal/keptfile"
)

const (
	// eraseMark is the name of the file in the state folder that says that all of it is to be erased.
	eraseMark = "erase"
	// ResetFile is the name of a file beside that which all boxes share. It has a box's name in its first line, and that box forgets all
	// once nothing waits to be sent; with GiveUp in its second line, at once.
	ResetFile = "haochaping.reset"
	// GiveUp says that records that were not sent are given up.
	GiveUp = "give up"
)

// MarkErased has all in the state folder erased at the next start.
func MarkErased(state string) error { return keptfile.Replace(filepath.Join(state, eraseMark), nil) }

// Erase erases the state folder of a configuration, if it is marked: the keys first, and the mark last, so that a power cut between is
// followed by the rest. It reports whether it did.
func Erase(state string) (done bool, err error) {
	mark := filepath.Join(state, eraseMark)
	if _, err := os.Stat(mark); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("look whether the box is to be erased: %w", err)
	}
	for _, name := range []string{IdentityFile, TLSKeyFile, WindowKeyFile, CertificateFile} {
		err = errors.Join(err, os.RemoveAll(filepath.Join(state, name)))
	}
	all, read := os.ReadDir(state)
	err = errors.Join(err, read)
	for _, e := range all {
		if e.Name() != eraseMark {
			err = errors.Join(err, os.RemoveAll(filepath.Join(state, e.Name())))
		}
	}
	if err == nil {
		err = os.Remove(mark)
	}
	if err != nil {
		return false, fmt.Errorf("erase the box: %w", err)
	}
	return true, nil
}

// ResetAsked reports whether the file on the boot partition asks the box to forget all, and whether records that were not sent are given
// up for it.
func (c Config) ResetAsked() (yes, giveUp bool) {
	// A name that the box has not drawn would be the same afterwards, and asked to forget again.
	if born, err := bornAs(c.State); err != nil || born == "" || born != c.Device || c.Enrol.File == "" {
		return false, false
	}
	b, err := keptfile.ReadSmall(filepath.Join(filepath.Dir(c.Enrol.File), ResetFile))
	if err != nil {
		return false, false
	}
	first, rest, _ := strings.Cut(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n")
	second, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(first) == string(c.Device), strings.TrimSpace(second) == GiveUp
}
