package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"

	"haochaping/device/sound"
	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
)

// soundCommand plays what citizens hear, one after the other, and says what keeps it from being heard.
func soundCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("ratingctl sound", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cli.Describe(ctx, flags, condition.Text{})
	test := flags.Bool("test", false, cli.Words("按配置播放提示音和语音", "play the tone and the prompts as they are configured"))
	c, err := parsedConfig(flags, args)
	if err != nil || c == nil {
		return err
	}
	if !*test {
		return cli.Hint(cli.Usage("没有说明要做什么", "it is not said what to do with the sound"), "写 ratingctl sound -test",
			"write \"ratingctl sound -test\"")
	}
	player := sound.NewPlayer(sound.Config{
		Command: "aplay", Device: c.Sound.Device, Cards: "/proc/asound/cards", Logger: slog.New(slog.DiscardHandler),
	})
	return testSound(ctx, c.Sound, player.PlayNow, stdout)
}

// testSound plays the tone of the middle key and both prompts, as loud as it is without times of the day. Each failure says what to do.
func testSound(ctx context.Context, c boxconfig.Sound, play func(context.Context, sound.Clip) error, stdout io.Writer) error {
	tones, lang := sound.Tones(), cli.LangOf(ctx)
	parts := []struct {
		zh, en string
		clip   func() (sound.Clip, error)
	}{
		{"按键音", "tone", func() (sound.Clip, error) {
			if c.Tones == "off" {
				return sound.Clip{}, nil
			}
			return sound.Tone(tones[len(tones)/2], 48000, 1), nil
		}},
		{"提示语 “" + sound.AskingWords + "”", "prompt while asking", func() (sound.Clip, error) {
			return sound.Prompt(ctx, c.Asking, c.Speaker(), sound.AskingWords)
		}},
		{"提示语 “" + sound.ThanksWords + "”", "prompt of the thanks", func() (sound.Clip, error) {
			return sound.Prompt(ctx, c.Thanks, c.Speaker(), sound.ThanksWords)
		}},
	}
	var errs []error
	for _, p := range parts {
		clip, err := p.clip()
		said := lang.Say("未配置", "none is configured")
		if err == nil && len(clip.Samples) > 0 {
			said = lang.Say("已播放", "played")
			err = play(ctx, clip.Gain(c.Percent))
		}
		if err != nil {
			said = lang.Say("没有声音", "no sound") + ": " + lang.Error(err)
			errs = append(errs, fmt.Errorf("%s: %w", p.en, err))
		}
		if _, err := fmt.Fprintf(stdout, "%s: %s\n", lang.Say(p.zh, p.en), said); err != nil {
			return err
		}
	}
	if len(errs) > 0 {
		return cli.Hint(errors.Join(errs...), "aplay -l 列出声卡，sound.device 写其中一个；没有声卡也能评价",
			"aplay -l lists the cards, sound.device names one; a box without a card works as well")
	}
	return nil
}
