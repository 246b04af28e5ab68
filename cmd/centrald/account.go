package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"text/tabwriter"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
	"haochaping/internal/cli"
)

// account opens accounts and makes links for them, for whoever has the machine.
func (c *command) account(ctx context.Context, args []string) error {
	bar := func(word string) func(context.Context, []string) error {
		return func(ctx context.Context, args []string) error { return c.barAccount(ctx, word, args) }
	}
	return c.oneOf(ctx, "centrald account", args, []word{{"add", c.addAccount}, {"link", c.linkAccount}, {"grant", c.grantAccount},
		{"disable", bar("disable")}, {"enable", bar("enable")}, {"list", c.listAccounts}})
}

// appointment is the flags of a grant.
type appointment struct {
	role, scope, area *string
	until             *string
}

func (c *command) appointment(flags *flag.FlagSet) appointment {
	var names []string
	for _, r := range account.Roles() {
		names = append(names, string(r))
	}
	return appointment{
		role: flags.String("role", "", cli.Words("`角色`："+strings.Join(names, "、"), "the `role`: "+strings.Join(names, ", "))),
		area: flags.String("area", "",
			cli.Words("此人工作所在行政区划的 12 位`代码`，如 620100000000",
				"`code` of 12 digits of the area where the person works, as 620100000000")),
		scope: flags.String("scope", "",
			cli.Words("单位、大厅或工作人员的`编号`，用于这些角色", "`id` of the unit, hall or member of staff, for those roles")),
		until: flags.String("until", "", cli.Words("任职的最后`日期`，如 2027-01-31", "`day` after which the appointment is over, as 2027-01-31")),
	}
}

func (a appointment) grant() (g account.Grant, err error) {
	g = account.Grant{Role: account.Role(*a.role), Scope: *a.scope, Area: *a.area}
	if g.Role.Chinese() == "" {
		return g, cli.Usage(fmt.Sprintf("-role 不能是 %q，可写 %v", *a.role, account.Roles()),
			fmt.Sprintf("-role: there is no role %q; there are %v", *a.role, account.Roles()))
	}
	if g.Role.Scope() == account.InArea {
		g.Scope = *a.area
	}
	if *a.until != "" {
		day, err := time.ParseInLocation("2006-01-02", *a.until, web.Zone())
		if err != nil {
			return g, fmt.Errorf("-until: %w", err)
		}
		g.To = day.Add(24 * time.Hour).UnixMilli()
	}
	return g, nil
}

func (c *command) addAccount(ctx context.Context, args []string) (err error) {
	flags := c.flags("centrald account add")
	what := c.appointment(flags)
	login := flags.String("login", "", cli.Words("登录`名`", "the `name` by which the person signs in"))
	name := flags.String("name", "", cli.Words("`姓名`", "the person's `name`"))
	base := flags.String("url", "",
		cli.Words("此人打开中心页面的`网址`，如 https://centre.example.com",
			"where the person's browser finds the pages, as https://centre.example.com"))
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	g, err := what.grant()
	if err != nil {
		return err
	}
	x, err := c.openConfigured(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	by := account.By{Account: c.operator()}
	a, err := x.people.Add(ctx, by, *login, *name, *what.area, g)
	if err != nil {
		return fmt.Errorf("account add: %w", err)
	}
	return c.printLink(ctx, x, by, a, account.ChoosesPassword, *base)
}

// printLink makes a link and prints it. It is not written anywhere else.
func (c *command) printLink(ctx context.Context, x *rooms, by account.By, a account.Account, opens account.Opens, base string) error {
	secret, err := x.people.Link(ctx, by, a, opens)
	if err != nil {
		return fmt.Errorf("make a link for %s: %w", a.Login, err)
	}
	if base == "" {
		base = x.cfg.Admin.url()
	}
	zh, en := fmt.Sprintf("%d 小时", int(account.PasswordLinkLife.Hours())), fmt.Sprintf("%d hours", int(account.PasswordLinkLife.Hours()))
	if opens == account.SignsIn {
		zh, en = fmt.Sprintf("%d 分钟", int(account.SignInLinkLife.Minutes())), fmt.Sprintf("%d minutes", int(account.SignInLinkLife.Minutes()))
	}
	_, err = fmt.Fprintf(c.env.stdout, "%s/enter/%s\n", strings.TrimSuffix(base, "/"), secret)
	return errors.Join(err, c.say("%[3]s（%[4]s）在 %[1]s内可用一次；看到它的人都能使用",
		"it works once, within %[2]s, for %[3]s (%[4]s); who reads it can use it", zh, en, a.Login, a.Name))
}

// url returns where a browser finds the centre's pages, as far as the configuration says.
func (a adminConfig) url() string {
	host, port, err := net.SplitHostPort(string(a.Listen))
	if err != nil {
		return ""
	}
	scheme := "http"
	if a.CertFile != "" {
		scheme = "https"
	}
	if len(a.Hosts) > 0 {
		if len(a.Proxies) > 0 || port == "443" {
			return "https://" + string(a.Hosts[0])
		}
		host = string(a.Hosts[0])
	}
	if host == "" {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// onAccount reads flags and one sign-in name, and calls do with that account.
func (c *command) onAccount(ctx context.Context, flags *flag.FlagSet, args []string,
	do func(*rooms, account.By, account.Account) error) (err error) {
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	if flags.NArg() != 1 {
		return cli.Usage(flags.Name()+" 需要一个登录名", flags.Name()+" takes its flags and one sign-in name")
	}
	x, err := c.openWritten(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	a, err := x.people.ByLogin(ctx, flags.Arg(0))
	if err != nil {
		return fmt.Errorf("%s: %w", flags.Arg(0), err)
	}
	return do(x, account.By{Account: c.operator()}, a)
}

func (c *command) linkAccount(ctx context.Context, args []string) error {
	flags := c.flags("centrald account link")
	base := flags.String("url", "",
		cli.Words("此人打开中心页面的`网址`，如 https://centre.example.com",
			"where the person's browser finds the pages, as https://centre.example.com"))
	in := flags.Bool("sign-in", false,
		cli.Words("链接直接登录，十分钟内有效，动态口令丢失时也可用；不加则由收到链接的人设置密码",
			"the link signs in, also past a second factor that is lost, within ten minutes; without this its reader chooses a password"))
	clear := flags.Bool("clear-second", false,
		cli.Words("手机丢失时取消动态口令；下次登录时重新绑定",
			"take the second factor away, whose phone is lost; a new one is enrolled at the next sign-in"))
	return c.onAccount(ctx, flags, args, func(x *rooms, by account.By, a account.Account) error {
		if *clear {
			if err := x.people.ClearSecond(ctx, by, a); err != nil {
				return err
			}
		}
		opens := account.ChoosesPassword
		if *in {
			opens = account.SignsIn
		}
		return c.printLink(ctx, x, by, a, opens, *base)
	})
}

func (c *command) grantAccount(ctx context.Context, args []string) error {
	flags := c.flags("centrald account grant")
	what := c.appointment(flags)
	return c.onAccount(ctx, flags, args, func(x *rooms, by account.By, a account.Account) error {
		g, err := what.grant()
		if err != nil {
			return err
		}
		if g, err = x.people.Grant(ctx, by, a, g); err != nil {
			return err
		}
		return c.say("%s 已任 %s，范围 %s", "%s is %s for %s", a.Login, g.Role, g.Scope)
	})
}

func (c *command) barAccount(ctx context.Context, word string, args []string) error {
	return c.onAccount(ctx, c.flags("centrald account "+word), args, func(x *rooms, by account.By, a account.Account) error {
		return x.people.Disable(ctx, by, a, word == "disable")
	})
}

func (c *command) listAccounts(ctx context.Context, args []string) error {
	flags := c.flags("centrald account list")
	asJSON := flags.Bool("json", false, cli.Words("输出 JSON 数组", "print a JSON array"))
	return c.onWritten(ctx, flags, args, func(x *rooms) error {
		all, err := x.people.All(ctx)
		if err != nil {
			return err
		}
		if *asJSON {
			return c.accountsAsJSON(ctx, x, all)
		}
		tab := tabwriter.NewWriter(c.env.stdout, 0, 8, 2, ' ', 0)
		_, _ = fmt.Fprintln(tab, c.lang.Head("登录名\t姓名\t区划\t状态\t动态口令\t角色", "LOGIN\tNAME\tAREA\tSTATE\tSECOND FACTOR\tGRANTS"))
		for _, a := range all {
			if err := c.listAccount(ctx, tab, x, a); err != nil {
				return err
			}
		}
		return tab.Flush()
	})
}

// listedAccount is an account as "centrald account list -json" prints it.
type listedAccount struct {
	Login  string   `json:"login"`
	Name   string   `json:"name"`
	Area   string   `json:"area"`
	State  string   `json:"state"` // open, no password yet, or disabled
	Second bool     `json:"second_factor"`
	Grants []string `json:"grants"` // that hold now, ROLE:SCOPE
}

// listedAccount returns what is listed of an account.
func (c *command) listedAccount(ctx context.Context, x *rooms, a account.Account) (listedAccount, error) {
	out := listedAccount{Login: a.Login, Name: a.Name, Area: a.Area, State: "open", Second: a.Second, Grants: []string{}}
	if !a.Password {
		out.State = "no password yet"
	}
	if a.Disabled {
		out.State = "disabled"
	}
	grants, err := x.people.Grants(ctx, a.ID)
	for _, g := range grants {
		if g.Holds(c.env.now().UnixMilli()) {
			out.Grants = append(out.Grants, string(g.Role)+":"+g.Scope)
		}
	}
	return out, err
}

func (c *command) accountsAsJSON(ctx context.Context, x *rooms, all []account.Account) error {
	out := []listedAccount{}
	for _, a := range all {
		l, err := c.listedAccount(ctx, x, a)
		if err != nil {
			return err
		}
		out = append(out, l)
	}
	return c.printJSON(out)
}

// listAccount writes the line of an account. A tabwriter holds its text back; what goes wrong shows at Flush.
func (c *command) listAccount(ctx context.Context, tab io.Writer, x *rooms, a account.Account) error {
	l, err := c.listedAccount(ctx, x, a)
	if err != nil {
		return err
	}
	second := map[bool]string{false: "no", true: "yes"}[l.Second]
	_, _ = fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%s\t%s\n", l.Login, l.Name, l.Area, l.State, second, strings.Join(l.Grants, " "))
	return nil
}
