package rating

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	strict "github.com/go-json-experiment/json"
)

// Bounds of what the levels above may set for a box.
const (
	LeastThanks  = 1 // seconds
	MostThanks   = 10
	LeastExplain = 3 // seconds
	MostExplain  = 30
	// MaxScreenText is the greatest length of a line on the screen in characters, in Chinese; MaxQuestion that of a question, which must stand
	// beside the QR code and a long matter; MaxScreenEnglish that of the line below it.
	MaxScreenText    = 18
	MaxQuestion      = 11
	MaxScreenEnglish = 40
)

// Rules is what the levels above have set for a box. What is empty stays as the box's own file has it.
type Rules struct {
	Wait       WaitRule    `json:"wait,omitzero"`
	ThanksSec  int         `json:"thanks_sec,omitempty"`  // in which another key corrects the answer
	AskReasons *bool       `json:"ask_reasons,omitempty"` // after each answer
	ReasonSec  int         `json:"reason_sec,omitempty"`  // for the reasons of each answer
	Texts      ScreenTexts `json:"texts,omitzero"`
	// Catalogue holds the reasons that stand above keys, nil for the box's own. Those that phones alone offer are left out.
	Catalogue *Catalogue `json:"catalogue,omitempty"`
}

// WaitRule says how long a question waits for a key, in seconds. Without bounds any window, PC and box may say otherwise.
type WaitRule struct {
	Sec   int `json:"sec,omitempty"`
	Least int `json:"least,omitempty"`
	Most  int `json:"most,omitempty"`
}

// Within returns a time within the bounds.
func (w WaitRule) Within(sec int) int {
	if w.Most > 0 {
		sec = min(sec, w.Most)
	}
	return max(sec, w.Least)
}

// ScreenTexts are what a box's screen says. None says what is fixed: that rating is voluntary, the levels, and what somebody must do.
type ScreenTexts struct {
	Welcome  Words `json:"welcome,omitzero"`
	Later    Words `json:"later,omitzero"` // below the welcome: that the service may be rated when it is done
	Question Words `json:"question,omitzero"`
	Matter   Words `json:"matter,omitzero"` // the question about the matter
	Thanks   Words `json:"thanks,omitzero"` // once the answer is recorded
}

// Words are a line in Chinese and what stands below it in English, which may be empty.
type Words struct {
	ZH string `json:"zh"`
	EN string `json:"en,omitempty"`
}

// ParseWords reads words of so many characters in Chinese at most, as people write them in a setting: 中文 | English.
func ParseWords(s string, most int) (Words, error) {
	zh, en, _ := strings.Cut(s, "|")
	w := Words{strings.TrimSpace(zh), strings.TrimSpace(en)}
	return w, w.check(most)
}

func (w Words) check(most int) error {
	if w == (Words{}) {
		return nil
	}
	if w.ZH == "" {
		return errors.New("the words in Chinese are missing")
	}
	return firstError(checkText("text", w.ZH, most), checkText("text", w.EN, MaxScreenEnglish))
}

// Or returns the words, or others if they are empty.
func (w Words) Or(zh, en string) (string, string) {
	if w == (Words{}) {
		return zh, en
	}
	return w.ZH, w.EN
}

// Check reports the first bound that the rules break.
func (r Rules) Check() error {
	most := int(MaxWait / time.Second)
	within := func(what string, n, least, most int) error {
		if n != 0 && (n < least || n > most) {
			return fmt.Errorf("%s is %d, want %d to %d seconds", what, n, least, most)
		}
		return nil
	}
	if err := firstError(within("wait", r.Wait.Sec, LeastWait, most), within("wait's least", r.Wait.Least, LeastWait, most),
		within("wait's most", r.Wait.Most, LeastWait, most), within("thanks", r.ThanksSec, LeastThanks, MostThanks),
		within("reasons", r.ReasonSec, LeastExplain, MostExplain)); err != nil {
		return err
	}
	if r.Wait.Most > 0 && r.Wait.Least > r.Wait.Most || r.Wait.Sec != 0 && r.Wait.Within(r.Wait.Sec) != r.Wait.Sec {
		return errors.New("the wait is outside of its bounds")
	}
	t := r.Texts
	if err := firstError(t.Welcome.check(MaxScreenText), t.Later.check(MaxScreenText), t.Question.check(MaxQuestion),
		t.Matter.check(MaxQuestion), t.Thanks.check(MaxScreenText)); err != nil {
		return err
	}
	if r.Catalogue != nil {
		return r.Catalogue.Check()
	}
	return nil
}

// Encode returns the rules as they are signed, nil for none.
func (r Rules) Encode() (json.RawMessage, error) {
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("rules of boxes: %w", err)
	}
	b, err := json.Marshal(r)
	if err != nil || string(b) == "{}" {
		return nil, err
	}
	return b, nil
}

// ParseRules reads what Encode wrote. What this program does not know is an error: a rule that is left out would bind nobody.
func ParseRules(b []byte) (Rules, error) {
	var r Rules
	if len(b) == 0 {
		return r, nil
	}
	if err := strict.Unmarshal(b, &r, strict.RejectUnknownMembers(true)); err != nil {
		return Rules{}, fmt.Errorf("rules of boxes: %w", err)
	}
	if err := r.Check(); err != nil {
		return Rules{}, fmt.Errorf("rules of boxes: %w", err)
	}
	return r, nil
}

// RulesID names encoded rules by their content, empty for none.
func RulesID(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	const length = 8 // bytes
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:length])
}

// OnlyKeys returns the catalogue with what boxes offer.
func (c Catalogue) OnlyKeys() Catalogue {
	out := Catalogue{Version: c.Version}
	for _, r := range c.Reasons {
		if r.Key > 0 {
			r.Aspect = ""
			out.Reasons = append(out.Reasons, r)
		}
	}
	return out
}
