package device

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"
)

// errNoFree says that there is no line on which keys could hang.
var errNoFree = errors.New("没有空闲的 GPIO 线，请检查是否有其他程序或设备树占用 / " +
	"no GPIO line is free: look what programs and the device tree use")

// FreeLines are lines that nothing uses, held to find out on which of them keys hang. They are not safe for concurrent use.
type FreeLines struct {
	refs   []string
	groups []lineGroup
}

// lineGroup is lines of one chip that are looked at together.
type lineGroup struct{ fd, lines int }

// mostTogether is how many lines the kernel lets be requested together.
const mostTogether = 64

// Free takes all lines as inputs that nothing uses and on which keys may hang, but those that are named. A line of the device tree's
// devices, one that drives something, and one whose name says that it serves something else, is left alone: to take it would disturb that.
func (c *Chips) Free(but []string) (*FreeLines, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.find(); err != nil {
		return nil, err
	}
	f := new(FreeLines)
	for _, k := range c.known {
		var offsets []int
		pins := pinsOf(deviceTree, gpioDevices+k.name)
		for n, name := range k.lines {
			if k.idle(n) && k.ledOut(n) && !servesElse(name) && !pins.claimed(n, name) && !c.among(but, k, n) {
				offsets = append(offsets, n)
			}
		}
		for group := range slices.Chunk(offsets, mostTogether) {
			f.take(c, k, group)
		}
	}
	if len(f.refs) == 0 {
		return nil, errNoFree
	}
	return f, nil
}

// take requests lines of a chip together, or one by one those that can be had.
func (f *FreeLines) take(c *Chips, k *chip, offsets []int) {
	var fd int
	err := k.do(func(chip int) (err error) { fd, err = requestInputs(chip, offsets, consumer(), 0, 0); return err })
	switch {
	case err == nil:
		f.groups = append(f.groups, lineGroup{fd, len(offsets)})
		for _, n := range offsets {
			f.refs = append(f.refs, c.refOf(k, n))
		}
	case len(offsets) > 1:
		for _, n := range offsets {
			f.take(c, k, []int{n})
		}
	}
}

// idle reports whether nothing uses a line, and it drives nothing.
func (k *chip) idle(n int) bool {
	var flags uint64
	err := k.do(func(fd int) (err error) { flags, err = lineFlags(fd, n); return err })
	return err == nil && flags&(uapiUsed|uapiOutput) == 0
}

// ledOut reports whether a line may lead anywhere: a chip that names its lines names those.
func (k *chip) ledOut(n int) bool {
	return named(k.lines[n]) || !slices.ContainsFunc(k.lines, named)
}

func named(line string) bool { return line != "" && line != "-" && line != "_" }

// among reports whether a line is one of those that are named.
func (c *Chips) among(refs []string, k *chip, n int) bool {
	return slices.ContainsFunc(refs, func(ref string) bool {
		other, offset, err := c.lookUp(ref)
		return err == nil && other == k && offset == n
	})
}

// refOf returns by what a line is found again, also after its chip was plugged in anew if that is possible.
func (c *Chips) refOf(k *chip, n int) string {
	number := ":" + strconv.Itoa(n)
	for _, ref := range []string{k.lines[n], k.label + number} {
		_, numeric := strconv.ParseUint(ref, 0, 64)
		if named(ref) && numeric != nil && !strings.HasPrefix(ref, "KEY_") && c.among([]string{ref}, k, n) {
			return ref
		}
	}
	return k.name + number
}

// servesElse reports whether a line's name says that it serves something else than what is plugged onto a header.
func servesElse(name string) bool {
	words := strings.FieldsFunc(strings.ToUpper(name), func(c rune) bool { return (c < 'A' || c > 'Z') && (c < '0' || c > '9') })
	return slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains(otherServices(), strings.TrimRight(w, "0123456789"))
	})
}

// otherServices are words in the names of lines that are no key's.
func otherServices() []string {
	return strings.Fields("ID SDA SCL I2C TXD RXD TX RX CTS RTS UART SPI MISO MOSI SCLK CE CS CLK CMD DAT DATA SD MMC EMMC SDIO HDMI HPD " +
		"LCD DPI DSI CAM CSI LED ACTLED PWRLED PWR POWER RESET RST NRST EN INT IRQ NINT PHY ETH RGMII MDIO MDC WL WLAN WIFI BT USB VBUS OTG " +
		"VDD AUDIO PWM PCM I2S JTAG BACKLIGHT BUZZER LAMP FAN WAKE ON OFF NC STATUS BL PMIC OC CD WP RELAY")
}

// Names returns by what each line is found again.
func (f *FreeLines) Names() []string { return slices.Clone(f.refs) }

// Pull lets weak resistors pull all lines, where their chips have some.
func (f *FreeLines) Pull(pull gpio.Pull) error {
	flags := uint64(uapiPullUp)
	if pull == gpio.PullDown {
		flags = uapiPullDown
	}
	for _, g := range f.groups {
		if err := configureInputs(g.fd, flags); err != nil {
			return f.explain(err)
		}
	}
	return nil
}

// High returns which lines are.
func (f *FreeLines) High() (high []bool, err error) {
	for _, g := range f.groups {
		bits, err := lineLevels(g.fd, g.lines)
		if err != nil {
			return nil, f.explain(err)
		}
		for n := range g.lines {
			high = append(high, bits>>n&1 != 0)
		}
	}
	return high, nil
}

func (f *FreeLines) explain(err error) error {
	if isAny(err, unix.ENODEV) {
		return fmt.Errorf("look at free GPIO lines: %w: %w", ErrLineGone, err)
	}
	return fmt.Errorf("look at free GPIO lines: %w", err)
}

// Close gives the lines back.
func (f *FreeLines) Close() error {
	var errs []error
	for _, g := range f.groups {
		errs = append(errs, unix.Close(g.fd))
	}
	f.groups, f.refs = nil, nil
	return errors.Join(errs...)
}
