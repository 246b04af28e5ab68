package integrity

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/rating"
)

// keptOrigins is for how many days tags of phones are kept, the day itself included. With the day's salt goes what they could be tried
// against.
const keptOrigins = 2

// From is from where a phone has rated, as far as it shows itself without cookies.
type From struct {
	Device  rating.DeviceID
	Visit   rating.VisitID
	Pos     int64 // row of the journal
	Address string
	Agent   string
}

// Phoned notes where a rating by phone came from. What is kept tells phones of one day apart, and does not say whose they are (article 4).
func (r *Room) Phoned(ctx context.Context, f From) error {
	if !public(f.Address) {
		return nil
	}
	day := directory.DayOf(r.cfg.Now())
	err := r.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO integrity_salt (at, salt) VALUES ($1, $2) ON CONFLICT (at) DO NOTHING", int64(day),
			r.cfg.Salt())
		if err != nil {
			return err
		}
		salt := ""
		if err := tx.QueryRowContext(ctx, "SELECT salt FROM integrity_salt WHERE at = $1", int64(day)).Scan(&salt); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO integrity_origin (pos, at, device, visit, phone, network) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (pos) DO NOTHING`, f.Pos, int64(day), string(f.Device), int64(f.Visit),
			r.tag(salt, "phone", f.Address, f.Agent), r.tag(salt, "network", network(f.Address)))
		return err
	})
	if err != nil {
		return fmt.Errorf("note where a phone's rating came from: %w", err)
	}
	return nil
}

// public reports whether an address is one of the internet. Others are those of proxies that the configuration does not name, behind which
// all phones look alike.
func public(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && a.IsGlobalUnicast() && !a.IsPrivate()
}

// tag returns a word that tells texts apart, and can be made by nobody who lacks the centre's key or the day's salt.
func (r *Room) tag(texts ...string) string {
	h := hmac.New(sha256.New, r.cfg.Secret)
	for _, s := range texts {
		_, _ = fmt.Fprintf(h, "%d %s\n", len(s), s) // it never fails
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// network returns the network of an address: 24 bits of the fourth version, 48 of the sixth.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	a = a.Unmap()
	bits := 48
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return address
	}
	return p.String()
}

// origin is where one rating came from.
type origin struct {
	day            directory.Day
	pos            int64
	device         rating.DeviceID
	visit          int64
	phone, network string
}

func (r *Room) origins(ctx context.Context, from directory.Day) ([]origin, error) {
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (o origin, err error) {
		return o, s.Scan(&o.day, &o.pos, &o.device, &o.visit, &o.phone, &o.network)
	}, "SELECT at, pos, device, visit, phone, network FROM integrity_origin WHERE at >= $1 ORDER BY pos", int64(from))
	if err != nil {
		return nil, fmt.Errorf("read where ratings by phone came from: %w", err)
	}
	return all, nil
}

// forget drops tags and salts that are over, and tallies that no rule reads any more, unless that was done on the day that it is told. It
// waits for nothing else: tags go also where signs cannot be looked for.
func (r *Room) forget(ctx context.Context, done *directory.Day) error {
	today := directory.DayOf(r.cfg.Now())
	if *done == today {
		return nil
	}
	first, last := int64(today-keptOrigins+1), int64(today+1) // what is later was noted by a clock that was wrong
	err := r.db.Write(ctx, func(tx *db.Tx) error {
		for _, table := range []string{"integrity_origin", "integrity_salt"} {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE at < $1 OR at > $2", first, last); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM integrity_tally WHERE at < $1", int64(today-keptTallies))
		return err
	})
	if err != nil {
		return fmt.Errorf("forget from where phones have rated: %w", err)
	}
	*done = today
	return nil
}

// mostHalls is in how many halls phones of one network are seen in a day before it tells nothing: it is a carrier's exit, or a proxy.
const mostHalls = 2

// telling drops what came from networks that tell nothing. Hall says in which hall a box stood, empty for none.
func telling(all []origin, hall func(rating.DeviceID) string) []origin {
	type dayOf struct {
		day     directory.Day
		network string
	}
	halls := make(map[dayOf]map[string]bool)
	for _, o := range all {
		k := dayOf{o.day, o.network}
		if halls[k] == nil {
			halls[k] = make(map[string]bool)
		}
		halls[k][hall(o.device)] = true
	}
	return slices.DeleteFunc(all, func(o origin) bool { return len(halls[dayOf{o.day, o.network}]) > mostHalls })
}

// phones counts what phones have done at one window, and at the others of its hall. It does not say which ratings are of one phone: that
// would outlive the tags.
func phones(here, others []origin) (s Seen) {
	type dayOf struct {
		day directory.Day
		tag string
	}
	visits := make(map[dayOf]map[string]bool) // by phone
	from, all := make(map[dayOf]int64), make(map[directory.Day]int64)
	for _, o := range here {
		k := dayOf{o.day, o.phone}
		if visits[k] == nil {
			visits[k] = make(map[string]bool)
		}
		visits[k][fmt.Sprint(o.device, " ", o.visit)] = true
		from[dayOf{o.day, o.network}]++
		all[o.day]++
	}
	for k, v := range visits {
		if n := int64(len(v)); n > s.OnePhone || n == s.OnePhone && k.day > s.PhoneDay {
			s.OnePhone, s.PhoneDay = n, k.day
		}
	}
	for k, n := range from {
		if n <= s.OneNetwork || n*100 < mostOfThem*all[k.day] {
			continue
		}
		s.OneNetwork, s.OfNetwork, s.Elsewhere = n, all[k.day], 0
		same, rest := int64(0), int64(0)
		for _, o := range others {
			if o.day == k.day {
				rest++
				if o.network == k.tag {
					same++
				}
			}
		}
		if rest > 0 {
			s.Elsewhere = 100 * same / rest
		}
	}
	return s
}
