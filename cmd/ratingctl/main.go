// Command ratingctl is the administrators' tool.
//
//	ratingctl keys -config FILE      prints what each press of the keypad reads as
//	ratingctl keys -learn            finds out an unknown keypad and writes its profile
//	ratingctl keys -cards            prints what a card reader reads; with -learn finds out an unknown one
//	ratingctl identity -config FILE  prints who the box is, for enrolling it
//	ratingctl log -config FILE       lists, verifies and exports what the box has recorded
//	ratingctl status -config FILE    prints how the box is, as the daemon tells
//	ratingctl doctor -config FILE    looks at one part of the box after the other and says what to do
//	ratingctl token add|list|revoke  says which PCs may start evaluations
//	ratingctl visit start|wait|cancel does what the window's PC does
//	ratingctl console silent|text    keeps text off the screen's console; the service does it by itself
//	ratingctl demo                   runs a box and a centre on this machine, in a browser
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "ratingctl: error:", err)
		if h := new(hinted); errors.As(err, &h) {
			fmt.Fprintln(os.Stderr, "ratingctl: hint:", h.hint)
		}
		os.Exit(exitStatus(err))
	}
}

// exitStatus returns the status that the program ends with.
func exitStatus(err error) int {
	if e := new(exitError); errors.As(err, &e) {
		return e.status
	}
	if err != nil {
		return 1
	}
	return 0
}

// hinted is an error with what to do about it.
type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

const usage = `ratingctl is the administrators' tool.

  ratingctl keys -config FILE      print what each press of the keypad reads as
  ratingctl keys -list             list the input devices and serial profiles that there are
  ratingctl keys -learn            find out an unknown keypad and write its profile
  ratingctl keys -cards            print what a card reader reads; with -learn find out an unknown one
  ratingctl identity -config FILE  print who the box is, for enrolling it
  ratingctl log -config FILE       list, verify or export what the box has recorded
  ratingctl status -config FILE    print how the box is, on one screen (-json for programs)
  ratingctl doctor -config FILE    look at one part of the box after the other and say what to do
  ratingctl token add|list|revoke  say which PCs may start evaluations
  ratingctl visit start|wait|cancel  start an evaluation as the window's PC does
  ratingctl sound -test            play what citizens hear, and say what keeps it from being heard
  ratingctl console silent|text    keep text off the screen's console, or let it back
  ratingctl demo [-listen ADDR]    run a box and a centre on this machine, in a browser
`

// run does what the arguments say.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" {
		_, err := io.WriteString(stdout, usage)
		return err
	}
	switch args[0] {
	case "keys":
		return keys(ctx, args[1:], os.Stdin, stdout, stderr)
	case "identity":
		return identity(args[1:], stdout, stderr)
	case "log":
		return logCommand(args[1:], stdout, stderr)
	case "status":
		return statusCommand(ctx, args[1:], stdout, stderr)
	case "doctor":
		return doctor(ctx, args[1:], stdout, stderr)
	case "token":
		return token(args[1:], stdout, stderr)
	case "visit":
		return visit(ctx, args[1:], os.Getenv, os.Stdin, stdout, stderr)
	case "sound":
		return soundCommand(ctx, args[1:], stdout, stderr)
	case "console":
		return console(args[1:], stderr)
	case "clock":
		return clockMark(ctx, args[1:])
	case "demo":
		return demo(ctx, args[1:], stdout, stderr)
	}
	return &hinted{fmt.Errorf("command %q is unknown", args[0]), "there are keys, identity, log, status, doctor, token, visit, sound, console and demo; ratingctl help says what they do"}
}
