package wire

import (
	"crypto"
	"encoding/json"
	"fmt"
	"strings"

	strict "github.com/go-json-experiment/json"

	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
)

// MaxState is the greatest size in bytes of a Presence, Health or Reply.
const MaxState = 16 << 10

// Presence says whether a box is connected. The broker itself publishes the offline one, as the box's will.
type Presence struct {
	V       int    `json:"v"`
	Online  bool   `json:"online"`
	Version string `json:"version,omitempty"` // of the daemon
	Boot    uint32 `json:"boot,omitempty"`
}

// Health says how a box is.
type Health struct {
	V            int    `json:"v"`
	Pending      uint64 `json:"pending"`        // records that wait for an acknowledgement
	OldestSec    int64  `json:"oldest_sec"`     // age of the oldest of them, in seconds; -1 when another boot wrote it
	Wall         int64  `json:"wall"`           // the box's clock, milliseconds since 1970-01-01 UTC
	Synced       bool   `json:"synced"`         // whether that clock was set by the network
	OffsetMS     int64  `json:"offset_ms"`      // box minus centre as of the last acknowledgement, in milliseconds
	UptimeSec    int64  `json:"uptime_sec"`     // since the start of the daemon
	KeysOK       bool   `json:"keys_ok"`        // the keypad can be read
	StoreOK      bool   `json:"store_ok"`       // the last write to the store succeeded
	UnknownKeys  uint64 `json:"unknown_keys"`   // presses of keys without a level, since the start of the daemon
	StuckKeys    uint64 `json:"stuck_keys"`     // keys found stuck, since the start of the daemon
	FreeBytes    uint64 `json:"free_bytes"`     // on the store's file system
	TemperatureC *int   `json:"temperature_c"`  // of the processor; null where it cannot be read
	CertDays     *int   `json:"cert_days_left"` // until the device's certificate expires; null where it has none
	State        string `json:"state"`          // of the window: starting, enrolling, idle, asking, paused, closed, fault
	// Troubles names the optional parts that do not work, as "sound" or "window_api"; none of them stops the keys.
	Troubles []string `json:"troubles,omitempty"`
	// Stuck names the oldest record that is too large for the broker, if there is one. Those behind it are sent.
	Stuck *Stuck `json:"stuck,omitempty"`
	// Log says how far the box's log goes, so that what it still holds can be judged when the box is gone.
	Log *LogHead `json:"log,omitempty"`
	// Generation is that of the configuration by which the box goes; 0: it has none, or is of an older version, which does not say.
	Generation uint32 `json:"generation,omitempty"`
	// Rules names the rules of the levels above by which the box goes, empty: none; nil: a version that knows none.
	Rules *string `json:"rules,omitempty"`
	// Programs says which package is installed and how the last update of it went; nil where nobody updates it.
	Programs *Programs `json:"programs,omitempty"`
}

// Programs is the package of a box's programs.
type Programs struct {
	Installed string `json:"installed"`         // its version, as dpkg has it
	Asked     string `json:"asked,omitempty"`   // the version that was asked for last
	Outcome   string `json:"outcome,omitempty"` // installing, trying, done, refused, returning or returned
	Why       string `json:"why,omitempty"`
	Command   string `json:"command,omitempty"` // the ID of the one that asked for it, empty: somebody at the box, or an older version
}

// IsPackageVersion reports whether a text may be a version of a package: what dpkg and apt take, and nothing that a command line or a path
// would read otherwise.
func IsPackageVersion(s string) bool {
	const more = ".+~:-"
	for i := range len(s) {
		c := s[i]
		digit, letter := '0' <= c && c <= '9', 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !digit && (i == 0 || !letter && !strings.ContainsRune(more, rune(c))) {
			return false
		}
	}
	return s != "" && len(s) <= 100
}

// LogHead is how far a box's log goes, signed by the box.
type LogHead struct {
	Epoch rating.Epoch `json:"epoch"`
	Last  uint64       `json:"last"` // seq of the newest record
	Head  rating.Hash  `json:"head"` // its hash
	Sig   []byte       `json:"sig"`
}

func (h LogHead) text(d rating.DeviceID) []byte {
	return fmt.Appendf(nil, "hcp/1 log head\n%s\n%s\n%d\n%x\n", d, h.Epoch, h.Last, h.Head[:])
}

// Sign signs the head with the box's key for records.
func (h *LogHead) Sign(d rating.DeviceID, key crypto.Signer) {
	h.Sig = recordkey.Sign(key, h.text(d))
}

// Holds reports whether the box with a key has signed the head.
func (h LogHead) Holds(d rating.DeviceID, key []byte) bool {
	return recordkey.Verify(key, h.text(d), h.Sig)
}

// Stuck is a record that cannot be sent until somebody has raised the broker's limit.
type Stuck struct {
	Seq   uint64 `json:"seq"`
	Bytes int    `json:"bytes"`           // of the packet that carries it
	Limit int    `json:"limit,omitempty"` // the broker's, 0 if it does not say
}

// Reply is a box's answer to a Command.
type Reply struct {
	V     int    `json:"v"`
	ID    string `json:"id"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"` // why it was not executed
	// Parts says how the box's parts are, in the answer to CommandSelfTest, and what its keys are, in that to CommandLearnKeys.
	Parts []Part `json:"parts,omitempty"`
}

// Part is how a part of a box is.
type Part struct {
	Name string `json:"name"`
	Code string `json:"code,omitempty"` // of its trouble, empty: it is well
	What string `json:"what,omitempty"` // what was seen, in Chinese, at most MaxWhat bytes
}

// Bounds of an answer's parts.
const (
	MaxParts = 40
	MaxWhat  = 200 // bytes
)

// EncodeState returns the payload of a Presence, Health or Reply, whose V it expects to be Version.
func EncodeState(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return b, nil
}

// DecodePresence reads a Presence.
func DecodePresence(payload []byte) (Presence, error) {
	var p Presence
	err := decodeState("presence", payload, &p, func() int { return p.V })
	p.Version = plain(p.Version)
	return p, err
}

// DecodeHealth reads a Health.
func DecodeHealth(payload []byte) (Health, error) {
	var h Health
	err := decodeState("health", payload, &h, func() int { return h.V })
	if err == nil && h.Log != nil && h.Log.Last > maxSafeInt {
		err = fmt.Errorf("health: the log's last record is %d: out of range", h.Log.Last)
	}
	h.State = plain(h.State)
	for i, t := range h.Troubles {
		h.Troubles[i] = plain(t)
	}
	if p := h.Programs; p != nil {
		*p = Programs{plain(p.Installed), plain(p.Asked), plain(p.Outcome), plain(p.Why), plain(p.Command)}
	}
	return h, err
}

// DecodeReply reads a Reply.
func DecodeReply(payload []byte) (Reply, error) {
	var r Reply
	if err := decodeState("reply", payload, &r, func() int { return r.V }); err != nil {
		return r, err
	}
	if r.ID == "" || len(r.ID) > 64 || strings.ContainsFunc(r.ID, func(c rune) bool { return c < '!' || c > '~' }) || len(r.Parts) > MaxParts {
		return r, fmt.Errorf("reply %q with %d parts: out of range", r.ID[:min(len(r.ID), 64)], len(r.Parts))
	}
	r.Error = plain(r.Error)
	for i, p := range r.Parts {
		p = Part{plain(p.Name), plain(p.Code), plain(p.What)}
		r.Parts[i] = p
		if p.Name == "" || len(p.Name) > 64 || len(p.Code) > 64 || len(p.What) > MaxWhat {
			return r, fmt.Errorf("reply %q: a part is out of range", r.ID)
		}
	}
	return r, nil
}

// plain returns a foreign box's words without zeros, which PostgreSQL keeps in no text.
func plain(s string) string { return strings.ReplaceAll(s, "\x00", "") }

func decodeState(what string, payload []byte, v any, version func() int) error {
	if len(payload) > MaxState {
		return fmt.Errorf("%s: %d bytes, at most %d are allowed", what, len(payload), MaxState)
	}
	if err := strict.Unmarshal(payload, v); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if version() != Version {
		return errVersion(what, version())
	}
	return nil
}
