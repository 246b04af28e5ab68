package boxconfig

import (
	"slices"

	"haochaping/device/keypad"
)

// checkStaff reports what would make the staff's key or card reader useless, or the key a level.
func (c Config) checkStaff(bad func(key, format string, args ...any)) {
	if c.Keys.Staff != "" && slices.ContainsFunc(c.Keys.Map, func(k KeyLevel) bool { return k.Key == c.Keys.Staff }) {
		bad("keys.staff", "%q is one of the citizen's five keys; the staff's key must be another one", c.Keys.Staff)
	}
	switch {
	case !c.Cards.Configured():
		return
	case c.Cards.Port != "" && c.Cards.Device != "":
		bad("cards.device", "a reader is on a serial line (cards.port) or types as a keyboard (cards.device), not both")
	case c.Keys.Source == USB && c.Cards.Device == c.Keys.USB.Device:
		bad("cards.device", "%q is the keypad; a card reader that types is another device", c.Cards.Device)
	}
	if c.Keys.Source == Serial && c.Cards.Port == c.Keys.Serial.Port {
		bad("cards.port", "%q is the keypad's; a card reader needs a line of its own", c.Cards.Port)
	}
	if bauds := keypad.Bauds(); c.Cards.Baud != 0 && !slices.Contains(bauds, c.Cards.Baud) {
		bad("cards.baud", "%d is not allowed; allowed are 0 and %v", c.Cards.Baud, bauds)
	}
	// A file that cannot be read is the reader's own trouble, which must not keep the window closed.
	p, err := builtIn(c.Cards.Profile)
	switch {
	case err != nil:
		bad("cards.profile", "%v", err)
	case p != nil && !p.HasCards():
		bad("cards.profile", "%s reads no cards; name a card reader's profile, as \"card-line\"", p.Name)
	}
}
