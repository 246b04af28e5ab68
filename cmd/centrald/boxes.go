package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/fleet"
	"haochaping/internal/central/policy"
	pages "haochaping/internal/central/web/policy"
	"haochaping/internal/rating"
	"haochaping/internal/tomlfile"
)

// boxesConfig is how boxes ask. What is empty stays as each box's own file has it.
type boxesConfig struct {
	WaitSec   int    `toml:"wait_seconds"`
	ThanksSec int    `toml:"thanks_seconds"`
	Reasons   string `toml:"reasons"` // own, on or off
	ReasonSec int    `toml:"reason_seconds"`
	Welcome   string `toml:"welcome"`
	Later     string `toml:"later"`
	Question  string `toml:"question"`
	Matter    string `toml:"matter_question"`
	Thanks    string `toml:"thanks"`
	HoldMin   int    `toml:"hold_minutes"` // for which boxes must be well with a change before it goes on
}

// checkKinds reports settings that no policy could set so either: of boxes, of hours and of least numbers.
func (c *config) checkKinds(bad tomlfile.Report) {
	for name, f := range c.fields() {
		k, _ := policy.KindOf(name)
		whole := name == "deadline.sms.from" || name == "deadline.sms.until" || name == "figures.least_ranked"
		if !whole && !strings.HasPrefix(string(name), "boxes.") {
			continue // what is above says it in its own words
		}
		if err := k.Check(f.get()); err != nil {
			bad(string(name), "%v", "%v", err)
		}
	}
	least, most := int(fleet.LeastHold/time.Minute), int(fleet.MostHold/time.Minute)
	if c.Boxes.HoldMin < least || c.Boxes.HoldMin > most {
		bad("boxes.hold_minutes", "不能是 %d；请写 %d 至 %d", "%d is not allowed; write %d to %d", c.Boxes.HoldMin, least, most)
	}
}

// boxRules returns what boxes are to go by, as it is signed: what holds of the settings for boxes, and the reasons of the policy.
func (x *rooms) boxRules() (json.RawMessage, error) {
	b := x.cfg.Boxes
	r := rating.Rules{Wait: rating.WaitRule{Sec: b.WaitSec}, ThanksSec: b.ThanksSec, ReasonSec: b.ReasonSec}
	for _, h := range x.held {
		if h.Name == "boxes.wait_seconds" && h.Setting != nil && b.WaitSec != 0 {
			r.Wait.Least, r.Wait.Most = waitBounds(*h.Setting)
		}
	}
	if b.Reasons != "own" {
		r.AskReasons = new(b.Reasons == "on")
	}
	t := &r.Texts
	for _, w := range []struct {
		to   *rating.Words
		text string
		most int
	}{{&t.Welcome, b.Welcome, rating.MaxScreenText}, {&t.Later, b.Later, rating.MaxScreenText}, {&t.Question, b.Question, rating.MaxQuestion},
		{&t.Matter, b.Matter, rating.MaxQuestion}, {&t.Thanks, b.Thanks, rating.MaxScreenText}} {
		var err error
		if *w.to, err = rating.ParseWords(w.text, w.most); err != nil {
			return nil, err
		}
	}
	if x.cfg.policy.Catalogue != nil || b.Reasons == "on" { // a box that asks because it is told to may have none of its own
		all, err := x.cfg.reasons()
		if err != nil {
			return nil, err
		}
		keys := all.OnlyKeys()
		r.Catalogue = &keys
	}
	return r.Encode()
}

// waitBounds returns the bounds within which windows may wait for a key.
func waitBounds(s policy.Setting) (least, most int) {
	if s.Lower {
		return s.Range()
	}
	n, _ := strconv.Atoi(s.Value) // policy.Kind has checked it
	return n, n
}

// waits reports why windows may not wait so many seconds for a key by what the level above has set; 0 is each box's own.
func (x *rooms) waits(seconds int) error {
	for _, h := range x.held {
		if h.Name != "boxes.wait_seconds" || h.Setting == nil || x.cfg.Boxes.WaitSec == 0 || seconds == 0 {
			continue
		}
		if least, most := waitBounds(*h.Setting); seconds < least || seconds > most {
			return &policy.Refusal{ZH: fmt.Sprintf("等待按键的时间，上级只允许 %d 至 %d 秒。", least, most),
				EN: fmt.Sprintf("The level above allows %d to %d seconds.", least, most)}
		}
	}
	return nil
}

// boxesTold returns how far what boxes are to go by has come.
func (x *rooms) boxesTold(ctx context.Context) (pages.Boxes, error) {
	rules, err := x.boxRules()
	if err != nil {
		return pages.Boxes{}, err
	}
	n, err := x.fleet.Spread(ctx, rating.RulesID(rules))
	return pages.Boxes{Set: len(rules) > 0, All: n.Boxes, Sent: n.Sent, Have: n.Have, Old: n.Old}, err
}
