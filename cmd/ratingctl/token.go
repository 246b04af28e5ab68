package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/windowapi"
)

// tokenUsage is what help says of the command.
func tokenUsage() condition.Text {
	return condition.Text{
		ZH: `ratingctl token 管理哪些电脑可以在本评价器上发起评价。

  ratingctl token add -name "A12 PC"   打印新的令牌，只此一次；评价器只保存其散列
  ratingctl token list                 列出已有的令牌
  ratingctl token revoke 编号          从此拒绝一个令牌`,
		EN: `ratingctl token says which PCs may start evaluations at this box.

  ratingctl token add -name "A12 PC"   print a new token, once; the box keeps only its hash
  ratingctl token list                 list the tokens that there are
  ratingctl token revoke ID            refuse a token from now on`,
	}
}

// token adds, lists and revokes the tokens of the window's PCs. The daemon notices by itself.
func token(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("ratingctl token", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cli.Describe(ctx, flags, tokenUsage())
	config := flags.String("config", "/etc/ratingd.toml", cli.Words("评价器的配置`文件`", "the box's configuration `file`"))
	asJSON := flags.Bool("json", false, cli.Words("list 输出 JSON 数组", "list prints a JSON array"))
	name := flags.String("name", "", cli.Words("用于 add：这台电脑的`名称`", "what people call the PC, for add"))
	what, rest, err := subcommand(flags, args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if !slices.Contains([]string{"add", "list", "revoke"}, what) {
		return misunderstood()
	}
	c, err := boxconfig.LoadPartial(*config)
	if err != nil {
		return cli.Hint(err, "用 -config 写评价器的配置文件", "name the box's configuration with -config")
	}
	path := filepath.Join(c.State, windowapi.TokensFile)
	err = changeToken(cli.LangOf(ctx), path, what, *name, rest, *asJSON, stdout)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return cli.Hint(err, "以 root 运行：sudo ratingctl token "+what, "run it as root: sudo ratingctl token "+what)
	case errors.Is(err, fs.ErrNotExist):
		return cli.Hint(err, "存储目录在 ratingd 第一次启动时建立；启动 ratingd，或核对配置的 state："+*config,
			"the state folder is made at the daemon's first start; start ratingd, or see \"state\" in "+*config)
	}
	return err
}

func changeToken(lang cli.Lang, path, what, name string, rest []string, asJSON bool, stdout io.Writer) error {
	switch {
	case what == "add" && len(rest) == 0:
		if name == "" {
			return cli.Hint(cli.Error("令牌没有名称", "the token has no name"), "写电脑的名称，以便日后撤销：ratingctl token add -name \"A12 PC\"",
				"name the PC, so that you know later what to revoke: ratingctl token add -name \"A12 PC\"")
		}
		secret, t, err := windowapi.AddToken(path, name, rand.Reader, time.Now())
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(stdout, "%s\n\n%s\n", secret, lang.Say(
			fmt.Sprintf("这是 %s 的令牌（%s），只显示这一次，请填入该电脑的业务系统。撤销：ratingctl token revoke %[2]s", t.Name, t.ID),
			fmt.Sprintf("This is the token of %s (%s). It is shown only now: enter it in the PC's business system.", t.Name, t.ID)))
		return err
	case what == "list" && len(rest) == 0:
		return listTokens(lang, path, asJSON, stdout)
	case what == "revoke" && len(rest) == 1:
		err := windowapi.RevokeToken(path, rest[0])
		if errors.Is(err, windowapi.ErrNoToken) {
			return cli.Hint(cli.Errorf("没有编号为 %q 的令牌", "there is no token %q", rest[0]), "ratingctl token list 列出编号",
				"ratingctl token list shows the IDs")
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(stdout, lang.Say("令牌 "+rest[0]+" 已撤销，立即生效。", "The token "+rest[0]+" is refused from now on."))
		return err
	}
	return misunderstood()
}

func misunderstood() error {
	return cli.Hint(cli.Usage("命令无法理解", "the command is not understood"), "有 add -name 名称、list 和 revoke 编号；详见 ratingctl token -h",
		"there are add -name NAME, list and revoke ID; ratingctl token -h says more")
}

func listTokens(lang cli.Lang, path string, asJSON bool, stdout io.Writer) error {
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
		const add = "ratingctl token add -name \"A12 PC\""
		_, err := fmt.Fprintln(stdout, lang.Say("还没有令牌；用 "+add+" 建立。", "There is no token yet; "+add+" makes one."))
		return err
	}
	w := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
	if _, err := fmt.Fprintln(w, lang.Head("编号\t自\t电脑", "ID\tSINCE\tPC")); err != nil {
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
