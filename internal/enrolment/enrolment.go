// Package enrolment gets a box its certificate from the centre and keeps it good.
//
// A box without one asks at the centre's door (EST, RFC 7030) and shows the code that it gets, until an administrator has accepted it. Two
// thirds into a certificate's life it asks for the next one. What it gets is tried at the broker before it takes the old one's place.
// Nothing is deleted for being too old: a box whose clock is wrong has what it needs once the clock is right.
//
// The package starts nothing and keeps one file. What it learns from the door is bytes of the network: only a certificate of the box's own
// key under the pinned root is taken.
package enrolment

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"haochaping/internal/identity"
	"haochaping/internal/keptfile"
	"haochaping/internal/rating"
)

// Code is what a box shows while it waits to be accepted. The zero one is of a box that does not wait.
type Code struct {
	Text   string // eight letters
	Digits string // four, of the hash of its keys
}

// Pass is by what a new box may be let in without anybody who types its code: a serial number and the password that goes with it, or a
// ticket's file. The zero one is none.
type Pass struct {
	Serial, Password string
	Ticket           string
}

// Config names the parts of an Enrolment. All are needed.
type Config struct {
	URL         string // of the centre's door
	Device      rating.DeviceID
	Key, Record identity.Key
	File        string // of the certificate, with what stands between it and the root
	Trust       identity.Trust
	// Board names the board on which the box stands, empty where it has no number that can be read. Moved says that it is another than
	// that on which the box was accepted, Barred that the centre did not let the box in when it was last asked.
	Board         string
	Moved, Barred bool
	// Pass returns what the box may show, which may come later than the box is switched on.
	Pass func() Pass
	// Refused reports whether the broker does not take the box's certificate now.
	Refused func() bool
	// Bar is told whether the centre does not let the box in, at each change.
	Bar func(bool)
	// Show is told what to show, at each change.
	Show func(Code)
	// Order is given what the centre tells a box that waits, as it came, once. Nobody has looked whether the centre has signed it.
	Order func([]byte)
	// Try reports why the broker does not take a certificate. It is asked before one takes the place of another that holds.
	Try func(context.Context, tls.Certificate) error
	// Kept is told that another certificate is in the file.
	Kept   func()
	Random func() float64 // in [0,1)
	Logger *slog.Logger
}

// Enrolment gets the certificate. Run it once.
type Enrolment struct {
	cfg           Config
	door          door
	code          Code
	moved, barred bool
	doubts        int // looks in a row at which the broker refused the certificate

	spent Pass   // what the centre does not take any more
	told  []byte // the order that came last
	word  string // why what was shown last does not let the box in
	rests int    // requests that show nothing, since it would not be taken yet
}

// New returns an Enrolment that does nothing before Run.
func New(c Config) (*Enrolment, error) {
	d, err := newDoor(c)
	if err != nil {
		return nil, fmt.Errorf("enrolment: %w", err)
	}
	return &Enrolment{cfg: c, door: d, moved: c.Moved, barred: c.Barred}, nil
}

const (
	// look is how often a renewal is tried that is due.
	look = time.Hour
	// glance is how often it is asked whether the broker refuses the certificate.
	glance = 15 * time.Second
	// seldom is after how many glances in a row the centre is asked again why.
	seldom = 40
	// hurry is how long after a failure a box asks again that has no certificate, or one that has ended.
	hurry = 15 * time.Second
)

// Run gets certificates until ctx ends. It reports why there is none that holds, or nil.
func (e *Enrolment) Run(ctx context.Context, report func(error)) error {
	for {
		pause, err := e.step(ctx)
		if ctx.Err() != nil {
			return nil
		}
		report(err)
		// Boxes that were switched on together do not ask together.
		pause += time.Duration(e.cfg.Random() * float64(pause) / 4)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// step does what is to be done now, and returns when to look again.
func (e *Enrolment) step(ctx context.Context) (time.Duration, error) {
	own, err := identity.ReadCertificate(e.cfg.File, e.cfg.Key)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			e.cfg.Logger.Error("the box's certificate cannot be used; another one is asked for", "error", err)
		}
		return e.ask(ctx, nil)
	}
	now := e.cfg.Trust.At(own.Leaf)
	switch {
	case e.moved || e.barred || e.doubted():
		return e.ask(ctx, &own)
	case now.Before(RenewAt(own.Leaf)):
		e.show(Code{})
		return min(glance, max(time.Second, RenewAt(own.Leaf).Sub(now))), nil
	}
	return e.renew(ctx, own, now)
}

// doubted reports whether to ask the centre if the certificate still holds, since the broker refuses it: soon, and then less and less
// often, since the broker may be at fault, and thousands of boxes ask.
func (e *Enrolment) doubted() bool {
	if !e.cfg.Refused() {
		e.doubts = 0
		return false
	}
	e.doubts++
	return e.doubts&(e.doubts-1) == 0 || e.doubts%seldom == 0
}

// RenewAt returns when a certificate is renewed: at two thirds of its life, a tenth of it sooner or later by its number.
func RenewAt(c *x509.Certificate) time.Time { return partOf(c, 2.0/3, 0.1) }

// partOf returns when a part of a certificate's life has passed, sooner or later by its number.
func partOf(c *x509.Certificate, part, spread float64) time.Time {
	sum := sha256.Sum256(c.SerialNumber.Bytes())
	part += spread * (2*float64(binary.BigEndian.Uint32(sum[:]))/(1<<32) - 1)
	return c.NotBefore.Add(time.Duration(part * float64(c.NotAfter.Sub(c.NotBefore))))
}

// ErrWaits says that an administrator has to accept the box.
var ErrWaits = errors.New("等待管理员在中心页面接受 / an administrator has to accept the box on the centre's page")

// waits is ErrWaits with what the administrator needs, in each language by itself.
type waits struct {
	code Code
	word string
}

// Error implements error.
func (w *waits) Error() string {
	return fmt.Sprintf("等待管理员在中心页面接受，配对码 %[1]s，核对码 %[2]s / an administrator has to accept the box on the centre's page: code %[1]s, "+
		"check digits %[2]s%[3]s", w.code.Text, w.code.Digits, w.word)
}

// Is reports whether the other error is ErrWaits.
func (w *waits) Is(target error) bool { return target == ErrWaits }

// ask asks for the first certificate, or whether own still holds, which the centre answers by the same one.
func (e *Enrolment) ask(ctx context.Context, own *tls.Certificate) (time.Duration, error) {
	shows := e.shows(own)
	a, err := e.door.ask(ctx, question{path: firstPath, moved: e.moved, pass: shows})
	switch {
	case err != nil:
		e.show(Code{})
		if errors.Is(err, errRefused) {
			e.bar(true)
		}
		return hurry, err
	case a.wait > 0:
		e.bar(true)
		e.show(a.code)
		e.heard(shows, a.word)
		if len(a.told) > 0 && !bytes.Equal(a.told, e.told) {
			e.told = a.told
			e.cfg.Order(a.told)
		}
		return a.wait, &waits{a.code, because(e.word)}
	case own != nil && a.leaf.Equal(own.Leaf) && !e.moved:
		e.show(Code{})
		e.bar(false)
		return glance, nil
	}
	var try func(context.Context, tls.Certificate) error
	if own != nil && !e.cfg.Trust.At(own.Leaf).After(own.Leaf.NotAfter) { // it may still hold, whatever the centre says
		try = e.cfg.Try
	}
	if err := e.keep(ctx, a.leaf, try); err != nil {
		return hurry, err
	}
	e.moved = false
	e.show(Code{})
	e.bar(false)
	return time.Second, nil
}

// renew asks for the next certificate. The old one serves until then, as far as it does.
func (e *Enrolment) renew(ctx context.Context, own tls.Certificate, now time.Time) (time.Duration, error) {
	pause, ended := look, error(nil)
	if now.After(own.Leaf.NotAfter) {
		pause, ended = hurry, fmt.Errorf("the box's certificate ended on %s", own.Leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	a, err := e.door.ask(ctx, question{path: nextPath, own: &own})
	if errors.Is(err, errRefused) {
		e.cfg.Logger.Warn("the centre does not renew the box's certificate; the box asks for a new one", "error", err)
		return e.ask(ctx, &own)
	}
	if err == nil && a.wait > 0 {
		err = errors.New("the centre answers later")
	}
	if err == nil {
		try := e.cfg.Try
		if ended != nil { // there is nothing to lose
			try = nil
		}
		err = e.keep(ctx, a.leaf, try)
	}
	if err != nil {
		e.cfg.Logger.Warn("the box's certificate is not renewed yet; it is tried again", "ends", own.Leaf.NotAfter, "error", err)
		return pause, ended
	}
	if !e.cfg.Trust.At(a.leaf).Before(RenewAt(a.leaf)) {
		return look, nil // the clock is ahead of the centre's, and the next one would be due as well
	}
	return time.Second, nil
}

// keep tries a certificate, if it is to be tried, and writes it in place of the old one.
func (e *Enrolment) keep(ctx context.Context, leaf *x509.Certificate, try func(context.Context, tls.Certificate) error) error {
	between, err := e.door.between(ctx)
	if err != nil {
		return err
	}
	chain := append([]*x509.Certificate{leaf}, between...)
	if err := e.cfg.Trust.Own(chain, e.cfg.Key); err != nil {
		return err
	}
	if leaf.Subject.CommonName != string(e.cfg.Device) {
		return fmt.Errorf("the certificate is that of %q", leaf.Subject.CommonName)
	}
	var text []byte
	next := tls.Certificate{PrivateKey: e.cfg.Key, Leaf: leaf}
	for _, c := range chain {
		next.Certificate = append(next.Certificate, c.Raw)
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	if try != nil {
		if err := try(ctx, next); err != nil {
			return fmt.Errorf("the broker does not take the new certificate: %w", err)
		}
	}
	if err := keptfile.Replace(e.cfg.File, text); err != nil {
		return err
	}
	e.cfg.Logger.Info("the box has a certificate", "until", leaf.NotAfter.UTC().Format(time.DateOnly))
	e.cfg.Kept()
	return nil
}

// bar takes whether the centre does not let the box in.
func (e *Enrolment) bar(yes bool) {
	if yes != e.barred {
		e.barred = yes
		e.cfg.Bar(yes)
	}
}

func (e *Enrolment) show(c Code) {
	if c != e.code {
		e.code = c
		e.cfg.Show(c)
	}
}
