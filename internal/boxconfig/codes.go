package boxconfig

import (
	"fmt"
	"strconv"
	"strings"

	"haochaping/device/evdev"
	"haochaping/device/keypad"
	"haochaping/internal/cli"
	"haochaping/internal/tomlfile"
)

// profileFinder finds a serial keypad's profile by its name, and by its file where files are read.
type profileFinder func(nameOrPath string) (*keypad.Profile, error)

// checkCodes reports keys that the source can never read: a box with such a map would start, and the key be dead.
func (c Config) checkCodes(bad tomlfile.Report, lines tomlfile.Lines, profile profileFinder) {
	var form func(key string) error
	switch c.Keys.Source {
	case Serial:
		p, err := profile(c.Keys.Serial.Profile)
		if err != nil {
			bad("keys.serial.profile", "%v", "%v", err)
			return
		}
		if p == nil {
			return
		}
		if !p.HasKeys() {
			bad("keys.serial.profile", "%[1]s 不读按键；请写键盘的描述", "%[1]s reads no keys; name a keypad's profile", p.Name)
			return
		}
		form = p.CheckKey
	case USB:
		form = func(key string) error {
			code, err := evdev.KeyCode(key)
			if err == nil && evdev.IsModifier(code) {
				err = cli.Errorf("%q 只改变其他键输入的内容，有的键盘会自行发送；请写另一个键",
					"%q only changes what other keys type, and some keypads send it by themselves; name another key", key)
			}
			return err
		}
	case GPIO:
		form = gpioForm
	default:
		return
	}
	if c.Keys.Staff != "" {
		if err := form(c.Keys.Staff); err != nil {
			bad("keys.staff", "%v", "%v", err)
		}
	}
	for i, k := range c.Keys.Map {
		if k.Key == "" {
			continue // checkMap says so
		}
		if err := form(k.Key); err != nil {
			at := fmt.Sprintf("keys.map[%d]", i)
			if _, ok := lines[at]; !ok {
				at = "keys.map"
			}
			bad(at, "左起第 %d 个键：%v", "key %d from the left: %v", i+1, err)
		}
	}
}

// gpioForm reports what cannot be a GPIO line. Lines' names are the boards' own, so that little is known of them.
func gpioForm(key string) error {
	chip, offset, numbered := strings.Cut(key, ":")
	if numbered {
		if _, err := strconv.ParseUint(offset, 10, 16); err != nil || chip == "" {
			return cli.Errorf("%q 不是芯片和编号；请写成 \"pinctrl-bcm2711:17\"", "%q is no chip and offset; write as \"pinctrl-bcm2711:17\"", key)
		}
		return nil
	}
	if _, err := strconv.ParseUint(key, 0, 64); err == nil {
		return cli.Errorf("%q 不是线路名；请写名称如 \"GPIO17\"，或芯片和编号如 \"pinctrl-bcm2711:17\"",
			"%q is no line's name; write the name, as \"GPIO17\", or chip and offset, as \"pinctrl-bcm2711:17\"", key)
	}
	if strings.HasPrefix(key, "KEY_") {
		return cli.Error("以 KEY_ 开头的是 USB 键盘的键名；请把 keys.source 写成 \"usb\"，或写线路名如 \"GPIO17\"",
			"names that begin with KEY_ are those of USB keypads; set keys.source to \"usb\", or write a line's name, as \"GPIO17\"")
	}
	return nil
}
