package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"haochaping/device/sound"
	"haochaping/internal/boxconfig"
	"haochaping/internal/crash"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
)

// cue is what a change of the view is heard as.
type cue struct {
	asking, thanks bool
	again          bool // asked again, since nobody can say which key was meant
	position       int  // of the chosen key from the left, -1 if none was pressed
}

// cueOf returns what the change from one view to the next is heard as.
func cueOf(old, v terminal.View, order [5]rating.Level) cue {
	c := cue{position: -1}
	fresh := v.Visit != nil && (old.Visit == nil || old.Visit.ID != v.Visit.ID || old.Step != v.Step)
	switch v.State {
	case terminal.Asking:
		c.asking = fresh && v.Problem == ""
		c.again = !fresh && v.AskAgain && !old.AskAgain
	case terminal.Correcting:
		c.thanks = old.State != terminal.Correcting || fresh || old.Chosen != v.Chosen
		for i, level := range order {
			if c.thanks && level == v.Chosen {
				c.position = i
			}
		}
	}
	return c
}

// prompter turns cues into clips.
type prompter struct {
	tones          string // off, same or per_key
	asking, thanks sound.Clip
}

// clip returns what is played for a cue, empty if nothing.
func (p prompter) clip(c cue) sound.Clip {
	spoken := sound.Clip{}
	switch {
	case c.asking:
		spoken = p.asking
	case c.thanks:
		spoken = p.thanks
	case !c.again:
		return spoken
	}
	rate, channels := 48000, 1
	if len(spoken.Samples) > 0 {
		rate, channels = spoken.Rate, spoken.Channels
	}
	const middle = 2 // of the five tones
	pitch := sound.Tones()[middle]
	switch {
	case p.tones == "off":
		return spoken
	case c.asking && len(spoken.Samples) > 0:
		return spoken // a voice needs no tone before it
	case p.tones == "per_key" && c.position >= 0:
		pitch = sound.Tones()[c.position]
	}
	both, err := sound.Tone(pitch, rate, channels).Then(spoken)
	if err != nil { // never: the tone was made to fit
		return spoken
	}
	return both
}

// loadPrompter loads the spoken prompts, or lets them be spoken. With an error, those that cannot be used are silent.
func loadPrompter(ctx context.Context, c boxconfig.Sound) (prompter, error) {
	p := prompter{tones: c.Tones}
	var errs []error
	for _, f := range []struct {
		key, path, words string
		to               *sound.Clip
	}{{"sound.asking", c.Asking, sound.AskingWords, &p.asking}, {"sound.thanks", c.Thanks, sound.ThanksWords, &p.thanks}} {
		clip, err := sound.Prompt(ctx, f.path, c.Speaker(), f.words)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.key, err))
			continue
		}
		*f.to = clip
	}
	return p, errors.Join(errs...)
}

// percent returns how loud it is now. A clock that is not set knows no evening.
func percent(c boxconfig.Sound, wall time.Time, synced bool) int {
	if !synced {
		return c.Percent
	}
	var levels []sound.Level
	for _, v := range c.Volume {
		if at, err := v.Minute(); err == nil { // checked when the configuration was read
			levels = append(levels, sound.Level{From: at, Percent: v.Percent})
		}
	}
	return sound.Percent(levels, wall.Hour()*60+wall.Minute(), c.Percent)
}

// speaker lets the box be heard. It has goroutines of its own, so that it never holds up a key.
type speaker struct {
	cfg    boxconfig.Sound
	order  [5]rating.Level
	env    environment
	log    *slog.Logger
	prompt atomic.Pointer[prompter]
}

func newSpeaker(c boxconfig.Sound, order [5]rating.Level, env environment, log *slog.Logger) *speaker {
	s := &speaker{cfg: c, order: order, env: env, log: log}
	s.prompt.Store(&prompter{tones: c.Tones})
	return s
}

// wanted reports whether anything says that this box is to be heard: tones are on by default, also where there is no sound card.
func (s *speaker) wanted() bool {
	return s.cfg.Device != "" || s.cfg.Asking != "" || s.cfg.Thanks != "" || s.cfg.Speaker() != ""
}

// loadPrompts loads the spoken prompts, and returns what is wrong with them, or nil when ctx ends.
func (s *speaker) loadPrompts(ctx context.Context, report func(error)) error {
	p, err := loadPrompter(ctx, s.cfg)
	s.prompt.Store(&p)
	if err != nil {
		return err
	}
	report(nil)
	return idle(ctx)
}

// run plays what views are heard as until ctx ends.
func (s *speaker) run(ctx context.Context, shown *latest[terminal.View], report func(error)) error {
	if !s.wanted() {
		report = func(error) {} // a box without a sound card is as it was meant
	}
	player := sound.NewPlayer(sound.Config{Command: s.env.aplay, Device: s.cfg.Device, Cards: s.env.soundCards,
		Report: report, Logger: s.log})
	played := make(chan error, 1)
	go func() { played <- crash.Contain(func() error { return player.Run(ctx) }) }()
	old := shown.get()
	shown.each(ctx, func(v terminal.View) {
		clip := s.prompt.Load().clip(cueOf(old, v, s.order))
		old = v
		if loud := percent(s.cfg, s.env.wall(), s.env.synced()); len(clip.Samples) > 0 && loud > 0 {
			player.Play(clip.Gain(loud))
		}
	})
	return <-played
}
