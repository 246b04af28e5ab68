package boxconfig

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/provision"
)

// TestByWhatABoxIsLetIn writes the files of a boot partition and of a stick, right ones and wrong ones.
func TestByWhatABoxIsLetIn(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))
	ticket := func(k ed25519.PrivateKey, hour int) string {
		at := time.Date(2026, 3, 2, hour, 0, 0, 0, time.UTC)
		return string(provision.Ticket{ID: "a", Hall: "SL-H2", Until: at, Uses: 3}.File("", k))
	}
	right := "serial = \"SN-1\"\npassword = \"kV7-mQ2x-9Rw4\"\n"
	for name, x := range map[string]struct {
		serial, ticket, stick string // files; empty: there is none
		want                  Pass
		fault                 string // a part of it
	}{
		"nothing":         {},
		"a serial number": {serial: right, want: Pass{Serial: "SN-1", Password: "kV7-mQ2x-9Rw4"}},
		"written on Windows": {serial: "\ufeff" + strings.ReplaceAll(right, "\n", "\r\n"),
			want: Pass{Serial: "SN-1", Password: "kV7-mQ2x-9Rw4"}},
		"a serial number alone": {serial: "serial = \"SN-1\"\n", fault: SerialFile},
		"no TOML":               {serial: "SN-1", fault: SerialFile},
		"misspelt":              {serial: "serial = \"SN-1\"\npasword = \"x\"\n", fault: "pasword"},
		"a ticket":              {ticket: ticket(key, 9), want: Pass{Ticket: []byte(ticket(key, 9))}},
		"on a stick":            {stick: ticket(key, 9), want: Pass{Ticket: []byte(ticket(key, 9))}},
		"the later one":         {ticket: ticket(key, 9), stick: ticket(key, 12), want: Pass{Ticket: []byte(ticket(key, 12))}},
		"of another centre":     {ticket: ticket(other, 9), fault: TicketFile},
		"of another centre, beside": {ticket: ticket(other, 9), stick: ticket(key, 8),
			want: Pass{Ticket: []byte(ticket(key, 8))}, fault: TicketFile},
		"both": {serial: right, ticket: ticket(key, 9), want: Pass{"SN-1", "kV7-mQ2x-9Rw4", []byte(ticket(key, 9))}},
	} {
		t.Run(name, func(t *testing.T) {
			boot, stick := t.TempDir(), t.TempDir()
			for path, text := range map[string]string{filepath.Join(boot, SerialFile): x.serial, filepath.Join(boot, TicketFile): x.ticket,
				filepath.Join(stick, TicketFile): x.stick} {
				if text == "" {
					continue
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c := Config{Enrol: Enrol{File: filepath.Join(boot, SharedFile), Ticket: filepath.Join(stick, TicketFile)},
				Uplink: Uplink{CentreKey: PublicKey(key.Public().(ed25519.PublicKey))}}
			got, err := c.Pass()
			if got.Serial != x.want.Serial || got.Password != x.want.Password || !bytes.Equal(got.Ticket, x.want.Ticket) {
				t.Errorf("it shows %+v, want %+v", got, x.want)
			}
			if (err != nil) != (x.fault != "") || err != nil && !strings.Contains(err.Error(), x.fault) {
				t.Errorf("its fault is %v, want %q", err, x.fault)
			}
			if err != nil && strings.Contains(err.Error(), "kV7") {
				t.Errorf("the password is told: %v", err)
			}
		})
	}
}
