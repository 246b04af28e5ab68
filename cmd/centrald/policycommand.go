package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"haochaping/internal/central/policy"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/rating"
)

// policy runs the commands about what a level sets for those below it.
func (c *command) policy(ctx context.Context, args []string) error {
	return c.oneOf(ctx, "centrald policy", args, []word{{"show", c.showPolicy}, {"draft", c.draftPolicy}, {"issue", c.issuePolicy},
		{"export", c.exportPolicy}, {"import", c.importPolicy}})
}

// shownPolicy is what "centrald policy show -json" prints.
type shownPolicy struct {
	Number    int64         `json:"number"` // 0: none holds
	Title     string        `json:"title,omitempty"`
	From      string        `json:"valid_from,omitempty"`
	Until     string        `json:"valid_until,omitempty"`
	Expired   bool          `json:"expired"`
	Hash      string        `json:"hash,omitempty"`
	Key       string        `json:"key,omitempty"`
	Signature string        `json:"signature,omitempty"`
	Settings  []shownHeld   `json:"settings"`
	Line      *policy.Line  `json:"line,omitempty"`
	Next      []shownPolicy `json:"next,omitempty"`
}

type shownHeld struct {
	Name    policy.Name  `json:"name"`
	Value   string       `json:"value"`
	Level   policy.Level `json:"level"`
	Bounds  string       `json:"bounds,omitempty"`
	Refused string       `json:"refused,omitempty"`
}

func showTaken(t policy.Taken, now time.Time) shownPolicy {
	d := t.Document
	return shownPolicy{Number: d.Number, Title: d.Title, From: d.From, Until: d.Until, Expired: d.Expired(now), Hash: t.Signed.Hash(),
		Key: t.Signed.Key, Signature: t.Signed.Signature}
}

func (c *command) showPolicy(ctx context.Context, args []string) error {
	flags := c.flags("centrald policy show")
	asJSON := flags.Bool("json", false, cli.Words("输出 JSON 对象", "print a JSON object"))
	return c.onWritten(ctx, flags, args, func(x *rooms) error {
		now := c.env.now()
		s, err := x.policy.Standing(ctx, now)
		if err != nil {
			return err
		}
		var v shownPolicy
		if s.Holding != nil {
			v = showTaken(*s.Holding, now)
		}
		for _, t := range s.Next() {
			v.Next = append(v.Next, showTaken(t, now))
		}
		for _, h := range policy.Resolve(s.Document(), s.Choices, x.wanted) {
			held := shownHeld{Name: h.Name, Value: h.Value, Level: h.Level}
			if h.Setting != nil {
				held.Bounds = h.Setting.Bounds()
			}
			if h.Refused != nil {
				held.Refused = h.Refused.Error()
			}
			v.Settings = append(v.Settings, held)
		}
		if x.cfg.Above.URL != "" {
			v.Line = &s.Line
		}
		if *asJSON {
			return c.printJSON(v)
		}
		return c.sayPolicy(v)
	})
}

// sayHeld prints a setting with where it comes from.
func (c *command) sayHeld(h shownHeld) error {
	from := map[policy.Level]string{policy.Above: "the policy", policy.Here: "chosen here", policy.File: "this centre's file"}[h.Level]
	line := fmt.Sprintf("%s = %s (%s) %s", h.Name, h.Value, c.lang.Say(h.Level.Chinese(), from), h.Refused)
	_, err := fmt.Fprintln(c.env.stdout, strings.TrimRight(line, " "))
	return err
}

func (c *command) sayPolicy(v shownPolicy) error {
	if v.Number == 0 {
		if err := c.say("没有生效的政策。", "no policy holds."); err != nil {
			return err
		}
	} else if err := c.say("第 %d 号《%s》自 %s 生效，摘要 %s，公钥 %s",
		"number %d, %s, holds from %s on; hash %s, key %s", v.Number, v.Title, v.From, v.Hash,
		v.Key); err != nil {
		return err
	}
	if v.Expired {
		if err := c.say("它的有效期到 %s，已过；新的到来之前继续执行，请向上级取。", "it was good until %s; it goes on to hold until another one comes: ask for it.",
			v.Until); err != nil {
			return err
		}
	}
	for _, n := range v.Next {
		if err := c.say("第 %d 号《%s》将自 %s 生效", "number %d, %s, will hold from %s on", n.Number, n.Title, n.From); err != nil {
			return err
		}
	}
	for _, h := range v.Settings {
		if err := c.sayHeld(h); err != nil {
			return err
		}
	}
	return nil
}

// draftPolicy prints a policy with what holds here, for somebody to change.
func (c *command) draftPolicy(ctx context.Context, args []string) error {
	flags := c.flags("centrald policy draft")
	return c.onWritten(ctx, flags, args, func(x *rooms) error {
		d, err := x.draft(ctx, c.env.now())
		if err != nil {
			return err
		}
		return c.printJSON(d)
	})
}

// draft returns the policy that would follow the last one: what that says, or all that holds here.
func (x *rooms) draft(ctx context.Context, now time.Time) (policy.Document, error) {
	all, err := x.policy.After(ctx, 0)
	if err != nil {
		return policy.Document{}, err
	}
	from := now.In(rating.Shanghai()).AddDate(0, 0, 1).Format(time.DateOnly)
	if len(all) > 0 {
		d := all[len(all)-1].Document
		d.Number, d.From, d.Until = d.Number+1, from, ""
		return d, nil
	}
	reasons, err := x.cfg.reasons()
	d := policy.Document{Number: 1, Title: "全省统一规定", From: from, Catalogue: &reasons}
	for _, k := range policy.Kinds() {
		if value := x.wanted[k.Name].Value; k.Check(value) == nil {
			d.Settings = append(d.Settings, policy.Setting{Name: k.Name, Value: value})
		}
	}
	return d, err
}

// issuePolicy tells what a policy changes, and issues it if that is asked for.
func (c *command) issuePolicy(ctx context.Context, args []string) (err error) {
	flags := c.flags("centrald policy issue")
	apply := flags.Bool("apply", false, cli.Words("签名并发布；不加则不写入", "sign and issue it; without it nothing is written"))
	hash := flags.String("hash", "", cli.Words("仅当预览的`校验值`与此一致时发布", "issue only if the preview is the one with this `hash`"))
	_, d, err := oneFile(flags, args, condition.Text{ZH: "一个政策文件", EN: "a FILE with a policy"}, policy.MaxBytes, policy.ParseDocument)
	if err != nil {
		return ignoreHelp(err)
	}
	x, err := c.openConfigured(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	seen, err := x.policy.Preview(ctx, d)
	if err != nil {
		return err
	}
	for _, ch := range seen.Changes {
		if err := c.say("%s：%s → %s", "%s: %s → %s", ch.What, ch.Before, ch.After); err != nil {
			return err
		}
	}
	if *hash != "" && *hash != seen.Hash {
		return policy.ErrMeanwhile
	}
	if !*apply {
		return c.say("未发布。确认请加 -apply -hash %s", "nothing was issued; to issue exactly this, add -apply -hash %s", seen.Hash)
	}
	if _, err := x.policy.Issue(ctx, policy.By{Account: c.operator()}, d); err != nil {
		return err
	}
	return c.say("第 %d 号已发布，自 %s 生效", "number %d was issued, and holds from %s on", d.Number, d.From)
}

// exportPolicy prints the latest policy as it was signed, for centres without a line.
func (c *command) exportPolicy(ctx context.Context, args []string) error {
	flags := c.flags("centrald policy export")
	return c.onWritten(ctx, flags, args, func(x *rooms) error {
		all, err := x.policy.After(ctx, 0)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return cli.Error("还没有政策，请先发布（centrald policy issue）", "there is no policy yet; issue one (centrald policy issue)")
		}
		b, err := json.Marshal(all[len(all)-1].Signed)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.env.stdout, "%s\n", b)
		return err
	})
}

// importPolicy takes a policy from a file.
func (c *command) importPolicy(ctx context.Context, args []string) (err error) {
	flags := c.flags("centrald policy import")
	path, s, err := oneFile(flags, args, condition.Text{ZH: "一个签名的政策文件", EN: "a FILE with a signed policy"}, 2*policy.MaxBytes,
		policy.ParseSigned)
	if err != nil {
		return ignoreHelp(err)
	}
	x, err := c.openConfigured(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	fresh, err := x.policy.Take(ctx, policy.By{Account: c.operator()}, policy.FromFile, s)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !fresh {
		return c.say("这份政策已有，没有变化。", "this policy is here already; nothing has changed.")
	}
	return c.say("已导入，摘要 %s；正在运行的中心几秒内采用。", "taken, hash %s; a centre that runs has it within seconds.", s.Hash())
}
