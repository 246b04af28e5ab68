package main

import (
	"context"
	"image"
	"log/slog"
	"net/http"

	periph "periph.io/x/conn/v3/display"

	"haochaping/display"
	"haochaping/internal/boxconfig"
)

// panels is where the screen is shown: the framebuffer, a browser, files.
type panels struct {
	board   *display.Board
	browser *display.Browser     // nil if there is none
	screen  *display.Framebuffer // nil if there is none
}

// openPanels opens the configured panels. A framebuffer that cannot be opened is reported and left out: the keys count
// without a screen.
func openPanels(c boxconfig.Screen, r *display.Renderer, log *slog.Logger) (*panels, error) {
	p := new(panels)
	size := image.Pt(c.Width, c.Height)
	var all []periph.Drawer
	if c.Panel == "framebuffer" {
		fb, err := display.OpenFramebuffer(c.Framebuffer, c.Console)
		if err != nil {
			log.Error("the screen cannot be opened; the keys work without it", "error", err)
		} else {
			p.screen, size = fb, fb.Bounds().Size()
			all = append(all, fb)
		}
	}
	if c.Browser != "" {
		p.browser = display.NewBrowser(size)
		all = append(all, p.browser)
	}
	if c.Files != "" {
		f, err := display.NewFiles(c.Files, size)
		if err != nil {
			return p, err
		}
		all = append(all, f)
	}
	p.board = display.NewBoard(r, size, all...)
	return p, nil
}

func (p *panels) Close() error {
	if p.screen == nil {
		return nil
	}
	return p.screen.Halt()
}

// frames serves the frames to browsers; it answers 404 where no browser is configured.
func (p *panels) frames() http.Handler {
	if p.browser == nil {
		return http.NotFoundHandler()
	}
	return p.browser
}

// run draws the newest picture until ctx ends.
func (p *panels) run(ctx context.Context, shown *latest[picture], s scene, log *slog.Logger) error {
	failed := false
	shown.each(ctx, func(now picture) {
		screen, err := s.screen(now)
		if err == nil {
			err = p.board.Show(screen)
		}
		if err != nil && !failed {
			log.Error("the screen cannot be drawn; the keys work without it", "error", err)
		}
		failed = err != nil
	})
	return nil
}
