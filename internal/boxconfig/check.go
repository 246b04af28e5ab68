package boxconfig

import (
	"errors"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"haochaping/device/keypad"
	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
	"haochaping/internal/tomlfile"
)

// maxSocketPath is the greatest length of a unix socket's path in bytes (unix(7)).
const maxSocketPath = 107

// check reports every value out of its range, each with its line, and what is missing of what is needed.
func (c Config) check(lines tomlfile.Lines, need needs, profile profileFinder) error {
	var errs []error
	bad := func(key, zh, en string, args ...any) { errs = append(errs, lines.Errorf(key, zh, en, args...)) }
	c.checkEnrol(bad)
	if c.Device == "" && !c.Enrols() && need.name { // of a box that enrols it is drawn at birth
		bad("device", "没有写；请写评价器的名称，1 至 12 个字符，0-9、a-z 和 '-'", "missing; write the box's name, 1 to 12 characters of 0-9, a-z and '-'")
	} else if _, err := rating.ParseDeviceID(string(c.Device)); c.Device != "" && err != nil {
		bad("device", "不能是 %[1]q；请写 1 至 12 个字符，0-9、a-z 和 '-'", "%[1]q is not allowed; write 1 to 12 characters of 0-9, a-z and '-'", c.Device)
	}
	if c.State == "" {
		bad("state", "是空的；请写一个文件夹", "empty; write a folder")
	}
	oneOf(bad, "log_level", c.LogLevel, "debug", "info", "warn", "error")
	oneOf(bad, "record_algorithm", string(c.RecordAlgorithm), string(recordkey.Ed25519), string(recordkey.SM2))
	c.checkKeys(bad, need)
	c.checkCodes(bad, lines, profile)
	c.checkOutputs(bad)
	c.checkScreen(bad)
	between(bad, "visit.wait", c.Visit.Wait, 5*time.Second, 10*time.Minute)
	between(bad, "visit.thanks", c.Visit.Thanks, time.Second, 10*time.Second)
	between(bad, "reasons.time", c.Reasons.Time, 3*time.Second, 30*time.Second)
	c.checkUplink(bad, need)
	loopback(bad, "window_api.listen", c.WindowAPI.Listen)
	c.checkWindowAPI(bad)
	c.checkStaff(bad)
	loopback(bad, "operations.listen", c.Operations.Listen)
	if s := c.Operations.Socket; s != "" && (!filepath.IsAbs(s) || len(s) > maxSocketPath) {
		bad("operations.socket", "不能是 %q；请写从根开始的路径，至多 %d 字节", "%q is not allowed; write a path from the root with at most %d bytes", s,
			maxSocketPath)
	}
	number(bad, "retention.days", int64(c.Retention.Days), 1, 3650)
	number(bad, "retention.megabytes", c.Retention.MegaBytes, 1, 1<<20)
	return errors.Join(errs...)
}

func oneOf(bad tomlfile.Report, key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		bad(key, "不能是 %[1]q；可写 %[2]s", "%[1]q is not allowed; allowed are %[2]s", value, strings.Join(allowed, ", "))
	}
}

func between(bad tomlfile.Report, key string, value Duration, low, high time.Duration) {
	switch d := time.Duration(value); {
	case d > 0 && d < time.Microsecond:
		bad(key, "%[1]d 没有单位；请写 \"%[1]ds\" 或 \"%[1]dms\"，可写 %[2]s 至 %[3]s",
			"%[1]d has no unit; write it as \"%[1]ds\" or \"%[1]dms\", allowed are %[2]s to %[3]s", d, low, high)
	case d < low || d > high:
		bad(key, "不能是 %[1]s；可写 %[2]s 至 %[3]s", "%[1]s is not allowed; allowed are %[2]s to %[3]s", d, low, high)
	}
}

func number(bad tomlfile.Report, key string, value, low, high int64) {
	if value < low || value > high {
		bad(key, "不能是 %[1]d；可写 %[2]d 至 %[3]d", "%[1]d is not allowed; allowed are %[2]d to %[3]d", value, low, high)
	}
}

func loopback(bad tomlfile.Report, key, value string) {
	if value == "" {
		return
	}
	host, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		bad(key, "不能是 %[1]q；请写本机地址和端口，如 \"127.0.0.1:8377\"",
			"%[1]q is not allowed; write a loopback address with a port, as \"127.0.0.1:8377\"", value)
	}
}

// checkKeys looks at where keys are read and what they mean.
func (c Config) checkKeys(bad tomlfile.Report, need needs) {
	oneOf(bad, "keys.source", string(c.Keys.Source), string(GPIO), string(Serial), string(USB), string(Simulated))
	if need.keys && !c.unwired() {
		c.checkMap(bad)
	}
	between(bad, "keys.gpio.debounce", c.Keys.GPIO.Debounce, 5*time.Millisecond, 100*time.Millisecond)
	if bauds := keypad.Bauds(); c.Keys.Serial.Baud != 0 && !slices.Contains(bauds, c.Keys.Serial.Baud) {
		bad("keys.serial.baud", "不能是 %[1]d；可写 0 和 %[2]v", "%[1]d is not allowed; allowed are 0 and %[2]v", c.Keys.Serial.Baud, bauds)
	}
	if c.Keys.Source == USB && c.Keys.USB.Device == "" {
		bad("keys.usb.device", "是空的；请写键盘的输入设备", "empty; write the keypad's input device")
	}
	if c.Keys.Source == Serial && c.Keys.Serial.Port == "" {
		bad("keys.serial.port", "是空的；请写串口设备", "empty; write the serial port's device")
	}
}

// checkScreen looks at what the screen is, and at what is beside it.
func (c Config) checkScreen(bad tomlfile.Report) {
	s := c.Screen
	between(bad, "lamps.backlight_off", c.Lamps.BacklightOff, time.Second, 24*time.Hour)
	oneOf(bad, "sound.tones", c.Sound.Tones, "off", "same", "per_key")
	oneOf(bad, "sound.speak", c.Sound.Speak, "off", "espeak")
	oneOf(bad, "screen.panel", s.Panel, "auto", "drm", "framebuffer", "none")
	if !slices.Contains([]int{0, 90, 180, 270}, s.Rotation) {
		bad("screen.rotation", "不能是 %[1]d；可写 0、90、180、270", "%[1]d is not allowed; allowed are 0, 90, 180, 270", s.Rotation)
	}
	if s.DimAfter != 0 {
		between(bad, "screen.dim_after", s.DimAfter, 5*time.Second, 24*time.Hour)
	}
	if s.Mode != "" && !screenMode(s.Mode) {
		bad("screen.mode",
			"不能是 %[1]q；请写 \"1024x600\" 或 \"1024x600@60\" 这样的大小，\"\" 为屏幕自己的",
			"%[1]q is not allowed; write a size as \"1024x600\" or \"1024x600@60\", or \"\" for the screen's own", s.Mode)
	}
	number(bad, "screen.dim_to", int64(s.DimTo), 0, 100)
	number(bad, "screen.width", int64(s.Width), 320, 1920)
	number(bad, "screen.height", int64(s.Height), 320, 1920)
	if long, short := max(s.Width, s.Height), min(s.Width, s.Height); long < 480 || short > 1200 {
		bad("screen.width",
			"不能是 %[1]dx%[2]d；可写 480x320 至 1920x1200，横竖均可",
			"%[1]dx%[2]d is not allowed; allowed are 480x320 to 1920x1200, upright or across", s.Width, s.Height)
	}
	loopback(bad, "screen.browser", s.Browser)
}

// checkUplink looks at the ways to the centre: the phone's, and the box's own.
func (c Config) checkUplink(bad tomlfile.Report, need needs) {
	if u, err := url.Parse(c.Link.Base); err != nil || !leadsSomewhere(u) || u.Scheme != "https" && u.Scheme != "http" ||
		strings.Trim(u.Path, "/") != "" {
		bad("link.base", "不能是 %[1]q；请写 https://主机，不带路径", "%[1]q is not allowed; write https://host without a path", c.Link.Base)
	}
	up := c.Uplink
	if len(up.Broker) == 0 || len(up.Broker) > maxBrokers {
		bad("uplink.broker",
			"不能写 %[1]d 个地址；请写一个，或最多 %[2]d 个的列表",
			"%[1]d addresses are not allowed; write one, or a list of up to %[2]d", len(up.Broker), maxBrokers)
	}
	for i, broker := range up.Broker {
		if u, err := url.Parse(broker); err != nil || !leadsSomewhere(u) || !slices.Contains([]string{"mqtt", "mqtts"}, u.Scheme) {
			bad("uplink.broker",
				"不能是 %[1]q；请写 mqtts://主机:8883 或 mqtt://主机:1883",
				"%[1]q is not allowed; write mqtts://host:8883 or mqtt://host:1883", broker)
		}
		if slices.Contains(up.Broker[:i], broker) {
			bad("uplink.broker", "%[1]q 写了两次；请删去一个", "%[1]q stands twice; leave one out", broker)
		}
	}
	if (up.CertFile == "") != (up.KeyFile == "") {
		bad("uplink.cert_file",
			"证书和私钥要一起写；cert_file 和 key_file 都写，或都不写",
			"the certificate and its key go together; write cert_file and key_file, or neither")
	}
	if need.centre && len(up.CentreKey) == 0 {
		bad("uplink.centre_key", "没有写；请写 centrald key 打印的公钥", "missing; write what \"centrald key\" prints")
	}
	oneOf(bad, "uplink.ack", up.Ack, "centre", "broker")
	between(bad, "uplink.resend", up.Resend, time.Second, 10*time.Minute)
}

// leadsSomewhere reports whether an address names a host, and a port that there can be, or none.
func leadsSomewhere(u *url.URL) bool {
	port := u.Port()
	n, err := strconv.ParseUint(port, 10, 16)
	return u.Hostname() != "" && (port == "" || err == nil && n > 0)
}

func (c Config) checkMap(bad tomlfile.Report) {
	if len(c.Keys.Map) != 5 {
		bad("keys.map", "写了 %d 个键；请从左到右写全五个，各带级别，\"ratingctl keys\" 显示每个键读作什么",
			"%d keys; write all five from left to right, each with its level. \"ratingctl keys\" shows what each key reads as", len(c.Keys.Map))
		return
	}
	for i, k := range c.Keys.Map {
		switch earlier := c.Keys.Map[:i]; {
		case k.Key == "":
			bad("keys.map", "左起第 %[1]d 个键没有名称；\"ratingctl keys\" 显示每个键读作什么",
				"key %[1]d from the left has no name; \"ratingctl keys\" shows what each key reads as", i+1)
		case !k.Level.Valid():
			bad("keys.map",
				"键 %[1]q 的级别是 %[2]d；可写 5（非常满意）至 1（非常不满意）",
				"key %[1]q has level %[2]d; allowed are 5 (非常满意) to 1 (非常不满意)", k.Key, k.Level)
		case slices.ContainsFunc(earlier, func(e KeyLevel) bool { return e.Key == k.Key }):
			bad("keys.map", "键 %[1]q 写了两次；每个键只写一次", "key %[1]q stands twice; write each key once", k.Key)
		case slices.ContainsFunc(earlier, func(e KeyLevel) bool { return e.Level == k.Level }):
			bad("keys.map", "级别 %[1]d 写了两次；五个级别各有一个键", "level %[1]d stands twice; each of the five levels has one key", k.Level)
		}
	}
}

// unwired reports whether nobody has said yet on which GPIO lines the keys hang, of a box that is set up over the centre's page. It asks
// by its QR code until they are learnt there.
func (c Config) unwired() bool { return len(c.Keys.Map) == 0 && c.Keys.Source == GPIO && c.Enrols() }

// InOrder reports whether the levels of five keys rise or fall from left to right.
func (k Keys) InOrder() bool {
	if len(k.Map) != 5 {
		return true
	}
	rise, fall := true, true
	for i := range 4 {
		rise = rise && k.Map[i].Level < k.Map[i+1].Level
		fall = fall && k.Map[i].Level > k.Map[i+1].Level
	}
	return rise || fall
}

// screenMode reports whether s reads as a screen's size, with or without a rate.
func screenMode(s string) bool {
	size, rate, rated := strings.Cut(s, "@")
	width, height, ok := strings.Cut(size, "x")
	numbers := []string{width, height}
	if rated {
		numbers = append(numbers, rate)
	}
	return ok && !slices.ContainsFunc(numbers, func(n string) bool {
		v, err := strconv.ParseUint(n, 10, 16)
		return err != nil || v == 0
	})
}
