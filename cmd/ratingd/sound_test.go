package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/device/sound"
	"haochaping/internal/boxconfig"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
)

func TestCues(t *testing.T) {
	order := [5]rating.Level{5, 4, 3, 2, 1}
	visit, other := &rating.Visit{ID: 1}, &rating.Visit{ID: 2}
	idle := terminal.View{State: terminal.Idle}
	asked := terminal.View{State: terminal.Asking, Visit: visit, Step: 1}
	again := terminal.View{State: terminal.Asking, Visit: visit, Step: 1, AskAgain: true}
	second := terminal.View{State: terminal.Asking, Visit: visit, Step: 2}
	thanks := terminal.View{State: terminal.Correcting, Visit: visit, Step: 1, Chosen: 2}
	corrected := terminal.View{State: terminal.Correcting, Visit: visit, Step: 1, Chosen: 5}
	phone := terminal.View{State: terminal.Correcting, Visit: visit, Step: 1}
	reasons := terminal.View{State: terminal.Explaining, Ended: visit, Step: 1, Chosen: 2}
	next := terminal.View{State: terminal.Explaining, Ended: visit, Step: 2, Chosen: 5, AskAgain: true}
	said := terminal.View{State: terminal.Explaining, Ended: visit}
	none := cue{position: -1}
	for name, c := range map[string]struct {
		from, to terminal.View
		want     cue
	}{
		"a visit is opened":    {idle, asked, cue{asking: true, position: -1}},
		"a visit supersedes":   {asked, terminal.View{State: terminal.Asking, Visit: other, Step: 1}, cue{asking: true, position: -1}},
		"the second question":  {thanks, second, cue{asking: true, position: -1}},
		"nothing new":          {asked, asked, none},
		"two keys":             {asked, again, cue{again: true, position: -1}},
		"two keys once more":   {again, again, none},
		"an answer":            {asked, thanks, cue{thanks: true, position: 3}},
		"the thanks stay":      {thanks, thanks, none},
		"another key corrects": {thanks, corrected, cue{thanks: true, position: 0}},
		"rated by phone":       {asked, phone, cue{thanks: true, position: -1}},
		"nobody answers":       {asked, idle, none},
		"reasons are asked":    {thanks, reasons, none},
		"a reason":             {reasons, next, none},
		"the last reason":      {next, said, none},
		"all is over":          {said, idle, none},
	} {
		if got := cueOf(c.from, c.to, order); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestTonesTellNoLevel compares what is heard of the best and the worst level.
func TestTonesTellNoLevel(t *testing.T) {
	best, worst := cue{thanks: true, position: 0}, cue{thanks: true, position: 4}
	same := prompter{tones: "same"}
	if !cmp.Equal(same.clip(best), same.clip(worst)) || len(same.clip(best).Samples) == 0 {
		t.Error("by default the levels sound different, or not at all")
	}
	each := prompter{tones: "per_key"}
	if cmp.Equal(each.clip(best), each.clip(worst)) {
		t.Error("per_key: the keys sound alike")
	}
	if c := (prompter{tones: "off"}).clip(best); len(c.Samples) != 0 {
		t.Error("off: there is a tone")
	}
	voice := sound.Tone(300, 16000, 2)
	spoken := prompter{tones: "same", asking: voice, thanks: voice}
	if got := spoken.clip(cue{asking: true, position: -1}); !cmp.Equal(got, voice) {
		t.Error("the prompt is not what was recorded")
	}
	if got := spoken.clip(best); got.Rate != 16000 || got.Length() <= voice.Length() {
		t.Errorf("tone and voice are %v at %d", got.Length(), got.Rate)
	}
}

func TestVolumeByTimeOfDay(t *testing.T) {
	c := boxconfig.Sound{Percent: 60, Volume: []boxconfig.Volume{{From: "18:00", Percent: 30}}}
	evening := time.Date(2026, 11, 23, 19, 0, 0, 0, time.Local)
	if got := percent(c, evening, true); got != 30 {
		t.Errorf("in the evening: %d", got)
	}
	if got := percent(c, evening, false); got != 60 {
		t.Errorf("in an evening by a clock that is not set: %d", got)
	}
	if got := percent(c, evening.Add(-2*time.Hour), true); got != 60 {
		t.Errorf("in the afternoon: %d", got)
	}
}

func TestMissingPromptIsSilent(t *testing.T) {
	p, err := loadPrompter(t.Context(), boxconfig.Sound{Tones: "off", Asking: filepath.Join(t.TempDir(), "none.wav")})
	if c := p.clip(cue{asking: true}); err == nil || !strings.Contains(err.Error(), "sound.asking") || len(c.Samples) != 0 {
		t.Error("a file that is not there is heard")
	}
}
