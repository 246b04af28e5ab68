package main

import (
	"context"
	"fmt"
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
	known, listed := names[0], names[0]
	if last := len(names) - 1; last > 0 {
		known = strings.Join(names[:last], ", ") + " and " + names[last]
		listed = strings.Join(names[:last], "、") + " 和 " + names[last]
	}
	switch {
	case flags.NArg() == 0 && len(names) == 1:
		return cli.Usage(name+" 后面写 "+listed, name+" takes the word "+known)
	case flags.NArg() == 0:
		return cli.Usage(fmt.Sprintf("%s 后面写 %s 之一", name, listed), fmt.Sprintf("%s takes one of the words %s", name, known))
	}
	return cli.Usage(fmt.Sprintf("没有 %s %q；有 %s", name, flags.Arg(0), listed),
		fmt.Sprintf("%s %q is unknown; there are %s", name, flags.Arg(0), known))
}
