package sound

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// speechTime is how long a program may take to speak a prompt.
const speechTime = 15 * time.Second

// Speak lets a program, espeak-ng, speak a prompt in Mandarin. What it says is made once and played like a recording.
func Speak(ctx context.Context, command, text string) (Clip, error) {
	timed, cancel := context.WithTimeout(ctx, speechTime)
	defer cancel()
	var spoken, said bytes.Buffer
	// Slower than it would by itself, for a hall.
	cmd := exec.CommandContext(timed, command, "-v", "cmn", "-s", "150", "--stdout", text)
	cmd.Stdout, cmd.Stderr = &spoken, &said
	cmd.WaitDelay = 100 * time.Millisecond
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return Clip{}, fmt.Errorf("speak a prompt: install the Debian package espeak-ng: %w", err)
	case err != nil:
		return Clip{}, fmt.Errorf("speak a prompt: %s: %w: %s", command, err, strings.TrimSpace(said.String()))
	}
	clip, err := Parse(spoken.Bytes())
	if err != nil {
		return Clip{}, fmt.Errorf("speak a prompt: what %s says is not understood: %w", command, err)
	}
	return clip, nil
}

// The words of the prompts. Neither says which level was chosen.
const (
	AskingWords = "请您对本次服务进行评价"
	ThanksWords = "感谢您的评价"
)

// Prompt returns a recording if there is one, else what a program makes of the words if one is named, else silence.
func Prompt(ctx context.Context, recording, command, words string) (Clip, error) {
	switch {
	case recording != "":
		return Load(recording)
	case command != "":
		return Speak(ctx, command, words)
	}
	return Clip{}, nil
}
