package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/display/displaytest"

	"haochaping/display"
	"haochaping/internal/condition"
)

// pluggable is a screen whose cable can be pulled.
type pluggable struct {
	displaytest.Drawer
	gone   error
	drawn  int
	halted int
}

func (p *pluggable) Check() error { return p.gone }
func (p *pluggable) Halt() error  { p.halted++; return nil }
func (p *pluggable) Draw(r image.Rectangle, src image.Image, sp image.Point) error {
	p.drawn++
	if p.gone != nil {
		return p.gone
	}
	return p.Drawer.Draw(r, src, sp)
}

// A screen that is unplugged, noticed by a check or by a drawing, is reported once, and another of another size is drawn
// as a whole when it is there.
func TestAScreenComesBack(t *testing.T) {
	fonts, err := display.LoadFonts(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, noticed := range []string{"check", "drawing"} {
		t.Run(noticed, func(t *testing.T) {
			var logged bytes.Buffer
			first := &pluggable{Drawer: displaytest.Drawer{Img: image.NewNRGBA(image.Rect(0, 0, 480, 320))}}
			second := &pluggable{Drawer: displaytest.Drawer{Img: image.NewNRGBA(image.Rect(0, 0, 320, 480))}}
			var next display.Panel = first
			p := &panels{renderer: display.NewRenderer(fonts), log: slog.New(slog.NewTextHandler(&logged, nil)),
				browser: display.NewBrowser(image.Pt(800, 480))}
			p.assemble(image.Pt(800, 480))
			p.open = func() (display.Panel, error) {
				if next == nil {
					return nil, display.ErrUnplugged
				}
				return next, nil
			}
			idle, asking := display.Screen{State: display.Idle}, display.Screen{State: display.Paused}
			if !p.look() {
				t.Fatal("the screen was not found")
			}
			p.show(idle)
			first.gone, next = fmt.Errorf("%w: cable", display.ErrGone), nil
			if noticed == "drawing" {
				p.show(asking)
			}
			for range 5 {
				if p.look() {
					t.Fatal("a screen was found where there is none")
				}
				p.show(asking)
			}
			if first.halted != 1 || p.browser.Bounds().Size() != image.Pt(480, 320) {
				t.Errorf("closed %d times, the browser shows %v", first.halted, p.browser.Bounds())
			}
			if n := strings.Count(logged.String(), "level=ERROR"); n != 2 {
				t.Errorf("%d errors logged, want the loss and that there is no other:\n%s", n, &logged)
			}
			next = second
			if !p.look() {
				t.Fatal("the screen was not found again")
			}
			p.show(asking)
			if second.drawn == 0 || p.browser.Bounds().Size() != image.Pt(320, 480) {
				t.Errorf("drawn %d times, the browser shows %v", second.drawn, p.browser.Bounds())
			}
		})
	}
}

// lamp remembers its brightness.
type lamp struct {
	percent int
	err     error
}

func (l *lamp) Set(percent int) error { l.percent = percent; return l.err }

func TestDimming(t *testing.T) {
	l := new(lamp)
	var logged bytes.Buffer
	d := dimmer{light: l, after: 2 * time.Minute, dimmed: 25, log: slog.New(slog.NewTextHandler(&logged, nil))}
	start := time.Unix(1e9, 0)
	for _, c := range []struct {
		at    time.Duration
		state display.State
		want  int
	}{
		{0, display.Idle, 100}, {119 * time.Second, display.Idle, 100}, {120 * time.Second, display.Idle, 25},
		{130 * time.Second, display.Paused, 25}, {131 * time.Second, display.Asking, 100}, {500 * time.Second, display.Thanks, 100},
		{501 * time.Second, display.Idle, 100}, {620 * time.Second, display.Idle, 100}, {621 * time.Second, display.Idle, 25},
		{622 * time.Second, display.Fault, 100},
	} {
		d.step(start.Add(c.at), c.state)
		if l.percent != c.want {
			t.Errorf("after %s in state %d: %d percent, want %d", c.at, c.state, l.percent, c.want)
		}
	}
	l.err = errors.New("permission denied")
	for range 3 {
		d.step(start, display.Idle)
	}
	if n := strings.Count(logged.String(), "keeps its brightness"); n != 1 {
		t.Errorf("a light that cannot be set was reported %d times", n)
	}
}

// broken panics when it is drawn, as long as it is broken.
type broken struct {
	pluggable
	ill bool
}

func (b *broken) Draw(r image.Rectangle, src image.Image, sp image.Point) error {
	if b.ill {
		panic("no such row")
	}
	return b.pluggable.Draw(r, src, sp)
}

// A panic while the screen is drawn is the screen's trouble; it is drawn again with the next picture.
func TestAPanicIsTheScreensTrouble(t *testing.T) {
	var logged bytes.Buffer
	screen := &broken{pluggable{Drawer: displaytest.Drawer{Img: image.NewNRGBA(image.Rect(0, 0, 480, 320))}}, true}
	p := &panels{renderer: display.NewRenderer(builtInFonts()), log: slog.New(slog.NewTextHandler(&logged, nil))}
	p.open = func() (display.Panel, error) { return screen, nil }
	p.look()
	links := &linkBook{who: identity{"lz-1", ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}}
	shown := newLatest(picture{})
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- p.run(ctx, shown, scene{links: links}) }()
	<-shown.first
	if why := p.trouble.Load(); why == nil || !strings.Contains(*why, "no such row") {
		t.Errorf("the trouble is %v, want the panic", why)
	}
	if err := shown.probe(ctx); err != nil { // it goes on
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil || !strings.Contains(logged.String(), "panels_test.go") {
		t.Errorf("it ended with %v and has logged\n%s", err, &logged)
	}
	screen.ill = false
	p.draw(shown, scene{links: links})
	if why := p.trouble.Load(); why != nil || screen.drawn == 0 {
		t.Errorf("the trouble is %v, drawn %d times, want none and the whole screen", why, screen.drawn)
	}
}

// A picture that could not be drawn is no trouble any more once one is, also where browsers alone look at it. That a screen is wanted and
// not there stays one.
func TestATroubleEndsWithThePictureItHad(t *testing.T) {
	for _, wanted := range []bool{false, true} {
		p := &panels{renderer: display.NewRenderer(builtInFonts()), log: slog.New(slog.DiscardHandler),
			browser: display.NewBrowser(image.Pt(480, 320))}
		p.assemble(image.Pt(480, 320))
		if wanted {
			p.open = func() (display.Panel, error) { return nil, display.ErrUnplugged }
			p.look()
		} else {
			p.report(undrawn, errors.New("the link does not fit"))
		}
		if p.trouble.Load() == nil {
			t.Fatal("there is no trouble")
		}
		p.show(display.Screen{State: display.Idle})
		if over := p.trouble.Load() == nil; over == wanted {
			t.Errorf("a screen is wanted: %v; the trouble is over: %v", wanted, over)
		}
	}
}

// picky is a screen that lacks the mode that was named.
type picky struct{ pluggable }

func (*picky) Unmet() error { return errors.New("1280x720 → 480x320") }

// A mode that the screen does not have is told of as long as that screen is there, which works all the same.
func TestAModeThatTheScreenLacksIsTold(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 480, 320))
	first, second := &picky{pluggable{Drawer: displaytest.Drawer{Img: img}}}, &pluggable{Drawer: displaytest.Drawer{Img: img}}
	var next display.Panel = first
	p := &panels{renderer: display.NewRenderer(builtInFonts()), log: slog.New(slog.DiscardHandler)}
	p.open = func() (display.Panel, error) { return next, nil }
	o := operations{screen: p, views: newAudience(nil, func() {})}
	go o.views.shown.each(t.Context(), func(picture) {})
	p.look()
	if f := o.lookAtScreen(t.Context()); f.Code != "screen.mode" || f.Level != condition.Note ||
		!strings.Contains(f.What.ZH, "1280x720 → 480x320") {
		t.Errorf("of the mode is told %+v", f)
	}
	first.gone, next = display.ErrGone, second
	p.look()
	if f := o.lookAtScreen(t.Context()); !f.OK() {
		t.Errorf("of another screen is told %+v", f)
	}
}
