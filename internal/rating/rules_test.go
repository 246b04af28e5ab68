package rating

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRulesComeBack(t *testing.T) {
	c, err := BuiltInCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	c = c.OnlyKeys()
	for _, r := range []Rules{{}, {ThanksSec: 4}, {Wait: WaitRule{40, 30, 90}, ThanksSec: 2, AskReasons: new(false), ReasonSec: 9,
		Catalogue: &c,
		Texts:     ScreenTexts{Welcome: Words{"您好", "Hello"}, Thanks: Words{ZH: "谢谢 <3"}}}} {
		b, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if (len(b) == 0) != (r == Rules{}) || (RulesID(b) == "") != (r == Rules{}) {
			t.Errorf("%+v is %s", r, b)
		}
		again, err := ParseRules(b)
		if diff := cmp.Diff(r, again); err != nil || diff != "" {
			t.Errorf("%v, (-want +got):\n%s", err, diff)
		}
		whole, err := json.Marshal(struct{ Rules json.RawMessage }{b}) // as a configuration has them
		var read struct{ Rules json.RawMessage }
		if err == nil && len(b) > 0 {
			if err = json.Unmarshal(whole, &read); RulesID(read.Rules) != RulesID(b) {
				t.Errorf("in a configuration they are %s, not %s", read.Rules, b)
			}
		}
		if err != nil {
			t.Error(err)
		}
	}
	if got := len(c.Reasons); got != 5*KeyReasons {
		t.Errorf("%d reasons stand above keys, want %d", got, 5*KeyReasons)
	}
}

func TestRulesRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"thanks_sec":11}`:                            "thanks is 11",
		`{"reason_sec":2}`:                             "reasons is 2",
		`{"wait":{"sec":4}}`:                           "wait is 4",
		`{"wait":{"sec":40,"least":50}}`:               "outside of its bounds",
		`{"wait":{"least":50,"most":40}}`:              "outside of its bounds",
		`{"candle":true}`:                              "candle",
		`{"thanks_sec":4} {}`:                          "after top-level value",
		`{"texts":{"welcome":{"zh":"","en":"Hello"}}}`: "Chinese are missing",
		`{"texts":{"question":{"zh":"请您对本次服务进行评价吧"}}}`:                          "at most 11",
		`{"texts":{"thanks":{"zh":"谢谢\u0007"}}}`:                                "control characters",
		`{"catalogue":{"version":1,"reasons":[]}}`:                              "need a reason each",
		`{"texts":{"later":{"zh":"好","en":"` + strings.Repeat("x", 41) + `"}}}`: "at most 40",
	} {
		if _, err := ParseRules([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestWordsAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]Words{"": {}, "您好": {ZH: "您好"}, " 您好 | Hello ": {"您好", "Hello"}} {
		if got, err := ParseWords(text, 4); err != nil || got != want {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"| Hello", "您好您好您"} {
		if got, err := ParseWords(text, 4); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
	zh, en := Words{}.Or("a", "b")
	zh2, en2 := Words{ZH: "您好"}.Or("a", "b")
	if zh != "a" || en != "b" || zh2 != "您好" || en2 != "" {
		t.Errorf("%s %s, %s %s", zh, en, zh2, en2)
	}
}
