package main

import (
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"text/tabwriter"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/windowapi"
)

const tokenUsage = `ratingctl token says which PCs may start evaluations at this box.

  ratingctl token add -name "A12 PC"   print a new token, once; the box keeps only its hash
  ratingctl token list                 list the tokens that there are
  ratingctl token revoke ID            refuse a token from now on

`

// token adds, lists and revokes the tokens of the window's PCs. The daemon notices by itself.
func token(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("ratingctl token", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		_, _ = io.WriteString(stderr, tokenUsage)
		flags.PrintDefaults()
	}
	config := flags.String("config", "/etc/ratingd.toml", "the box's configuration `file`")
	asJSON := flags.Bool("json", false, "list prints a JSON array")
	name := flags.String("name", "", "what people call the PC, for add")
	what, rest, err := subcommand(flags, args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := boxconfig.LoadPartial(*config)
	if err != nil {
		return &hinted{err, "name the box's configuration with -config"}
	}
	path := filepath.Join(c.State, windowapi.TokensFile)
	err = changeToken(path, what, *name, rest, *asJSON, stdout)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return &hinted{err, "run it as root: sudo ratingctl token " + what}
	case errors.Is(err, fs.ErrNotExist):
		return &hinted{err, "the state folder is made at the daemon's first start; start ratingd, or see \"state\" in " + *config}
	}
	return err
}

func changeToken(path, what, name string, rest []string, asJSON bool, stdout io.Writer) error {
	switch {
	case what == "add" && len(rest) == 0:
		if name == "" {
			return &hinted{errors.New("the token has no name"), "name the PC, so that you know later what to revoke: ratingctl token add -name \"A12 PC\""}
		}
		secret, t, err := windowapi.AddToken(path, name, rand.Reader, time.Now())
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(stdout, "%s\n\nThis is the token of %s (%s). It is shown only now: enter it in the PC's business system.\n"+
			"这是 %s 的令牌，只显示这一次，请填入该电脑的业务系统。撤销：ratingctl token revoke %s\n", secret, t.Name, t.ID, t.Name, t.ID)
		return err
	case what == "list" && len(rest) == 0:
		return listTokens(path, asJSON, stdout)
	case what == "revoke" && len(rest) == 1:
		err := windowapi.RevokeToken(path, rest[0])
		if errors.Is(err, windowapi.ErrNoToken) {
			return &hinted{err, "ratingctl token list shows the IDs"}
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(stdout, "The token %s is refused from now on. 令牌 %s 已撤销，立即生效。\n", rest[0], rest[0])
		return err
	}
	return &hinted{errors.New("the command is not understood"), "there are add -name NAME, list and revoke ID; ratingctl token -h says more"}
}

func listTokens(path string, asJSON bool, stdout io.Writer) error {
	all, err := windowapi.ReadTokens(path)
	if err != nil {
		return err
	}
	if asJSON {
		type listed struct { // without the hash, which nobody needs
			ID      string    `json:"id"`
			Name    string    `json:"name"`
			Created time.Time `json:"created"`
		}
		out := []listed{}
		for _, t := range all {
			out = append(out, listed{t.ID, t.Name, t.Created})
		}
		return printJSON(stdout, out)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(stdout, "There is no token yet; ratingctl token add -name \"A12 PC\" makes one.")
		return err
	}
	w := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
	if _, err := fmt.Fprintln(w, "ID\tSINCE\tPC"); err != nil {
		return err
	}
	for _, t := range all {
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\n", t.ID, t.Created.Local().Format("2006-01-02 15:04"), t.Name); err != nil {
			return err
		}
	}
	return w.Flush()
}

// subcommand parses "WHAT -flags REST" and "-flags WHAT REST", which people write both.
func subcommand(flags *flag.FlagSet, args []string) (what string, rest []string, err error) {
	for len(args) > 0 {
		if err := cli.Parse(flags, args); err != nil {
			return "", nil, err
		}
		if args = flags.Args(); len(args) == 0 {
			break
		}
		if what == "" {
			what = args[0]
		} else {
			rest = append(rest, args[0])
		}
		args = args[1:]
	}
	return what, rest, nil
}
