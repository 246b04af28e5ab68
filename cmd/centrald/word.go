package main

import (
	"context"
	"strings"

	"haochaping/internal/cli"
)

// word is a command of a command.
type word struct {
	name string
	run  func(context.Context, []string) error
}

// oneOf runs the one of some words with which the arguments begin.
func (c *command) oneOf(ctx context.Context, name string, args []string, words []word) error {
	flags := c.flags(name)
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	names := make([]string, len(words))
	for i, w := range words {
		if names[i] = w.name; w.name == flags.Arg(0) {
			return w.run(ctx, flags.Args()[1:])
		}
	}
	last := len(names) - 1
	known := strings.Join(names[:last], ", ") + " and " + names[last]
	if flags.NArg() == 0 {
		return cli.Usagef("%s takes one of the words %s", name, known)
	}
	return cli.Usagef("%s %q is unknown; there are %s", name, flags.Arg(0), known)
}
