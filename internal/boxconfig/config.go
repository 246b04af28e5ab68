package boxconfig

import (
	"crypto/ed25519"
	"time"

	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
	"haochaping/internal/tomlfile"
)

// Config is the configuration of one box. Default gives the defaults, default.toml describes each field.
type Config struct {
	Device   rating.DeviceID `toml:"device"`
	State    string          `toml:"state"`
	LogLevel string          `toml:"log_level"`
	// RecordAlgorithm is that of the key for records which the box draws.
	RecordAlgorithm recordkey.Algorithm `toml:"record_algorithm"`

	Addresses  string     `toml:"addresses_file"`
	ClockSet   bool       `toml:"clock_set"`
	Keys       Keys       `toml:"keys"`
	Lamps      Lamps      `toml:"lamps"`
	Sound      Sound      `toml:"sound"`
	Screen     Screen     `toml:"screen"`
	Visit      Visit      `toml:"visit"`
	Reasons    Reasons    `toml:"reasons"`
	Link       Link       `toml:"link"`
	Enrol      Enrol      `toml:"enrol"`
	Update     Update     `toml:"update"`
	Uplink     Uplink     `toml:"uplink"`
	WindowAPI  WindowAPI  `toml:"window_api"`
	Cards      Cards      `toml:"cards"`
	Retention  Retention  `toml:"retention"`
	Operations Operations `toml:"operations"`

	Shared      []byte `toml:"-"` // the file that is the same for all boxes as it is used, nil for none
	SharedFault error  `toml:"-"` // why one is not taken that is there, or none

	Lines tomlfile.Lines `toml:"-"` // of the fields that the box's own file sets
}

// KeySource says where the keys are read.
type KeySource string

// The sources of keys.
const (
	GPIO      KeySource = "gpio"
	Serial    KeySource = "serial"
	USB       KeySource = "usb"
	Simulated KeySource = "simulated"
)

// Keys describes the keypad.
type Keys struct {
	Source KeySource  `toml:"source"`
	Map    []KeyLevel `toml:"map"` // left to right as the keys are; mandatory
	// OrderConfirmed says that somebody has seen that the levels do stand in no order from left to right.
	OrderConfirmed bool       `toml:"order_confirmed"`
	Staff          string     `toml:"staff"` // the staff's own key, empty for none
	LearntProfile  string     `toml:"-"`     // the file of a serial keypad's profile that was learnt, in the state folder; empty for none
	LearntHigh     *bool      `toml:"-"`     // what pressed keys do to lines that were found; nil for what GPIO says
	GPIO           GPIOKeys   `toml:"gpio"`
	Serial         SerialKeys `toml:"serial"`
	USB            USBKeys    `toml:"usb"`
}

// Names returns the names of the keys that are configured, the staff's own included.
func (k Keys) Names() (all []string) {
	for _, key := range k.Map {
		all = append(all, key.Key)
	}
	if k.Staff != "" {
		all = append(all, k.Staff)
	}
	return all
}

// KeyLevel says which level a key means.
type KeyLevel struct {
	Key   string       `toml:"key"`
	Level rating.Level `toml:"level"`
}

// GPIOKeys describes keys on GPIO lines.
type GPIOKeys struct {
	Debounce   Duration `toml:"debounce"`
	ActiveHigh bool     `toml:"active_high"`
}

// SerialKeys describes keys on a serial line.
type SerialKeys struct {
	Port    string `toml:"port"`
	Baud    int    `toml:"baud"`    // 0 for the profile's
	Profile string `toml:"profile"` // a built-in profile's name, or a file
}

// USBKeys describes a keypad that acts as a USB keyboard.
type USBKeys struct {
	Device string `toml:"device"` // a path, or "name:" and the device's name
}

// Screen describes where the screen is drawn.
type Screen struct {
	Panel       string   `toml:"panel"` // auto, drm, framebuffer or none
	Card        string   `toml:"card"`  // empty for the first with a screen
	Mode        string   `toml:"mode"`  // empty for the screen's own
	Framebuffer string   `toml:"framebuffer"`
	Console     string   `toml:"console"`
	Rotation    int      `toml:"rotation"`  // degrees clockwise
	DimAfter    Duration `toml:"dim_after"` // 0 for never
	DimTo       int      `toml:"dim_to"`    // percent
	Width       int      `toml:"width"`
	Height      int      `toml:"height"`
	Fonts       []string `toml:"fonts"`
	Browser     string   `toml:"browser"` // address, empty for none
	Files       string   `toml:"files"`   // folder, empty for none
}

// Seen reports whether there is anything on which the screen is shown.
func (s Screen) Seen() bool { return s.Panel != "none" || s.Browser != "" || s.Files != "" }

// Visit holds the timings of a visit.
type Visit struct {
	Wait   Duration `toml:"wait"`
	Thanks Duration `toml:"thanks"`
}

// Reasons says whether and how the keys ask why a citizen has answered so.
type Reasons struct {
	Ask       bool     `toml:"ask"`
	Time      Duration `toml:"time"`      // for each answer
	Catalogue string   `toml:"catalogue"` // a file, empty for the built-in one
}

// Link says where phones find the centre.
type Link struct {
	Base string `toml:"base"`
}

// Enrol says how a box gets into the centre by itself.
type Enrol struct {
	File string `toml:"file"` // that is the same for all boxes; empty for none
	URL  string `toml:"url"`  // of the centre's door, empty: the box is enrolled by hand
	Root string `toml:"root"` // the certificate by which the centre's servers are known, PEM
	Page string `toml:"page"` // of the centre, as phones in the hall reach it; empty: none
	// Revision orders the files that are the same for all boxes: a box takes none that is older than its copy.
	Revision int64  `toml:"revision"`
	Board    string `toml:"board"` // a file with the board's serial number; empty for none
	// Ticket is a file by which a new box may be let in, besides that beside File; empty for none.
	Ticket string `toml:"ticket"`
}

// Uplink says where the centre is and how it is recognised.
type Uplink struct {
	Broker       Addresses `toml:"broker"`
	Username     string    `toml:"username"`
	PasswordFile string    `toml:"password_file"`
	CAFile       string    `toml:"ca_file"`
	CertFile     string    `toml:"cert_file"`
	KeyFile      string    `toml:"key_file"`
	CentreKey    PublicKey `toml:"centre_key"`
	Ack          string    `toml:"ack"` // centre or broker
	Resend       Duration  `toml:"resend"`
}

// WindowAPI says where the window's PC reaches the box.
type WindowAPI struct {
	Listen               string   `toml:"listen"`     // loopback, empty for none
	LANListen            string   `toml:"lan_listen"` // with TLS, empty for none
	LoopbackWithoutToken bool     `toml:"loopback_without_token"`
	Hosts                []string `toml:"hosts"`
	Origins              []string `toml:"origins"`
	PrintQR              bool     `toml:"print_qr"`
	WebhookURL           string   `toml:"webhook_url"` // empty for none
	WebhookSecretFile    string   `toml:"webhook_secret_file"`
}

// Cards describes a reader of staff cards, on a serial line of its own or as a USB keyboard.
type Cards struct {
	Port    string `toml:"port"`   // empty for none
	Device  string `toml:"device"` // a path, or "name:" and the device's name, of one that types; empty for none
	Baud    int    `toml:"baud"`   // 0 for the profile's
	Profile string `toml:"profile"`
}

// Configured reports whether there is a reader.
func (c Cards) Configured() bool { return c.Port != "" || c.Device != "" }

// Operations says where those who run the box ask how it is.
type Operations struct {
	Socket string `toml:"socket"` // unix socket, empty for none
	Listen string `toml:"listen"` // loopback address, empty for none
}

// Retention says how long acknowledged records stay on the box. Others stay for ever.
type Retention struct {
	Days      int   `toml:"days"`
	MegaBytes int64 `toml:"megabytes"`
}

// Duration is a time.Duration written as "250ms" or "3s".
type Duration time.Duration

// Addresses is one address or a list of them.
type Addresses []string

// maxBrokers is how many addresses of brokers a box may know.
const maxBrokers = 8

// PublicKey is an Ed25519 public key written as 43 characters of unpadded base64url.
type PublicKey ed25519.PublicKey
