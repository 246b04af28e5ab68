package main

import (
	"context"
	"log/slog"
	"time"

	"haochaping/device/sound"
	"haochaping/internal/boxconfig"
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

// newPrompter loads the spoken prompts, or lets them be spoken. One that cannot be used is reported and replaced by silence: the keys
// count without sound.
func newPrompter(ctx context.Context, c boxconfig.Sound, log *slog.Logger) prompter {
	load := func(key, recording, words string) sound.Clip {
		clip, err := sound.Prompt(ctx, recording, c.Speaker(), words)
		if err != nil {
			log.Error("a spoken prompt cannot be used; the box works without it", "field", key, "error", err)
			return sound.Clip{}
		}
		return clip
	}
	return prompter{
		tones:  c.Tones,
		asking: load("sound.asking", c.Asking, sound.AskingWords), thanks: load("sound.thanks", c.Thanks, sound.ThanksWords),
	}
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
	log    *slog.Logger
	player *sound.Player
	wall   func() time.Time
	synced func() bool
}

func newSpeaker(c boxconfig.Sound, order [5]rating.Level, env environment, log *slog.Logger) speaker {
	return speaker{c, order, log, sound.NewPlayer(sound.Config{
		Command: env.aplay, Device: c.Device, Cards: env.soundCards, Logger: log,
	}), env.wall, env.synced}
}

// run plays what views are heard as until ctx ends.
func (s speaker) run(ctx context.Context, shown *latest[terminal.View]) error {
	played := make(chan error, 1)
	go func() { played <- s.player.Run(ctx) }()
	prompt := newPrompter(ctx, s.cfg, s.log)
	old := shown.get()
	shown.each(ctx, func(v terminal.View) {
		clip := prompt.clip(cueOf(old, v, s.order))
		old = v
		if loud := percent(s.cfg, s.wall(), s.synced()); len(clip.Samples) > 0 && loud > 0 {
			s.player.Play(clip.Gain(loud))
		}
	})
	return <-played
}
