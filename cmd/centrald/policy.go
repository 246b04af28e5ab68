package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/policy"
	"haochaping/internal/tomlfile"
)

// aboveConfig says whose policy holds here.
type aboveConfig struct {
	Key string `toml:"key"` // empty: this centre issues policies
	URL string `toml:"url"` // empty: they come as files
	CA  string `toml:"ca"`
}

// aboveKeyPrinted is where the key of the level above is printed, for a message.
const aboveKeyPrinted = `"centrald key"`

// check reports what is wrong, but for what lies in files.
func (a aboveConfig) check(bad tomlfile.Report) {
	if a.Key != "" {
		if _, err := parseKey(a.Key, aboveKeyPrinted); err != nil {
			bad("above.key", "%q 不是公钥；请写上级的 %s 打印的 43 个字符", "%q is no public key; write the 43 characters that %s prints at the level above",
				a.Key, aboveKeyPrinted)
		}
	}
	if a.URL == "" {
		return
	}
	if a.Key == "" {
		bad("above.url", "没有写 above.key，任何人都能规定这里的设置；请写上级的公钥",
			"there is no above.key, so that anybody could set what holds here; write the key of the level above")
	}
	checkOutward(bad, "above.url", a.URL, "https://province.example.gov.cn/seal", "gateway")
}

// field is a setting of the configuration that a policy may set.
type field struct {
	get func() string
	set func(string)
}

// fields returns the settings that a policy may set.
func (c *config) fields() map[policy.Name]field {
	number := func(n *int) field {
		return field{func() string { return strconv.Itoa(*n) }, func(s string) { *n, _ = strconv.Atoi(s) }} // policy.Kind has checked it
	}
	yes := func(b *bool) field {
		return field{func() string { return strconv.FormatBool(*b) }, func(s string) { *b = s == "true" }}
	}
	words := func(w *string) field { return field{func() string { return *w }, func(s string) { *w = s }} }
	return map[policy.Name]field{
		"deadline.defaults": yes(&c.Deadline.Defaults), "deadline.late_answers_replace": yes(&c.Deadline.LateHolds),
		"deadline.silent_days": number(&c.Deadline.SilentDays), "orders.contact_days": number(&c.Orders.ContactDays),
		"orders.office_days": number(&c.Orders.OfficeDays), "rate.reasons": words((*string)(&c.Rate.Reasons)),
		"deadline.sms.text": words(&c.Deadline.SMS.Text), "orders.follow_up_text": words(&c.Orders.Ask),
		"orders.extension_text": words(&c.Orders.Extended), "orders.missed_text": words(&c.Orders.Missed),
		"orders.refused_text": words(&c.Orders.Refused),
		"deadline.sms.from":   words(&c.Deadline.SMS.From), "deadline.sms.until": words(&c.Deadline.SMS.Until),
		"figures.least_ranked": {func() string { return strconv.FormatInt(c.Figures.Ranked, 10) },
			func(s string) { c.Figures.Ranked, _ = strconv.ParseInt(s, 10, 64) }},
		"boxes.wait_seconds": number(&c.Boxes.WaitSec), "boxes.thanks_seconds": number(&c.Boxes.ThanksSec),
		"boxes.reasons": words(&c.Boxes.Reasons), "boxes.reason_seconds": number(&c.Boxes.ReasonSec),
		"boxes.welcome": words(&c.Boxes.Welcome), "boxes.later": words(&c.Boxes.Later), "boxes.question": words(&c.Boxes.Question),
		"boxes.matter_question": words(&c.Boxes.Matter), "boxes.thanks": words(&c.Boxes.Thanks),
	}
}

// local returns what this centre wants of each setting.
func (c *config) local() map[policy.Name]policy.Local {
	all := make(map[policy.Name]policy.Local)
	for n, f := range c.fields() {
		_, set := c.sets[string(n)]
		all[n] = policy.Local{Value: f.get(), Set: set, NoLink: c.Rate.Base == ""}
	}
	return all
}

// openPolicy opens the room of policies, and has what holds in the configuration.
func (x *rooms) openPolicy(ctx context.Context, c *command) (err error) {
	conf := policy.Config{Journal: x.journal, Own: x.key}
	if x.cfg.Above.Key != "" {
		if conf.Above, err = parseKey(x.cfg.Above.Key, aboveKeyPrinted); err != nil {
			return fmt.Errorf("above.key: %w", err)
		}
	}
	if x.policy, err = policy.Open(ctx, conf); err != nil {
		return err
	}
	x.wanted = x.cfg.local()
	d, held, err := x.resolve(ctx, c.env.now())
	if err != nil {
		return err
	}
	if d != nil {
		x.cfg.policy = *d
	}
	fields := x.cfg.fields()
	for _, h := range held {
		fields[h.Name].set(h.Value)
	}
	x.held = held
	return nil
}

// resolve works out what holds at a moment.
func (x *rooms) resolve(ctx context.Context, now time.Time) (*policy.Document, []policy.Held, error) {
	s, err := x.policy.Standing(ctx, now)
	if err != nil {
		return nil, nil, err
	}
	return s.Document(), policy.Resolve(s.Document(), s.Choices, x.wanted), nil
}

// namePolicy says which policy holds, and what it refuses of the configuration.
func (x *rooms) namePolicy(log *slog.Logger) {
	if d := x.cfg.policy; d.Number > 0 {
		log.Info("a policy holds", "number", d.Number, "title", d.Title, "from", d.From)
	}
	for _, h := range x.held {
		if h.Refused == nil {
			continue
		}
		args := []any{"setting", h.Name, "wanted", h.Wanted, "holds", h.Value, "error", h.Refused}
		if line, ok := x.cfg.sets[string(h.Name)]; ok && h.Wants == policy.File {
			args = append(args, "line", line)
		}
		log.Warn("本中心的设置与上级规定不一致 / this centre's settings and those of the level above differ", args...)
	}
}

// askEvery is how often the level above is asked.
const askEvery = 15 * time.Second

// policyEvery is how often it is looked whether another policy holds.
const policyEvery = 5 * time.Second

// watchPolicy calls other when something else holds than at the start: a policy came, its day has come, or something was chosen.
func (c *command) watchPolicy(ctx context.Context, x *rooms, other func(), log *slog.Logger) error {
	for pause(ctx, policyEvery) {
		d, held, err := x.resolve(ctx, c.env.now())
		if err != nil {
			continue // the supervision says what is wrong with the database
		}
		if d == nil {
			d = new(policy.Document)
		}
		same := slices.EqualFunc(held, x.held, func(a, b policy.Held) bool { return a.Value == b.Value && a.Level == b.Level })
		if !same || !reflect.DeepEqual(*d, x.cfg.policy) {
			log.Info("something else is set; the centre begins anew with it", "number", d.Number)
			other()
			<-ctx.Done()
		}
	}
	return nil
}

// pullPolicy returns what takes policies from the level above until its context ends.
func (c *command) pullPolicy(x *rooms, log *slog.Logger) (func(context.Context) error, error) {
	if x.cfg.Above.URL == "" {
		return idle, nil
	}
	way, err := outward(x.cfg.Above.CA)
	if err != nil {
		return nil, fmt.Errorf("above.ca: %w", err)
	}
	return (&policy.Pull{Room: x.policy, URL: x.cfg.Above.URL, Client: &http.Client{Transport: way}, Holder: x.holder, Every: askEvery,
		Logger: log}).Run, nil
}

// ownKey is the key that signs policies here, as it is printed.
func (x *rooms) ownKey() string { return keyText(x.key.Public().(ed25519.PublicKey)) }

// hallAreas returns in which areas halls are today, each once.
func (x *rooms) hallAreas(ctx context.Context) ([]string, error) {
	a, err := x.directory.Atlas(ctx)
	if err != nil {
		return nil, err
	}
	areas := make(map[string]bool)
	for h := range a.Each(directory.Hall, directory.DayOf(time.UnixMilli(x.journal.Now()))) {
		areas[h.Area] = true
	}
	return slices.Sorted(maps.Keys(areas)), nil
}
