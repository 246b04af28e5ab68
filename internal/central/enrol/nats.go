package enrol

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"haochaping/internal/central/db"
	"haochaping/internal/identity"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// keyName returns the name that a certificate has for its key, by which a broker that reads no list of revoked certificates tells a box
// from who had its name before. It is a URI, as certificates have them.
func keyName(hash [32]byte) *url.URL {
	return &url.URL{Scheme: "urn", Opaque: fmt.Sprintf("haochaping:key:%x", hash[:16])}
}

// Live returns the certificates of boxes that hold and were not revoked, box by box.
func (r *Room) Live(ctx context.Context) ([]*x509.Certificate, error) {
	bodies, err := db.Query(ctx, r.db, func(s db.Scanner) (b []byte, err error) { return b, s.Scan(&b) },
		"SELECT body FROM enrol_certificate WHERE revoked = 0 AND ends > $1 ORDER BY device, issued", r.now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("read the certificates that hold: %w", err)
	}
	var all []*x509.Certificate
	for _, der := range bodies {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("read a certificate that holds: %w", err)
		}
		all = append(all, c)
	}
	return all, nil
}

// natsName returns what nats-server calls who shows a certificate. One of an earlier version has no name for its key.
func natsName(c *x509.Certificate) string {
	if len(c.URIs) > 0 {
		return keyName(identity.KeyHash(c)).String()
	}
	return "CN=" + c.Subject.CommonName
}

// NATSUsers returns who may read and write what as nats-server's configuration has it: the centre, and the boxes of these certificates,
// which are known by them. A box that has a certificate with a name for its key is not known by its own name alone.
func NATSUsers(live []*x509.Certificate, centre *x509.Certificate) string {
	var b strings.Builder
	b.WriteString("# Written by centrald certificate -nats; what is changed here is lost.\nauthorization {\n  users: [\n")
	line := func(c *x509.Certificate, reads, writes []string) {
		list := func(all []string) string { return `"` + strings.Join(all, `", "`) + `"` }
		fmt.Fprintf(&b, "    # %s\n    { user: \"%s\", permissions: { subscribe: [ %s ], publish: [ %s ] } }\n", c.Subject.CommonName,
			natsName(c), list(reads), list(writes))
	}
	both := []string{"hcp.1.receiver", "hcp.1.-.>"}
	line(centre, slices.Concat([]string{"hcp.1.*.records", "hcp.1.*.records.*", "hcp.1.*.presence", "hcp.1.*.health", "hcp.1.*.reply"}, both),
		slices.Concat([]string{"hcp.1.*.ack", "hcp.1.*.command", "hcp.1.*.config", "hcp.1.*.records.*"}, both))
	named := make(map[string]bool)
	for _, c := range live {
		named[c.Subject.CommonName] = named[c.Subject.CommonName] || len(c.URIs) > 0
	}
	written := make(map[string]bool)
	for _, c := range live {
		name, device := natsName(c), rating.DeviceID(c.Subject.CommonName)
		if written[name] || len(c.URIs) == 0 && named[c.Subject.CommonName] {
			continue
		}
		written[name] = true
		own := func(channel wire.Channel, more string) string {
			return strings.ReplaceAll(wire.Topic(device, channel), "/", ".") + more
		}
		line(c, []string{own(wire.AckChannel, ""), own(wire.CommandChannel, ""), own(wire.ConfigChannel, ""), "hcp.1.receiver"},
			[]string{own(wire.RecordsChannel, ".*"), own(wire.PresenceChannel, ""), own(wire.HealthChannel, ""), own(wire.ReplyChannel, "")})
	}
	b.WriteString("  ]\n}\n")
	return b.String()
}
