package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"haochaping/device/keypad"
	"haochaping/device/sound"
	"haochaping/display"
	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/tomlfile"
	"haochaping/internal/windowapi"
)

// ailingError says that the daemon would run, and a part of it not.
type ailingError struct{ err error }

func (e *ailingError) Error() string {
	return e.Unwrap().Error()
}

// Unwrap returns what does not work.
func (e *ailingError) Unwrap() error {
	return errors.Join(cli.Error("窗口可以评价，但以下部分不能工作", "the window works, but for these parts"), e.err)
}

// checker looks for what a daemon with a configuration would stumble over. It looks as the service's user, and changes nothing.
type checker struct {
	cfg  boxconfig.Config
	unit unit
	env  environment
	errs []error
}

// verdict is what a daemon with a configuration would stumble over.
type verdict struct {
	refused error // it would not start
	ailing  error // a part of it would not work
	unknown error // why it cannot be found out
}

// err returns a configurationError if the daemon would refuse to start, an ailingError if a part of it would not work, and nil if nothing
// is wrong.
func (v verdict) err() error {
	var ailing error
	if v.ailing != nil {
		ailing = &ailingError{v.ailing}
	}
	if v.refused != nil {
		return &configurationError{errors.Join(v.refused, ailing)}
	}
	return errors.Join(ailing, v.unknown)
}

func (v verdict) faults() []tomlfile.Fault {
	return slices.Concat(tomlfile.Faults(v.refused, true), tomlfile.Faults(v.ailing, false), tomlfile.Faults(v.unknown, false))
}

// checkConfig looks as the service's user, whom root becomes for that. Others than these two are told that they cannot know.
func checkConfig(path string, env environment) verdict {
	u := readUnit(env.unitFolders)
	var taken []error
	if cfg, err := boxconfig.Load(path); err == nil {
		taken = takenPorts(cfg) // root sees who has them
	}
	if os.Geteuid() == 0 && u.user != "" && u.user != "root" {
		if err := env.become(u.user); err != nil {
			return verdict{unknown: err}
		}
	}
	cfg, err := boxconfig.Load(path)
	if err != nil {
		return verdict{refused: withoutFile(path, forService(u, toRead, path, errors.Join(err, u.mayRead(path))))}
	}
	if u.stranger(os.Geteuid()) {
		return verdict{unknown: cli.Errorf("配置写法无误，但本用户查不出服务用户 %s 能否使用其中的文件和设备；请以 root 运行",
			"the configuration reads well, but this user cannot find out what the service's user %s may use; run it as root", u.user)}
	}
	c := &checker{cfg: cfg, unit: u, env: env}
	c.vital()
	refused := errors.Join(c.errs...)
	c.errs = taken
	if exists(filepath.Join(cfg.State, boxconfig.IdentityFile)) {
		c.full()
	}
	c.note("enrol.file", "", cfg.SharedFault)
	c.keys()
	c.ports()
	c.uplink()
	c.screen()
	c.sound()
	c.window()
	c.devices()
	c.lines()
	return verdict{refused: refused, ailing: errors.Join(c.errs...)}
}

// How a path is given to the service's user.
const (
	toRead  = "chown root:%[1]s %[2]s && chmod 640 %[2]s"
	toWrite = "chown -R %[1]s: %[2]s"
)

// forService adds to an error what the service's user lacks, and how it gets that for a path, which may be empty.
func forService(u unit, remedy, path string, err error) error {
	if err == nil || !errors.Is(err, fs.ErrPermission) || u.user == "" {
		return err
	}
	zh, en := "服务以用户 "+u.user+" 运行，无权访问", "the service runs as "+u.user+", who may not use it"
	if path != "" {
		do := fmt.Sprintf(remedy, u.user, path)
		zh, en = zh+"；"+do, en+"; "+do
	}
	return cli.Because(err, zh, en)
}

// note adds what is wrong with the file of a field.
func (c *checker) note(field, path string, err error) {
	if path != "" && err == nil {
		err = c.unit.mayRead(path)
	}
	if err == nil {
		return
	}
	if f, ok := err.(*tomlfile.Fault); ok && f.Field != "" {
		field, err = f.Field, f.Unwrap()
	}
	remedy := toRead
	if field == "state" {
		remedy = toWrite
	}
	c.errs = append(c.errs, c.cfg.Lines.Fault(field, forService(c.unit, remedy, path, err)))
}

// keys asks about levels in no order, which would turn bad evaluations into good ones if they were wrong.
func (c *checker) keys() {
	if k := c.cfg.Keys; !k.InOrder() && !k.OrderConfirmed {
		var levels []string
		for _, key := range k.Map {
			levels = append(levels, fmt.Sprint(key.Level))
		}
		list := strings.Join(levels, " ")
		c.errs = append(c.errs, c.cfg.Lines.Errorf("keys.map",
			"五个键从左到右是 %s，既不递增也不递减；请用 ratingctl doctor -keys 逐键核对，确实如此则写 keys.order_confirmed = true",
			"from left to right the keys mean %s, in no order; press each with ratingctl doctor -keys, and write keys.order_confirmed = true if "+
				"it is so", list))
	}
}

// vital looks at that without which the daemon does not start.
func (c *checker) vital() {
	if s := c.cfg.Keys.Serial; c.cfg.Keys.Source == boxconfig.Serial && keypad.IsFile(s.Profile) { // which has been read already
		c.note("keys.serial.profile", s.Profile, nil)
	}
	c.note("state", c.cfg.State, c.stateFolder())
	if key := filepath.Join(c.cfg.State, boxconfig.IdentityFile); exists(key) {
		err := access(key, unix.R_OK)
		if err == nil {
			_, err = c.cfg.Identity()
		}
		c.note("state", key, err)
	} else {
		c.full() // so that none can be kept
	}
	if log := filepath.Join(c.cfg.State, "log.db"); exists(log) {
		err := access(log, unix.R_OK|unix.W_OK)
		if info, e := os.Stat(log); e == nil && !info.Mode().IsRegular() {
			err = cli.Errorf("%s 不是普通文件；请移走", "%s is no ordinary file; move it away", log)
		}
		c.note("state", log, err)
	}
}

// exists reports whether something of that name is there, also if nobody may look at it.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// access returns an error that names the path if this process may not use it in a way.
func access(path string, mode uint32) error {
	if err := unix.Access(path, mode); err != nil {
		return &fs.PathError{Op: "access", Path: path, Err: err}
	}
	return nil
}

// uplink looks at the files without which records wait in the box.
func (c *checker) uplink() {
	up := c.cfg.Uplink
	password, err := up.ReadPassword()
	if err == nil && up.PasswordFile != "" && strings.TrimSpace(password) == "" {
		err = cli.Errorf("%s 是空的，连不上中心；请写入密码", "%s is empty, so that the broker will not let the box in; write its password into it",
			up.PasswordFile)
	}
	c.note("uplink.password_file", up.PasswordFile, err)
	_, err = up.ReadTLS()
	c.note("uplink", up.CAFile, err)
	for _, path := range []string{up.CertFile, up.KeyFile} {
		c.note("uplink", path, nil)
	}
}

// screen looks at what the screen is drawn with and where it is written.
func (c *checker) screen() {
	for _, path := range c.cfg.Screen.Fonts {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue // as documented
		}
		if _, err := display.LoadFonts([]string{path}); err != nil {
			c.note("screen.fonts", path, cli.Because(err, "字体 "+path+" 不能用；请重新安装，或从 screen.fonts 中删去",
				"the font "+path+" is not used; install it anew, or take it out of screen.fonts"))
		}
	}
	if folder := c.cfg.Screen.Files; folder != "" {
		err := c.unit.mayWrite(folder)
		if err == nil {
			err = holdsFile(folder, "screen.png")
		}
		c.note("screen.files", "", err)
	}
}

// sound looks at the prompts, and at what plays them where somebody has asked for sound.
func (c *checker) sound() {
	s := c.cfg.Sound
	for _, f := range []struct{ field, path string }{{"sound.asking", s.Asking}, {"sound.thanks", s.Thanks}} {
		if f.path != "" {
			_, err := sound.Load(f.path)
			c.note(f.field, f.path, err)
		}
	}
	if s.Device == "" && s.Asking == "" && s.Thanks == "" && s.Speaker() == "" {
		return
	}
	if speaker := s.Speaker(); speaker != "" && (s.Asking == "" || s.Thanks == "") {
		if _, err := exec.LookPath(speaker); err != nil {
			c.note("sound.speak", "", cli.Because(err, "没有 espeak-ng；请安装同名的软件包", "there is no espeak-ng; install the Debian package of that name"))
		}
	}
	if _, err := exec.LookPath(c.env.aplay); err != nil {
		c.note("sound", "", cli.Because(err, "没有 aplay；请安装软件包 alsa-utils", "there is no aplay; install the Debian package alsa-utils"))
	}
}

// window looks at what the window's PCs, its staff and those who run the box reach.
func (c *checker) window() {
	w := c.cfg.WindowAPI
	if w.WebhookURL != "" {
		_, err := webhookSecret(w)
		c.note("window_api.webhook_secret_file", w.WebhookSecretFile, err)
	}
	_, err := boxconfig.Catalogue(c.cfg.Reasons.Catalogue)
	c.note("reasons.catalogue", c.cfg.Reasons.Catalogue, err)
	tokens := filepath.Join(c.cfg.State, windowapi.TokensFile)
	_, err = windowapi.ReadTokens(tokens)
	c.note("window_api", tokens, err)
	_, err = newRoster(c.cfg.State)
	c.note("state", filepath.Join(c.cfg.State, rosterFile), err)
	if book := c.cfg.Addresses; book != "" {
		err := c.unit.mayWrite(book)
		if err == nil {
			err = access(filepath.Dir(book), unix.W_OK|unix.X_OK)
		}
		c.note("addresses_file", "", err)
	}
	if c.cfg.Cards.Configured() {
		file := ""
		if keypad.IsFile(c.cfg.Cards.Profile) {
			file = c.cfg.Cards.Profile
		}
		_, err := keypad.Find(c.cfg.Cards.Profile)
		c.note("cards.profile", file, err)
	}
	if s := c.cfg.Operations.Socket; s != "" && !inside(s, "/run/ratingd") { // which the unit makes
		err := c.unit.mayWrite(s)
		if err == nil {
			if err = access(filepath.Dir(s), unix.W_OK|unix.X_OK); err == nil {
				err = ordinary(filepath.Dir(s))
			}
			if info, e := os.Lstat(s); e == nil && info.Mode()&fs.ModeSocket == 0 {
				err = cli.Errorf("%s 已存在且不是套接字；请移走或换一个路径", "%s is there and no socket; move it away, or name another path", s)
			}
		}
		c.note("operations.socket", "", err)
	}
}

// lines looks for GPIO lines that a machine with a chip lacks, or keeps from the service's user.
func (c *checker) lines() {
	if c.cfg.Keys.Source == boxconfig.GPIO {
		c.note("keys.map", "", c.env.lackingGPIO(c.cfg.Keys.Names()))
	}
	if refs, _ := (lampPanel{cfg: c.cfg.Lamps}).lines(); len(refs) > 0 {
		c.note("lamps", "", c.env.lackingGPIO(refs))
	}
}

// devices looks at those that are there; what is plugged in later shows then.
func (c *checker) devices() {
	k := c.cfg.Keys
	paths := map[string]string{"cards.port": c.cfg.Cards.Port, "cards.device": c.cfg.Cards.Device}
	switch k.Source {
	case boxconfig.Serial:
		paths["keys.serial.port"] = k.Serial.Port
	case boxconfig.USB:
		paths["keys.usb.device"] = k.USB.Device
	}
	if c.cfg.Screen.Panel == "framebuffer" {
		paths["screen.framebuffer"] = c.cfg.Screen.Framebuffer
	}
	for field, path := range paths {
		if !filepath.IsAbs(path) {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode()&fs.ModeCharDevice == 0 {
			c.note(field, "", cli.Errorf("%s 不是设备；请写设备的路径", "%s is no device; write a device's path", path))
		} else if err := access(path, unix.R_OK|unix.W_OK); errors.Is(err, fs.ErrPermission) {
			c.errs = append(c.errs, c.cfg.Lines.Fault(field, cli.Because(err, "不能使用设备；把用户 "+c.unit.user+" 加入该设备的组：ls -l "+path,
				"the device cannot be used; add the service's user "+c.unit.user+" to its group: ls -l "+path)))
		}
	}
}
