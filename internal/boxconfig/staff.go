package boxconfig

import (
	"slices"

	"haochaping/device/keypad"
	"haochaping/internal/tomlfile"
)

// checkStaff reports what would make the staff's key or card reader useless, or the key a level.
func (c Config) checkStaff(bad tomlfile.Report) {
	if c.Keys.Staff != "" && slices.ContainsFunc(c.Keys.Map, func(k KeyLevel) bool { return k.Key == c.Keys.Staff }) {
		bad("keys.staff",
			"%[1]q 是市民的五个键之一；请为工作人员写另外一个",
			"%[1]q is one of the citizen's five keys; the staff's key must be another one", c.Keys.Staff)
	}
	switch {
	case !c.Cards.Configured():
		return
	case c.Cards.Port != "" && c.Cards.Device != "":
		bad("cards.device",
			"读卡器接在串口上（cards.port），或像键盘一样输入（cards.device）；请删去一个",
			"a reader is on a serial line (cards.port) or types as a keyboard (cards.device); leave one out")
	case c.Keys.Source == USB && c.Cards.Device == c.Keys.USB.Device:
		bad("cards.device",
			"%[1]q 是键盘；像键盘一样输入的读卡器是另一个设备",
			"%[1]q is the keypad; a card reader that types is another device", c.Cards.Device)
	}
	if c.Keys.Source == Serial && c.Cards.Port == c.Keys.Serial.Port {
		bad("cards.port", "%[1]q 是键盘的；读卡器需要自己的串口", "%[1]q is the keypad's; a card reader needs a line of its own", c.Cards.Port)
	}
	if bauds := keypad.Bauds(); c.Cards.Baud != 0 && !slices.Contains(bauds, c.Cards.Baud) {
		bad("cards.baud", "不能是 %[1]d；可写 0 和 %[2]v", "%[1]d is not allowed; allowed are 0 and %[2]v", c.Cards.Baud, bauds)
	}
	// A file that cannot be read is the reader's own trouble, which must not keep the window closed.
	p, err := builtIn(c.Cards.Profile)
	switch {
	case err != nil:
		bad("cards.profile", "%v", "%v", err)
	case p != nil && !p.HasCards():
		bad("cards.profile",
			"%[1]s 不读卡；请写读卡器的描述，如 \"card-line\"",
			"%[1]s reads no cards; name a card reader's profile, as \"card-line\"", p.Name)
	}
}
