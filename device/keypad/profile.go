package keypad

import (
	"slices"
	"time"

	"haochaping/internal/cli"
	"haochaping/internal/tomlfile"
)

// Kind says what a frame is about.
type Kind string

// The kinds of frames.
const (
	Key     Kind = "key"
	Release Kind = "release" // a key was let go
	Card    Kind = "card"    // the number of a card
	// Heartbeat is a frame that comes by itself: its absence says that the keypad is gone.
	Heartbeat Kind = "heartbeat"
	Ignored   Kind = "ignore" // a frame that is recognised, perhaps answered, and otherwise nothing
)

// codeForm says how a key is named in keys.map.
type codeForm string

const (
	codeHex        codeForm = "hex"         // "0x31", "0x0102"
	codeDecimal    codeForm = "decimal"     // "49"
	codeDecimalLow codeForm = "decimal-low" // the same, the low byte first
	codeDecimalHex codeForm = "decimal-hex" // "49" of the two hex digits 31
	codeText       codeForm = "text"        // "1"
)

// Line is how the serial line is set.
type Line struct {
	Baud     int    `toml:"baud"`      // bits per second, one of Bauds
	DataBits int    `toml:"data_bits"` // 7 or 8
	Parity   string `toml:"parity"`    // none, even or odd
	StopBits int    `toml:"stop_bits"` // 1 or 2
}

// Bauds returns the speeds at which a line can be set, in bits per second.
func Bauds() []int {
	return []int{300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200}
}

// Prompt is a moment at which a keypad can be told to light up or speak.
type Prompt string

// The moments.
const (
	Asking Prompt = "asking" // the citizen is asked
	Thanks Prompt = "thanks" // the answer is recorded
	Idle   Prompt = "idle"   // nobody is asked
	Fault  Prompt = "fault"  // the keys are out of service
)

// Profile is what is known of a kind of keypad. It does not change and is safe for concurrent use.
type Profile struct {
	Name  string
	About string
	Line  Line
	// Gap is the silence after which the beginning of a frame is forgotten, 20 ms to 10 s.
	Gap time.Duration
	// Settle is how long the line must be silent after a key before it counts, 0 to 100 ms. It tells a finger from a line
	// that babbles, where the frame does not: it is 20 ms if a frame has neither a checksum nor three fixed bytes.
	Settle time.Duration
	// Away is the silence after which a card was taken away, 200 ms to 30 s: until then it is one event. It is 2 s if not set.
	Away time.Duration
	// Repeat is after which time at most a key that is held is sent again, 20 ms to 2 s; 0 if nobody knows.
	Repeat time.Duration

	frames  []frame
	beat    time.Duration // how often a heartbeat comes, 0 if none does
	prompts map[Prompt][]byte
	lineUp  bool // a frame begins with text: after garbage the rest of the line is dropped
	ends    byteSet
}

// frame is one form of what the keypad sends.
type frame struct {
	kind   Kind
	code   codeForm
	layout layout
	answer layout   // nil if none
	keys   []string // the only keys there are; nil if all that the layout allows
	of     []string // of a release: the keys that keys are the releases of, nil if they are the same
	digits int      // of a card's decimal number, which is filled up with zeros
}

func (f *frame) allows(code string) bool {
	return f.kind == Ignored || f.keys == nil || slices.Contains(f.keys, code)
}

// keyOf returns which key a code is of: of a release that has a code of its own, the key that was let go.
func (f *frame) keyOf(code string) string {
	if i := slices.Index(f.keys, code); f.of != nil && i >= 0 {
		return f.of[i]
	}
	return code
}

// Prompt returns the bytes to be sent at a moment, nil if there are none.
func (p *Profile) Prompt(m Prompt) []byte { return slices.Clone(p.prompts[m]) }

func (p *Profile) endsLine(c byte) bool { return p.lineUp && p.ends.has(c) }

// file is a profile as it is written.
type file struct {
	Name     string      `toml:"name"`
	About    string      `toml:"about"`
	Sources  []string    `toml:"sources"`
	Certain  string      `toml:"certain"`
	Inferred string      `toml:"inferred"`
	Gap      string      `toml:"gap"`
	Settle   string      `toml:"settle"`
	Away     string      `toml:"away"`
	Repeat   string      `toml:"repeat"`
	Line     Line        `toml:"line"`
	Frame    []fileFrame `toml:"frame"`
	Prompt   struct {
		Asking string `toml:"asking"`
		Thanks string `toml:"thanks"`
		Idle   string `toml:"idle"`
		Fault  string `toml:"fault"`
	} `toml:"prompt"`
}

type fileFrame struct {
	Kind   Kind     `toml:"kind"`
	Layout string   `toml:"layout"`
	Code   codeForm `toml:"code"`
	Digits int      `toml:"digits"`
	Answer string   `toml:"answer"`
	Keys   []string `toml:"keys"`
	Of     []string `toml:"of"`
	Every  string   `toml:"every"`
}

// Parse reads a profile. Errors begin with the line that they are about.
func Parse(b []byte) (*Profile, error) {
	f := file{Line: Line{Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1}, Gap: "500ms", Away: "2s"}
	lines, err := tomlfile.Decode(b, &f, "docs/keypads.md")
	if err != nil {
		return nil, err
	}
	c := checker{lines: lines}
	p := c.profile(f)
	if err := c.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// enoughFixed is how many bytes of one value make a frame that noise does not send.
const enoughFixed = 3

// verified reports whether each frame that says something has a checksum, or so much that is fixed that noise is not taken for it.
func (p *Profile) verified() bool {
	for _, f := range p.frames {
		if f.kind == Heartbeat || f.kind == Ignored {
			continue
		}
		n := 0
		for _, p := range f.layout {
			if _, one := p.set.only(); p.kind == fixed && one {
				n++
			}
			if p.kind == check {
				n = enoughFixed
			}
		}
		if n < enoughFixed {
			return false
		}
	}
	return true
}

// Bare reports whether nothing but silence says where a frame begins and ends.
func (p *Profile) Bare() bool {
	return slices.ContainsFunc(p.frames, func(f frame) bool {
		return !slices.ContainsFunc(f.layout, func(p part) bool { return p.kind != key })
	})
}

// CheckKey reports whether a key can be what keys.map calls it, and if not, what to write instead.
func (p *Profile) CheckKey(code string) error {
	var why error
	for i := range p.frames {
		f := &p.frames[i]
		if f.kind != Key {
			continue
		}
		err := f.checkKey(code)
		if err == nil {
			return nil
		}
		if why == nil {
			why = err
		}
	}
	if why == nil {
		return cli.Errorf("描述 %s 没有按键；请写键盘的描述", "the profile %s has no keys; name one of a keypad", p.Name)
	}
	return cli.Errorf("描述 %s 读不出 %q：%v", "the profile %s never reads %q: %v", p.Name, code, why)
}

// HasKeys reports whether the profile reads keys.
func (p *Profile) HasKeys() bool { return p.has(Key) }

// HasReleases reports whether the keypad says when a key is let go, so that it is known how long one is held.
func (p *Profile) HasReleases() bool { return p.has(Release) }

// HeartbeatEvery returns how often the keypad sends something by itself, 0 if it does not.
func (p *Profile) HeartbeatEvery() time.Duration { return p.beat }

// HasCards reports whether the profile reads the numbers of cards.
func (p *Profile) HasCards() bool { return p.has(Card) }

func (p *Profile) has(k Kind) bool {
	return slices.ContainsFunc(p.frames, func(f frame) bool { return f.kind == k })
}
