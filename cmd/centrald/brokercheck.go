package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"haochaping/internal/central/broker/probe"
	"haochaping/internal/central/ingest"
	"haochaping/internal/central/web/live"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/tomlfile"
)

// errBrokerLacks ends -check-config where evaluations would not arrive.
var errBrokerLacks = cli.Error("代理缺少中心所需的功能", "the broker lacks what the centre needs")

// checkConfig checks the configuration, and tries the broker if that is not the built-in one.
func (c *command) checkConfig(ctx context.Context, asJSON bool) error {
	out := c.env.stdout
	if asJSON {
		c.env.stdout = io.Discard
	}
	cfg, err := c.config()
	if err == nil {
		err = c.checkNamed(ctx, cfg)
	} else {
		err = &configurationError{err}
	}
	faults := tomlfile.Faults(err, true)
	if err == nil {
		err = c.checkBroker(ctx, cfg, &faults)
	}
	if asJSON {
		return errors.Join(err, tomlfile.Judge(out, c.configPath(), faults))
	}
	return err
}

// checkBroker tries the broker, and notes what it lacks.
func (c *command) checkBroker(ctx context.Context, cfg config, faults *[]tomlfile.Fault) error {
	if cfg.Broker.URL == "" {
		err := c.say("配置正确，使用内置代理", "the configuration is right; the built-in broker is used")
		return errors.Join(err, c.noteTaken(string(cfg.Broker.Listen)))
	}
	in, err := elsewhere(cfg.Broker)
	if err != nil {
		*faults = tomlfile.Faults(err, true)
		return &configurationError{err}
	}
	end := cli.Waiting(ctx, c.env.stderr, "正在试用代理", "trying the broker")
	r, err := probe.Run(ctx, probeOf(in))
	end()
	if err != nil {
		err = cfg.sets.Fault("broker.url", cli.Because(err,
			"消息代理无法使用；看地址和端口是否正确、代理是否在运行，密码被拒时核对 broker.username 和 broker.password_file",
			"the broker cannot be used; look whether address and port are right and the broker runs, and where it refuses the password, at "+
				"broker.username and broker.password_file"))
		*faults = tomlfile.Faults(err, false)
		return err
	}
	faulty := false
	for _, f := range r.Findings() {
		*faults = append(*faults, tomlfile.Fault{Line: cfg.sets["broker.url"], Field: "broker.url", What: condition.Text(f.Found),
			Do: condition.Text(f.Todo)})
		mark := "!"
		if f.Fault {
			mark, faulty = "✗", true
		}
		zh, en := f.Found.ZH+"\n  → "+f.Todo.ZH, f.Found.EN+"\n  → "+f.Todo.EN
		if c.lang == cli.Both {
			zh, en = zh+"\n  "+en, ""
		}
		if _, err := fmt.Fprintf(c.env.stdout, "%s %s\n", mark, map[bool]string{false: zh, true: en}[c.lang == cli.English]); err != nil {
			return err
		}
	}
	if faulty {
		return errBrokerLacks
	}
	return c.say("配置正确，代理 %s 可用（%s）", "the configuration is right, and the broker %s serves (%s)", r.Address, divides(r))
}

// divides says how the broker divides the boxes' records among the instances of the centre.
func divides(r probe.Result) string {
	if r.Partitions > 0 {
		return fmt.Sprintf("%d partitions", r.Partitions)
	}
	return "$share: " + string(r.Shared)
}

func probeOf(in ingest.Config) probe.Config {
	return probe.Config{Broker: in.Broker, Username: in.Username, Password: in.Password, TLS: in.TLS}
}

// brokerCheckPause is between two tries of a broker that could not be reached, or lacks something.
const brokerCheckPause = 30 * time.Second

// brokerCheckAgain is after how long a broker that lacked nothing is tried again: its limits and rights may be changed at any time.
const brokerCheckAgain = 5 * time.Minute

// brokerCheck tries the broker and remembers what it lacks. It is safe for concurrent use.
type brokerCheck struct {
	probe probe.Config
	now   func() time.Time
	log   *slog.Logger
	lacks atomic.Pointer[brokerLack] // nil: nothing, as far as is known
}

// brokerLack is a fault of the broker, and since when it is known.
type brokerLack struct {
	since time.Time
	probe.Finding
}

// run tries the broker again and again until ctx ends, and says what it lacks.
func (b *brokerCheck) run(ctx context.Context) error {
	said := ""
	for {
		pause := brokerCheckPause
		r, err := probe.Run(ctx, b.probe)
		if err == nil { // else the ingest says so
			said = b.tell(r, said)
			if b.lacks.Load() == nil {
				pause = brokerCheckAgain
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// tell notes what was found and logs it, unless that was said before, and returns it.
func (b *brokerCheck) tell(r probe.Result, said string) string {
	all := r.Findings()
	found := fmt.Sprint(all)
	switch {
	case len(all) == 0 || !all[0].Fault:
		b.lacks.Store(nil)
	case b.lacks.Load() == nil:
		b.lacks.Store(&brokerLack{b.now(), all[0]})
	default:
		b.lacks.Store(&brokerLack{b.lacks.Load().since, all[0]})
	}
	if found == said {
		return said
	}
	for _, f := range all {
		level := slog.LevelWarn
		if f.Fault {
			level = slog.LevelError
		}
		b.log.Log(context.Background(), level, f.Found.ZH+"："+f.Todo.ZH, "broker", r.Address, "found", f.Found.EN, "do", f.Todo.EN)
	}
	if len(all) == 0 {
		b.log.Info("the broker has what the centre needs", "broker", r.Address, "records by", divides(r))
	}
	return found
}

// trouble returns why nothing is taken at present, from the line to the broker or from what the broker lacks.
func (b *brokerCheck) trouble(t ingest.Trouble) live.Trouble {
	out := live.Trouble{Since: t.Since, Books: t.Books, Err: t.Err}
	if lack := b.lacks.Load(); lack != nil && t.Since.IsZero() {
		out = live.Trouble{Since: lack.since, What: lack.Found.ZH + "；" + lack.Todo.ZH, Err: errors.New(lack.Found.EN)}
	}
	return out
}

// besideBroker says what to do where another broker has the address of the built-in one.
func besideBroker(address string) condition.Text {
	return condition.Text{
		ZH: fmt.Sprintf("这里已有另一个消息代理（例如 mosquitto）。要用它，写 broker.url = \"mqtt://%s\"；要用内置代理，给 broker.listen 换一个端口", address),
		EN: fmt.Sprintf("another broker, such as mosquitto, is there. To use it, write broker.url = \"mqtt://%s\"; to use the built-in one, "+
			"give broker.listen another port", address)}
}

// hintTaken adds to an error what to do if it is that the built-in broker's address is taken.
func hintTaken(address string, err error) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	return cli.Hint(err, besideBroker(address).ZH, besideBroker(address).EN)
}

// noteTaken says so before the start. A centrald that runs has the address itself, so that this is no error.
func (c *command) noteTaken(address string) error {
	l, err := net.Listen("tcp", address)
	if err == nil {
		return l.Close()
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("broker.listen: %w", err)
	}
	do := besideBroker(address)
	return c.say("地址 %[1]s 已被占用；除非 centrald 正在运行：%[2]s", "%[1]s is taken; unless centrald runs already: %[3]s", address, do.ZH, do.EN)
}
