package rating

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	strict "github.com/go-json-experiment/json"
)

// RecordVersion is the version of the record's format that this code writes. A reader accepts every record of its own
// version and ignores fields that it does not know.
const RecordVersion = 1

// MaxRecord is the greatest size of a record in bytes. Only a Salvaged one comes near: what it holds is at most MaxVisit and
// a little more, and grows by a third in base64.
const MaxRecord = 96 << 10

// Stamp is a moment as a box without a clock chip can honestly state it. Boot and Mono order the moments of one box and
// never jump; Wall is what the clock said, and Synced whether the clock had been set by the network since that boot.
type Stamp struct {
	Boot   uint32 `json:"boot"`   // how often the box had started, from 1
	Mono   int64  `json:"mono"`   // milliseconds since that start
	Wall   int64  `json:"wall"`   // milliseconds since 1970-01-01 UTC
	Synced bool   `json:"synced"` // false: Wall is a rumour
}

// Sub returns the time from earlier to s by the monotonic clock. It is 0 between different boots, where no clock tells.
func (s Stamp) Sub(earlier Stamp) time.Duration {
	if s.Boot != earlier.Boot {
		return 0
	}
	return time.Duration(s.Mono-earlier.Mono) * time.Millisecond
}

// Add returns s moved by d on both clocks.
func (s Stamp) Add(d time.Duration) Stamp {
	s.Mono += d.Milliseconds()
	s.Wall += d.Milliseconds()
	return s
}

// Time returns the wall time. The caller minds Synced.
func (s Stamp) Time() time.Time { return time.UnixMilli(s.Wall) }

// Channel says how an evaluation was given.
type Channel string

// The channels.
const (
	Keypad Channel = "keypad" // a key at the window
	Phone  Channel = "phone"  // the page behind the QR code
)

// The channels besides the box (articles 12 and 13). An evaluation by one of them comes from the centre's own doors and never from a box.
const (
	Portal      Channel = "portal"       // 甘肃省政务服务网 and other sites
	App         Channel = "app"          // 甘快办APP
	MiniProgram Channel = "mini_program" // 政务服务小程序
	Kiosk       Channel = "kiosk"        // 自助服务终端
	Voice       Channel = "voice"        // 12345, by the call's keys
	SMS         Channel = "sms"          // 12345, by a short message
	Paper       Channel = "paper"        // 书面评价表格, entered later
)

// Channels returns the channels besides the box.
func Channels() []Channel { return []Channel{Portal, App, MiniProgram, Kiosk, Voice, SMS, Paper} }

// Chinese returns the channel's name, the code of one that is not known.
func (c Channel) Chinese() string {
	switch c {
	case Keypad:
		return "窗口按键"
	case Phone:
		return "手机扫码"
	case Portal:
		return "政务网站"
	case App:
		return "手机应用"
	case MiniProgram:
		return "小程序"
	case Kiosk:
		return "自助终端"
	case Voice:
		return "热线语音"
	case SMS:
		return "短信"
	case Paper:
		return "书面表格"
	}
	return string(c)
}

// Evaluation is one answer: of one visit, about one subject.
type Evaluation struct {
	Visit   VisitID  `json:"visit"`
	Subject Subject  `json:"subject"`
	Case    string   `json:"case,omitempty"` // project number, where the matter is asked case by case
	Level   Level    `json:"level"`
	Channel Channel  `json:"channel"`
	Reasons []string `json:"reasons,omitempty"` // codes of the catalogue of reasons
	// Catalogue is the version of that catalogue, 0 where none was offered.
	Catalogue uint32 `json:"catalogue,omitempty"`
	Text      string `json:"text,omitempty"`
	// Replaces is the seq of the evaluation that this one corrects, 0 if none. Both stay in the log; the later holds.
	Replaces uint64 `json:"replaces,omitempty"`
	// WaitedMS is the time from the question on the screen to the press, in milliseconds. Answers that come too fast
	// to be a citizen's show here.
	WaitedMS int64 `json:"waited_ms"`
}

// Closing is how the asking about a visit ended.
type Closing struct {
	Visit   VisitID   `json:"visit"`
	Outcome Outcome   `json:"outcome"`
	Rated   []Subject `json:"rated,omitempty"` // what had been answered by then
	// RatedCases are the project numbers of the cases that had been answered one by one.
	RatedCases []string `json:"rated_cases,omitempty"`
}

// Event is an audit event of the box.
type Event struct {
	Name   string            `json:"name"`
	Detail map[string]string `json:"detail,omitempty"`
}

// Salvaged is a record of an earlier store file of the same box that was damaged, as it was found there. In the books it
// stands under its own epoch and number, as if it had come by itself; it may have, before the damage.
type Salvaged struct {
	Record []byte `json:"record"` // its bytes
}

// The names of audit events.
const (
	EventStarted      = "started"       // the daemon started
	EventStopped      = "stopped"       // the daemon stopped in order
	EventConfigured   = "configured"    // a new configuration holds
	EventPaused       = "paused"        // the window was paused
	EventResumed      = "resumed"       // the window was resumed
	EventFault        = "fault"         // a part of the box failed
	EventRecovered    = "recovered"     // that part works again
	EventUnknownKey   = "unknown_key"   // a key without a level was pressed
	EventStuckKey     = "stuck_key"     // a key was down, or repeated, for too long
	EventReleasedKey  = "released_key"  // a stuck key was let go, or was silent
	EventKeysTogether = "keys_together" // two keys were down at once, the citizen was asked again
	EventEarlyPress   = "early_press"   // a press came before anybody could have read the question
	EventClock        = "clock"         // the wall clock was set; what it said before and after
	EventSignedIn     = "signed_in"     // a staff member signed in; who, and by what
	EventSignedOut    = "signed_out"    // the staff member signed out
	EventUnknownCard  = "unknown_card"  // a card was read that belongs to nobody; not which
	EventPrinted      = "printed"       // the PC had the QR code of a visit, to print it
	EventDamage       = "damage"        // the store's file was damaged and set aside
	EventSalvage      = "salvage"       // a damaged file has been read through; what was found
)

// Kind says which of a record's payloads is set.
type Kind string

// The kinds of records.
const (
	KindVisit      Kind = "visit"
	KindEvaluation Kind = "evaluation"
	KindOutcome    Kind = "outcome"
	KindEvent      Kind = "event"
	KindSalvaged   Kind = "salvaged"
	KindReason     Kind = "reason" // since 1.1; a box writes it for a centre that has said that it knows it
)

// Kinds returns every kind that this code knows.
func Kinds() []Kind {
	return []Kind{KindVisit, KindEvaluation, KindOutcome, KindEvent, KindSalvaged, KindReason}
}

// Body is a record before the log has given it a place: what happened, and when. Exactly one payload is set.
type Body struct {
	At         Stamp       `json:"at"`
	Kind       Kind        `json:"kind"`
	Visit      *Visit      `json:"visit,omitempty"`
	Evaluation *Evaluation `json:"evaluation,omitempty"`
	Outcome    *Closing    `json:"outcome,omitempty"`
	Event      *Event      `json:"event,omitempty"`
	Salvaged   *Salvaged   `json:"salvaged,omitempty"`
	Reason     *Reason     `json:"reason,omitempty"`
}

// VisitBody returns the body that records that v was opened.
func VisitBody(at Stamp, v Visit) Body { return Body{At: at, Kind: KindVisit, Visit: &v} }

// EvaluationBody returns the body that records an answer.
func EvaluationBody(at Stamp, e Evaluation) Body {
	return Body{At: at, Kind: KindEvaluation, Evaluation: &e}
}

// OutcomeBody returns the body that records how the asking about a visit ended.
func OutcomeBody(at Stamp, c Closing) Body { return Body{At: at, Kind: KindOutcome, Outcome: &c} }

// SalvagedBody returns the body that holds a record of a damaged file.
func SalvagedBody(at Stamp, record []byte) Body {
	return Body{At: at, Kind: KindSalvaged, Salvaged: &Salvaged{Record: record}}
}

// EventBody returns the body of an audit event. The pairs are the names and values of its detail.
func EventBody(at Stamp, name string, pairs ...string) Body {
	e := Event{Name: name}
	for i := 0; i+1 < len(pairs); i += 2 {
		if e.Detail == nil {
			e.Detail = make(map[string]string)
		}
		e.Detail[pairs[i]] = pairs[i+1]
	}
	return Body{At: at, Kind: KindEvent, Event: &e}
}

// Record is one entry of a device's log.
type Record struct {
	V      int      `json:"v"`
	Device DeviceID `json:"device"`
	Epoch  Epoch    `json:"epoch"`
	Seq    uint64   `json:"seq"`  // from 1, without gaps
	Prev   Hash     `json:"prev"` // hash of the record before, or Genesis
	Body
}

// Encode returns the record's bytes after checking them as DecodeRecord would.
func (r Record) Encode() ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode record %d: %w", r.Seq, err)
	}
	if len(b) > MaxRecord {
		return nil, fmt.Errorf("encode record %d: %d bytes, at most %d are allowed", r.Seq, len(b), MaxRecord)
	}
	return b, nil
}

// DecodeRecord reads and checks a record. An error says what is wrong with it; the bytes are then fit for quarantine only.
func DecodeRecord(b []byte) (Record, error) {
	var r Record
	if len(b) > MaxRecord {
		return r, fmt.Errorf("record: %d bytes, at most %d are allowed", len(b), MaxRecord)
	}
	// Names are exact and stand once: who else reads the record by its schema must read the same.
	if err := strict.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("record: %s", Steady(err))
	}
	return r, r.Check()
}

// maxSafeInt is the greatest integer that every JSON reader keeps exact.
const maxSafeInt = 1<<53 - 1

// Check reports the first bound of the record's schema that r breaks.
func (r Record) Check() error {
	if r.V != RecordVersion {
		return fmt.Errorf("record: version %d is not supported, only %d is", r.V, RecordVersion)
	}
	if _, err := ParseDeviceID(string(r.Device)); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if r.Epoch == 0 {
		return errors.New("record: epoch is empty")
	}
	if r.Seq == 0 || r.Seq > maxSafeInt {
		return fmt.Errorf("record: seq %d is out of range", r.Seq)
	}
	if err := r.Body.Check(); err != nil {
		return fmt.Errorf("record %d: %w", r.Seq, err)
	}
	return nil
}

// Check reports the first bound that b breaks.
func (b Body) Check() error {
	if b.At.Boot == 0 || b.At.Mono < 0 || b.At.Mono > maxSafeInt || b.At.Wall < -maxSafeInt || b.At.Wall > maxSafeInt {
		return fmt.Errorf("at: boot %d, mono %d, wall %d: out of range", b.At.Boot, b.At.Mono, b.At.Wall)
	}
	payloads := 0
	for _, set := range []bool{b.Visit != nil, b.Evaluation != nil, b.Outcome != nil, b.Event != nil, b.Salvaged != nil, b.Reason != nil} {
		if set {
			payloads++
		}
	}
	if payloads != 1 {
		return fmt.Errorf("kind %q: %d payloads, want one", b.Kind, payloads)
	}
	switch {
	case b.Kind == KindVisit && b.Visit != nil:
		return b.Visit.Check()
	case b.Kind == KindEvaluation && b.Evaluation != nil:
		if b.Evaluation.Text != "" {
			return errors.New("evaluation: it has a text, which a box cannot take; texts are given by phone")
		}
		return b.Evaluation.Check()
	case b.Kind == KindOutcome && b.Outcome != nil:
		return b.Outcome.Check()
	case b.Kind == KindEvent && b.Event != nil:
		return b.Event.Check()
	case b.Kind == KindSalvaged && b.Salvaged != nil:
		return b.Salvaged.Check()
	case b.Kind == KindReason && b.Reason != nil:
		return b.Reason.Check()
	}
	return fmt.Errorf("kind %q: unknown, or not that of the payload", b.Kind)
}

// Check reports the first bound that e breaks.
func (e Evaluation) Check() error {
	switch {
	case e.Visit == 0:
		return errors.New("evaluation: visit is empty")
	case !e.Subject.Valid():
		return fmt.Errorf("evaluation: subject %q is unknown", e.Subject)
	case !e.Level.Valid():
		return fmt.Errorf("evaluation: level %d is none of 1 to 5 (article 10)", e.Level)
	case e.Channel != Keypad && e.Channel != Phone:
		return fmt.Errorf("evaluation: channel %q is unknown", e.Channel)
	case len(e.Reasons) > MaxReasons:
		return fmt.Errorf("evaluation: %d reasons, at most %d are allowed", len(e.Reasons), MaxReasons)
	case e.WaitedMS < 0 || e.WaitedMS > maxSafeInt:
		return fmt.Errorf("evaluation: waited %d ms: out of range", e.WaitedMS)
	case e.Replaces > maxSafeInt:
		return fmt.Errorf("evaluation: replaces %d: out of range", e.Replaces)
	case e.Case != "" && e.Subject != MatterSubject:
		return fmt.Errorf("evaluation: subject %q of case %q, only the matter has a case", e.Subject, e.Case)
	}
	if err := checkCode("case", e.Case); err != nil {
		return fmt.Errorf("evaluation: %w", err)
	}
	for _, r := range e.Reasons {
		if r == "" {
			return errors.New("evaluation: a reason is empty")
		}
		if err := checkCode("reason", r); err != nil {
			return fmt.Errorf("evaluation: %w", err)
		}
	}
	return checkText("evaluation: text", e.Text, MaxText)
}

// Check reports the first bound that c breaks.
func (c Closing) Check() error {
	if c.Visit == 0 {
		return errors.New("outcome: visit is empty")
	}
	if !c.Outcome.Valid() {
		return fmt.Errorf("outcome %q is unknown", c.Outcome)
	}
	for i, s := range c.Rated {
		if !s.Valid() || i > 1 {
			return fmt.Errorf("outcome: rated subjects %q: unknown or too many", c.Rated)
		}
	}
	if len(c.RatedCases) > MaxCases {
		return fmt.Errorf("outcome: %d rated cases, at most %d are allowed", len(c.RatedCases), MaxCases)
	}
	for _, project := range c.RatedCases {
		if project == "" {
			return errors.New("outcome: a rated case is empty")
		}
		if err := checkCode("rated_cases", project); err != nil {
			return fmt.Errorf("outcome: %w", err)
		}
	}
	return nil
}

// Check reports the first bound that e breaks.
func (e Event) Check() error {
	if e.Name == "" || len(e.Detail) > 32 {
		return fmt.Errorf("event %q with %d details: the name is missing or the details are too many", e.Name, len(e.Detail))
	}
	if err := checkCode("event.name", e.Name); err != nil {
		return err
	}
	for k, v := range e.Detail {
		if err := firstError(checkCode("event.detail", k), checkText("event.detail."+k, v, 1000)); err != nil {
			return err
		}
	}
	return nil
}

// Check reports why s could not be entered in the books: it must be a whole record. That may hold another in turn, if files
// were damaged one after the other; each is a quarter smaller than what holds it, so they come to an end.
func (s Salvaged) Check() error {
	if _, err := DecodeRecord(s.Record); err != nil {
		return fmt.Errorf("salvaged: %w", err)
	}
	return nil
}
