package main

import (
	"context"
	"errors"
	"image"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	periph "periph.io/x/conn/v3/display"

	"haochaping/display"
	"haochaping/internal/boxconfig"
	"haochaping/internal/crash"
)

// screenCheck is how often the screen is asked whether it is still there, and one that is not is looked for.
const screenCheck = 2 * time.Second

// panels is where the screen is shown: a card or framebuffer, a browser, files. All is used by one goroutine alone, so
// that no screen, however stuck, can delay a key.
type panels struct {
	open     func() (display.Panel, error) // nil if no screen is wanted
	renderer *display.Renderer
	log      *slog.Logger

	fonts   <-chan *display.Renderer // other fonts, from now on
	folders <-chan *filePanel        // where else each screen is written, from now on

	size     image.Point // of the board
	board    *display.Board
	warm     *display.Board   // the board that has drawn a question ahead, nil if none has
	browser  *display.Browser // nil if there is none
	files    *filePanel       // nil if there is none
	screen   display.Panel    // nil if there is none now
	console  io.Closer        // nil if it was left alone
	light    dimmer
	reported string                 // the failure that was last logged, empty if none
	trouble  atomic.Pointer[string] // the same for others to read, nil if none
	unmet    atomic.Pointer[string] // what the screen is not shown in as it should be, nil if all is as configured
}

// undrawn is what is said of a screen that is there.
const undrawn = "the screen cannot be drawn; the keys work without it"

// openPanels opens the configured panels. A screen that cannot be opened is reported, and tried again: the keys count
// without one.
func openPanels(c boxconfig.Screen, r *display.Renderer, log *slog.Logger) *panels {
	p := &panels{renderer: r, log: log}
	size := image.Pt(c.Width, c.Height)
	if c.Browser != "" {
		p.browser = display.NewBrowser(size)
	}
	p.assemble(size)
	if c.Panel == "none" {
		return p
	}
	p.light = newDimmer(c, log)
	cards := func() []string {
		if c.Card != "" {
			return []string{c.Card}
		}
		return display.Cards()
	}
	p.open = func() (display.Panel, error) {
		screen, err := display.OpenPanel(display.PanelConfig{
			Kind: display.Kind(c.Panel), Cards: cards(), Mode: c.Mode, Framebuffer: c.Framebuffer, Rotation: display.Rotation(c.Rotation),
		})
		if _, shared := screen.(*display.Framebuffer); shared && p.console == nil && c.Console != "" {
			if console, err := display.SilenceConsole(c.Console); err != nil {
				log.Warn("the console's text and cursor show through", "error", err)
				c.Console = "" // said once
			} else {
				p.console = console
			}
		}
		return screen, err
	}
	p.try(func() { p.look() })
	return p
}

// assemble joins the panels that there are at one size.
func (p *panels) assemble(size image.Point) {
	p.size = size
	var all []periph.Drawer
	if p.screen != nil {
		all = append(all, p.screen)
	}
	if p.browser != nil {
		p.browser.Resize(size)
		all = append(all, p.browser)
	}
	if p.files != nil {
		p.files.Resize(size)
		all = append(all, p.files)
	}
	p.board = display.NewBoard(p.renderer, size, all...)
}

// look asks the screen whether it is still there, and for another if it is not. It returns whether the board is new, and
// must be drawn.
func (p *panels) look() bool {
	if p.open == nil {
		return false
	}
	if p.screen != nil {
		err := p.screen.Check()
		if err == nil {
			return false
		}
		p.report("the screen is lost; the keys work without it, and it is shown again when it is back", err)
		p.drop()
	}
	screen, err := p.open()
	if err != nil {
		p.report("the screen cannot be opened; the keys work without it, and it is tried again", err)
		return false
	}
	p.screen = screen
	p.log.Info("the screen is there", "panel", screen.String(), "size", screen.Bounds().Size().String())
	p.works()
	p.unmet.Store(nil)
	if picky, ok := screen.(interface{ Unmet() error }); ok && picky.Unmet() != nil {
		said := picky.Unmet().Error()
		p.unmet.Store(&said)
		p.log.Warn("the screen has no such mode as screen.mode names", "modes", said)
	}
	p.assemble(screen.Bounds().Size())
	return true
}

// drop closes the screen, what it says to that being no news, and goes on with the other panels.
func (p *panels) drop() {
	if err := p.screen.Halt(); err != nil {
		p.log.Debug("the lost screen was closed", "error", err)
	}
	p.screen = nil
	p.assemble(p.size)
}

// report logs a failure once, until it is another or is over.
func (p *panels) report(what string, err error) {
	if text := what + err.Error(); text != p.reported {
		p.log.Error(what, "error", err)
		p.reported = text
		said := err.Error()
		p.trouble.Store(&said)
	}
}

// works ends what report began.
func (p *panels) works() {
	p.reported = ""
	p.trouble.Store(nil)
}

func (p *panels) Close() error {
	var errs []error
	if p.screen != nil {
		errs = append(errs, p.screen.Halt())
	}
	if p.console != nil {
		errs = append(errs, p.console.Close())
	}
	return errors.Join(append(errs, p.light.close())...)
}

// frames serves the frames to browsers; it answers 404 where no browser is configured.
func (p *panels) frames() http.Handler {
	if p.browser == nil {
		return http.NotFoundHandler()
	}
	return p.browser
}

// show draws a screen. One that fails because it is gone is closed, and looked for at the next check.
func (p *panels) show(s display.Screen) {
	err := p.board.Show(s)
	switch {
	case err == nil:
		if p.screen != nil || p.open == nil { // else a screen is wanted and not there, which the others do not make good
			p.works()
		}
	case errors.Is(err, display.ErrGone) && p.screen != nil:
		p.report("the screen is lost; the keys work without it, and it is shown again when it is back", err)
		p.drop()
		if err := p.board.Show(s); err != nil {
			p.report(undrawn, err)
		}
	default:
		p.report(undrawn, err)
	}
}

// draw shows the newest picture, and draws ahead what comes next while nothing else waits to be shown.
func (p *panels) draw(shown *latest[picture], s scene) {
	now := shown.get()
	screen, err := s.screen(now)
	if err != nil {
		p.report(undrawn, err)
		return
	}
	// The light first: it is what the citizen sees first.
	p.light.step(time.Now(), screen.State)
	p.show(screen)
	now.test.seen(p.trouble.Load())
	switch thanks, asked := thanksFor(screen); {
	case len(shown.wake) > 0:
	case asked:
		p.board.Prepare(thanks)
		runtime.GC() // while nothing is to be drawn, so that it does not fall between a press and its thanks
	case screen.State == display.Idle && p.warm != p.board:
		p.warm = p.board
		p.board.Warm(s.question(screen))
	}
}

// try does what the screen is for, and reports whether it went well. A panic is the screen's trouble; what a font of the hall's has
// broken is drawn with the built-in ones from then on.
func (p *panels) try(f func()) bool {
	err := crash.Contain(func() error { f(); return nil })
	if err == nil {
		return true
	}
	p.report(undrawn, err)
	p.log.Error("a fault of the program", "stack", crash.StackOf(err))
	p.renderer = display.NewRenderer(builtInFonts())
	p.assemble(p.size)
	return false
}

// run draws the newest picture until ctx ends.
func (p *panels) run(ctx context.Context, shown *latest[picture], s scene) error {
	draw := func() {
		if now := func() { p.draw(shown, s) }; !p.try(now) {
			p.try(now)
		}
	}
	var checks <-chan time.Time
	if p.open != nil {
		ticker := time.NewTicker(screenCheck)
		defer ticker.Stop()
		checks = ticker.C
	}
	for first := true; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-shown.probes:
		case <-shown.wake:
			draw()
			if first {
				first = false
				close(shown.first)
			}
		case at := <-checks:
			found := false
			if p.try(func() { found = p.look(); p.light.step(at, p.light.state) }); found {
				draw()
			}
		case p.renderer = <-p.fonts:
			p.assemble(p.size)
			draw()
		case p.files = <-p.folders:
			p.assemble(p.size)
			draw()
		}
	}
}
