package display

import (
	"errors"
	"fmt"

	"periph.io/x/conn/v3/display"
)

// Panel is a screen that can be lost.
type Panel interface {
	display.Drawer
	// Check returns an error that wraps ErrGone when the panel must be closed and opened again.
	Check() error
}

// Kind names what drives a panel.
type Kind string

// The kinds.
const (
	Auto     Kind = "auto" // a card if there is one, else the framebuffer
	ByCard   Kind = "drm"
	ByBuffer Kind = "framebuffer"
)

// PanelConfig says which panel to open.
type PanelConfig struct {
	Kind        Kind
	Cards       []string // tried in this order
	Mode        string   // of a card, as "1024x600"; empty for the screen's own
	Framebuffer string   // as /dev/fb0
	Rotation    Rotation
}

// OpenPanel opens the panel. With Auto the framebuffer is taken only where no card can drive a screen: where one can, the
// framebuffer is a copy on that same card, and would not follow a screen that is plugged in later.
func OpenPanel(c PanelConfig) (Panel, error) {
	return choose(c.Kind,
		func() (Panel, error) { return panelOrNil(OpenDRM(c.Cards, c.Mode, c.Rotation)) },
		func() (Panel, error) { return panelOrNil(OpenFramebuffer(c.Framebuffer, c.Rotation)) })
}

func choose(kind Kind, card, buffer func() (Panel, error)) (Panel, error) {
	switch kind {
	case ByCard:
		return card()
	case ByBuffer:
		return buffer()
	case Auto:
		p, err := card()
		if err == nil || !errors.Is(err, ErrNoCard) {
			return p, err
		}
		p, second := buffer()
		if second != nil {
			return nil, errors.Join(err, second)
		}
		return p, nil
	}
	return nil, fmt.Errorf("panel %q is unknown", kind)
}

// panelOrNil makes of a nil pointer a nil interface.
func panelOrNil[P Panel](p P, err error) (Panel, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}
