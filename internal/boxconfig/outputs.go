package boxconfig

import (
	"time"

	"haochaping/internal/cli"
	"haochaping/internal/tomlfile"
)

// Lamps describes GPIO outputs, all optional.
type Lamps struct {
	Keys         []string `toml:"keys"` // left to right as the keys are; empty for none
	Buzzer       string   `toml:"buzzer"`
	Backlight    string   `toml:"backlight"`
	ActiveLow    bool     `toml:"active_low"`
	BacklightOff Duration `toml:"backlight_off"`
}

// Sound describes tones and spoken prompts.
type Sound struct {
	Tones   string   `toml:"tones"`  // off, same or per_key
	Device  string   `toml:"device"` // ALSA's name, empty for its default
	Asking  string   `toml:"asking"` // WAV file, empty for a tone
	Thanks  string   `toml:"thanks"`
	Speak   string   `toml:"speak"` // off or espeak, for prompts without a file
	Percent int      `toml:"percent"`
	Volume  []Volume `toml:"volume"`
}

// Speaker returns the program that speaks prompts, empty if none shall.
func (s Sound) Speaker() string {
	if s.Speak == "espeak" {
		return "espeak-ng"
	}
	return ""
}

// Volume is how loud it is from a time of the day on.
type Volume struct {
	From    string `toml:"from"` // 15:04
	Percent int    `toml:"percent"`
}

// Minute returns the minute of the day from which the volume holds.
func (v Volume) Minute() (int, error) {
	at, err := time.Parse("15:04", v.From)
	if err != nil {
		return 0, cli.Errorf("%q 不是时刻；请写成 \"18:00\"", "%q is no time of the day; write it as \"18:00\"", v.From)
	}
	return at.Hour()*60 + at.Minute(), nil
}

func (c Config) checkOutputs(bad tomlfile.Report) {
	if n := len(c.Lamps.Keys); n != 0 && n != 5 {
		bad("lamps.keys", "写了 %d 个灯；请从左到右写全五个，或一个不写", "%d of five lamps; write all five from left to right, or none", n)
	}
	inUse := make(map[string]string)
	if c.Keys.Source == GPIO {
		for _, k := range c.Keys.Map {
			inUse[k.Key] = "keys.map"
		}
	}
	take := func(key, ref string) {
		if other, taken := inUse[ref]; taken && ref != "" {
			bad(key, "线路 %q 已用于 %s；请写另一条", "the line %q is used by %s already; name another one", ref, other)
		}
		inUse[ref] = key
	}
	for i, ref := range c.Lamps.Keys {
		if ref == "" {
			bad("lamps.keys", "左起第 %[1]d 个灯没有线路；请写线路名", "lamp %[1]d from the left has no line; write its name", i+1)
		}
		take("lamps.keys", ref)
	}
	take("lamps.buzzer", c.Lamps.Buzzer)
	take("lamps.backlight", c.Lamps.Backlight)
	number(bad, "sound.percent", int64(c.Sound.Percent), 0, 100)
	last := -1
	for _, v := range c.Sound.Volume {
		number(bad, "sound.volume", int64(v.Percent), 0, 100)
		at, err := v.Minute()
		if err != nil {
			bad("sound.volume", "%v", "%v", err)
		} else if at <= last {
			bad("sound.volume", "%[1]s 不在前一个之后；请按时刻先后写", "%[1]s does not come after the one before it; write them in order", v.From)
		}
		last = at
	}
}
