package wire

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	strict "github.com/go-json-experiment/json"

	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
)

// MaxSealed is the greatest size in bytes of a sealed payload: a configuration with some photos.
const MaxSealed = 192 << 10

// Purpose separates the signatures of different payloads, so that none can stand in for another.
type Purpose string

// The purposes of sealed payloads.
const (
	AckPurpose     Purpose = "ack"
	CommandPurpose Purpose = "command"
	ConfigPurpose  Purpose = "config"
)

// sealed is a signed payload: the signature covers the purpose and the body's bytes as they stand.
type sealed struct {
	V    int             `json:"v"`
	Body json.RawMessage `json:"body"`
	Sig  []byte          `json:"sig"`
}

func sealedText(p Purpose, body []byte) []byte {
	return append(fmt.Appendf(nil, "hcp/1 %s\n", p), body...)
}

// Seal returns the payload that carries body under the centre's signature. Body is *Ack, *Command or *Config.
func Seal(key ed25519.PrivateKey, p Purpose, body any) ([]byte, error) {
	return SealWith(func(text []byte) []byte { return ed25519.Sign(key, text) }, p, body)
}

// SealWith is Seal for who signs by other means: sign returns the Ed25519 signature of a text.
func SealWith(sign func(text []byte) []byte, p Purpose, body any) ([]byte, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", p, err)
	}
	out, err := json.Marshal(sealed{V: Version, Body: raw, Sig: sign(sealedText(p, raw))})
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", p, err)
	}
	if len(out) > MaxSealed {
		return nil, fmt.Errorf("seal %s: %d bytes, at most %d are allowed", p, len(out), MaxSealed)
	}
	return out, nil
}

// ErrSignature says that a payload is not signed by the key that it should be signed by.
var ErrSignature = errors.New("the signature does not verify")

// open checks a sealed payload's form and signature and reads its body into v.
func open(key ed25519.PublicKey, p Purpose, payload []byte, v any) error {
	var s sealed
	if len(payload) > MaxSealed {
		return fmt.Errorf("%s: %d bytes, at most %d are allowed", p, len(payload), MaxSealed)
	}
	if err := strict.Unmarshal(payload, &s); err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	if s.V != Version {
		return errVersion(string(p), s.V)
	}
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, sealedText(p, s.Body), s.Sig) {
		return fmt.Errorf("%s: %w", p, ErrSignature)
	}
	if err := strict.Unmarshal(s.Body, v); err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	return nil
}

// Ack is the centre's word that it has committed records. It releases them at the box.
type Ack struct {
	Device  rating.DeviceID `json:"device"`
	Epoch   rating.Epoch    `json:"epoch"`
	Through uint64          `json:"through"` // every seq up to this one is in the books or in quarantine
	// Head is the hash of record Through as it was received. A box whose own record is another one, since a copied card has
	// made two boxes of one, must not take the word for its own.
	Head        rating.Hash   `json:"head,omitzero"`
	Quarantined []Quarantined `json:"quarantined,omitempty"`
	Time        int64         `json:"time"` // the centre's clock, milliseconds since 1970-01-01 UTC
	// First and Last are the seqs of the batch that this answers, 0 if the centre does not say. An answer that releases nothing
	// may be a repeated one to an earlier batch, and the box has to know.
	First uint64 `json:"first,omitempty"`
	Last  uint64 `json:"last,omitempty"`
	// Kinds are the kinds of records that the centre knows. Without it they are those of version 1.0, which every centre does.
	Kinds []rating.Kind `json:"kinds,omitempty"`
}

// maxKinds bounds the kinds that an Ack names.
const maxKinds = 64

// Quarantined names a record that the centre keeps but does not accept.
type Quarantined struct {
	Seq    uint64 `json:"seq"`
	Reason string `json:"reason"`
}

// OpenAck reads an Ack that the centre with the given key has sealed.
func OpenAck(key ed25519.PublicKey, payload []byte) (Ack, error) {
	var a Ack
	if err := open(key, AckPurpose, payload, &a); err != nil {
		return Ack{}, err
	}
	if a.Epoch == 0 || a.Through > maxSafeInt || a.Through > 0 && a.Head == (rating.Hash{}) || len(a.Quarantined) > MaxBatchRecords {
		return Ack{}, fmt.Errorf("ack: epoch %s, through %d, %d quarantined: out of range, or without its head", a.Epoch, a.Through,
			len(a.Quarantined))
	}
	if len(a.Kinds) > maxKinds {
		return Ack{}, fmt.Errorf("ack: %d kinds of records, at most %d are allowed", len(a.Kinds), maxKinds)
	}
	return a, nil
}

// The names of commands.
const (
	// CommandPhoneRated tells the box that a question of a visit was answered by phone. Arguments: visit, subject, and case
	// (the project number) where the matters are asked one by one. It does not say the level: nobody at the window learns it
	// (article 4).
	CommandPhoneRated = "phone_rated"
	// CommandResend asks the box for records that the centre had acknowledged and no longer has, since it goes on from a backup: what
	// the box still holds of them. Arguments: epoch, first, last (seqs, both included).
	CommandResend = "resend"
	// CommandSelfTest asks the box to look at its parts, and to answer how they are.
	CommandSelfTest = "self_test"
	// CommandTestPicture has the screen show a test picture for half a minute, with the lamps on and one sound, where nobody is being served.
	// A key or a visit ends it. It is answered when the screen shows it, or with why it does not.
	CommandTestPicture = "test_picture"
	// CommandPause closes the window for a while, as its PC may; CommandResume opens it again.
	CommandPause  = "pause"
	CommandResume = "resume"
	// CommandRestart starts the daemon anew. A box without a service manager, which would stay down, refuses it.
	CommandRestart = "restart"
	// CommandLearnKeys has somebody press the five keys before the box, from the best level to the worst, twice. It is answered when that
	// is done, or was not in LessonLife, with a part for each key as they stand from the left: its name is KeyPart with the level, its
	// What is the key. Arguments: frames, if it is a serial keypad of which nothing is known; baud, the speed of its line where that is
	// another than in the configuration; lines, if nobody knows on which GPIO lines the keys hang. The answer has then FramePart or LinePart,
	// and HeardPart too, also where the keys were not learnt.
	CommandLearnKeys = "learn_keys"
	// CommandKeepKeys has the box go by the keys that it has just learnt. Arguments: by KeyPart with the level, which key. They must be
	// those that it answered.
	CommandKeepKeys = "keep_keys"
	// CommandErase has the box forget all that it is and has, and be born anew at its next start, which is at once. A box whose records
	// are not all acknowledged refuses it, unless its name is said in the argument give_up.
	CommandErase = "erase"
	// CommandAddToken lets a PC of the window in by a token of which the box learns the hash alone. Arguments: id (eight hexadecimal digits),
	// name (of the PC, for people), hash (SHA-256 of the token, in hexadecimal digits). CommandDropToken ends it. Argument: id.
	CommandAddToken  = "add_token"
	CommandDropToken = "drop_token"
	// CommandUpdate has the box install a newer version of its package. Arguments: version, and within_sec, for how long from now on that may
	// begin. It is answered when the box has noted it; how it went is in the box's health. A box that has no repository refuses it.
	CommandUpdate = "update"
	// CommandSendBundle asks for what support needs (ratingctl bundle), which the box sends to the centre's door for certificates, at most
	// MaxBundle bytes. It is answered when the centre has it, or with why it has not. A box whose certificate is from elsewhere refuses it.
	CommandSendBundle = "send_bundle"
	// KeyPart begins the name of a key in both.
	KeyPart = "key_"
	// FramePart begins the name of a part that says what the key of a level sends, in hexadecimal digits. HeardPart begins those that say
	// what came while the keys were learnt, one after the other.
	FramePart = "frame_"
	// LinePart begins the name of a part that says how the key of a level moves its GPIO line.
	LinePart  = "line_"
	HeardPart = "heard_"
	// FramesArg, BaudArg and LinesArg are the arguments of CommandLearnKeys.
	FramesArg = "frames"
	LinesArg  = "lines"
	BaudArg   = "baud"
	// PressedPart is the name of a part of the answer to CommandLearnKeys that says that keys stand as they were pressed, from the best level
	// to the worst, since the box knows nothing of their places.
	PressedPart = "pressed"
)

// MaxBundle is the greatest size in bytes of what a box sends to support.
const MaxBundle = 1 << 20

// LessonLife is how long somebody may take to press the keys, and to confirm what was learnt.
const LessonLife = 5 * time.Minute

// Command is an order of the centre, answered with a Reply. A box executes an ID once, and none after Expires.
type Command struct {
	Device  rating.DeviceID   `json:"device"`
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	Args    map[string]string `json:"args,omitempty"`
	Expires int64             `json:"expires"` // milliseconds since 1970-01-01 UTC, by the centre's clock
}

// OpenCommand reads a Command that the centre with the given key has sealed.
func OpenCommand(key ed25519.PublicKey, payload []byte) (Command, error) {
	var c Command
	if err := open(key, CommandPurpose, payload, &c); err != nil {
		return Command{}, err
	}
	if c.ID == "" || len(c.ID) > 64 || c.Name == "" || len(c.Name) > 64 || len(c.Args) > 32 {
		return Command{}, fmt.Errorf("command %q %q with %d arguments: out of range", c.ID, c.Name, len(c.Args))
	}
	return c, nil
}

// Config is what the centre knows about a device and the device must know about itself.
type Config struct {
	Device rating.DeviceID `json:"device"`
	Window rating.Window   `json:"window"`
	// Roster holds those who may sign in there. It changes with the window's generation.
	Roster []rating.Member `json:"roster,omitempty"`
	// Algorithms are those in which the centre takes the box's records. It is said to a box whose key is not of Ed25519, which every centre
	// takes.
	Algorithms []recordkey.Algorithm `json:"algorithms,omitempty"`
	// Rules are what the levels above have set for the box, as rating.ParseRules reads them; none: its own file. They change with the window's
	// generation, and what a box cannot take of them keeps it from nothing else.
	Rules json.RawMessage `json:"rules,omitempty"`
}

// Takes reports whether a box with a key may expect that the centre takes what it signs.
func (c Config) Takes(key []byte) bool {
	return Named(key) == "" || slices.Contains(c.Algorithms, recordkey.Of(key))
}

// OpenConfig reads a Config that the centre with the given key has sealed.
func OpenConfig(key ed25519.PublicKey, payload []byte) (Config, error) {
	var c Config
	if err := open(key, ConfigPurpose, payload, &c); err != nil {
		return Config{}, err
	}
	if err := c.Window.Check(); err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	if len(c.Algorithms) > maxKinds {
		return Config{}, fmt.Errorf("config: %d algorithms, at most %d are allowed", len(c.Algorithms), maxKinds)
	}
	if err := rating.CheckRoster(c.Roster); err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	return c, nil
}
