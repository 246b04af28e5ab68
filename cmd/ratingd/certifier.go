package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/enrolment"
	keys "haochaping/internal/identity"
	"haochaping/internal/terminal"
	"haochaping/sync/uplink"
	"haochaping/sync/wire"
)

// enrolmentPart is the name of the part that gets the box its certificate.
const enrolmentPart = "enrolment"

// certifier gets the box its certificate, shows its code while it waits, and tells the way to the centre.
type certifier struct {
	cfg   boxconfig.Config
	who   identity
	env   environment
	views *audience
	line  *centreLine
	place standing
	erase func(id, giveUp string) error
	said  *string // what is wrong with the files that pass has read last
	log   *slog.Logger
}

// run works until ctx ends.
func (c certifier) run(ctx context.Context, report func(error)) error {
	key, err := c.cfg.TLSKey()
	if err != nil {
		return err
	}
	e, err := enrolment.New(enrolment.Config{
		URL: c.cfg.Enrol.URL, Device: c.who.device, Key: key, Record: keys.Record(c.who.key),
		File:  filepath.Join(c.cfg.State, boxconfig.CertificateFile),
		Trust: c.line.trust(),
		Board: c.place.board, Moved: c.place.moved, Barred: c.place.barred, Refused: c.line.refused, Bar: c.bar,
		Pass: c.pass, Order: c.order, Show: c.views.waits, Try: c.try, Kept: c.kept, Random: mathrand.Float64, Logger: c.log,
	})
	if err != nil {
		return err
	}
	return e.Run(ctx, report)
}

// pass reads by what a new box may be let in. What is wrong with it is said once, since it is read at each request.
func (c certifier) pass() enrolment.Pass {
	p, err := c.cfg.Pass()
	if text := fmt.Sprint(err); err != nil && text != *c.said {
		c.log.Warn("a file by which the box could be let in is not used; it waits under its code", "error", err)
		*c.said = text
	}
	return enrolment.Pass{Serial: p.Serial, Password: p.Password, Ticket: string(p.Ticket)}
}

// order has the box forget all where the centre says so while it does not let the box in, by what it has signed for this box.
func (c certifier) order(sealed []byte) {
	x, err := wire.OpenCommand([]byte(c.cfg.Uplink.CentreKey), sealed)
	switch {
	case err == nil && x.Device != c.who.device:
		err = fmt.Errorf("it is for %s", x.Device)
	case err == nil && x.Name != wire.CommandErase:
		err = fmt.Errorf("%q is nothing that a box does which waits", x.Name)
	case err == nil && c.line.trust().At().UnixMilli() > x.Expires:
		err = errors.New("it came after its expiry")
	}
	if err == nil {
		if err = c.erase(x.ID, x.Args["give_up"]); errors.Is(err, uplink.ErrLater) {
			c.log.Warn("the centre, where the box waits under its code, has it forget all", "command", x.ID)
			return
		}
	}
	c.log.Warn("what the centre tells a box that waits is not done", "error", err)
}

// bar takes whether the centre does not let the box in: then citizens are not asked, since their answers might never count.
func (c certifier) bar(yes bool) {
	if yes {
		c.log.Warn("the centre does not let the box in; citizens are not asked until it does")
	}
	c.line.loop.Post(terminal.Barred{At: c.line.clock.now(), Yes: yes})
	if err := keepBarred(c.line.db, yes); err != nil {
		c.log.Error("whether the centre lets the box in cannot be kept; after a restart it is found out anew", "error", err)
	}
}

// kept takes that the box has got a certificate, on this board.
func (c certifier) kept() {
	c.line.recertified()
	if err := keepBoard(c.line.db, c.place.board); err != nil {
		c.log.Error("on which board the box stands cannot be kept", "error", err)
	}
}

// try goes the way to the broker with a certificate, as far as it matters: whoever may read the box's topics is taken for the box.
func (c certifier) try(ctx context.Context, next tls.Certificate) error {
	const limit = 10 * time.Second
	got, err := uplink.Probe(ctx, uplink.ProbeConfig{
		Broker: c.line.broker(), Username: string(c.who.device), Device: c.who.device, Centre: []byte(c.cfg.Uplink.CentreKey),
		TLS: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: c.cfg.Roots(), Certificates: []tls.Certificate{next},
			VerifyConnection: keys.NotAWindow},
		Suffix: strings.ToLower(rand.Text()[:6]), Now: c.env.wall, Synced: c.env.synced, Limit: limit,
	})
	if at := new(uplink.StageError); errors.As(err, &at) && got.At > uplink.StageSubscribe {
		return nil
	}
	return err
}
