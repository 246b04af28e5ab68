package probe

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/broker"
	"haochaping/internal/proof/mosquitto"
	"haochaping/internal/proof/nats"
)

// startBroker starts a mosquitto with lines of configuration and of rules; without rules everybody may do everything.
func startBroker(t *testing.T, config, rules string) string {
	t.Helper()
	text := mosquitto.Open + "user root\n" + config + "\n"
	if rules != "" {
		path := filepath.Join(t.TempDir(), "acl")
		if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
			t.Fatal(err)
		}
		text += "acl_file " + path + "\n"
	}
	return mosquitto.Start(t, text)
}

func probe(t *testing.T, at, user, password string) Result {
	t.Helper()
	began := time.Now()
	r, err := Run(t.Context(), Config{Broker: "mqtt://" + at, Username: user, Password: password, Limit: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("after %s: %+v", time.Since(began).Round(time.Millisecond), r)
	for _, f := range r.Findings() {
		t.Logf("fault %v: %s → %s", f.Fault, f.Found.ZH, f.Todo.ZH)
	}
	return r
}

// faults returns the words of the faults.
func faults(r Result) (all []string) {
	for _, f := range r.Findings() {
		if f.Fault {
			all = append(all, f.Found.ZH)
		}
	}
	return all
}

func shippedRules(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../../../deploy/broker/mosquitto.acl")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTheBuiltInBrokerHasAll(t *testing.T) {
	b, err := broker.Listen(broker.Config{Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	r := probe(t, b.Addr().String(), broker.CentreName, b.Secret())
	want := Result{Address: b.Addr().String(), Delivers: Yes, Shared: Yes, Retained: Yes, Large: Yes, Sessions: No, V5: Yes}
	if fmt.Sprint(r) != fmt.Sprint(want) || len(r.Findings()) > 0 {
		t.Errorf("got %+v with %v, want %+v", r, r.Findings(), want)
	}
}

func TestMosquitto(t *testing.T) {
	rules := shippedRules(t)
	without := func(line string) string {
		if !strings.Contains(rules, line+"\n") {
			t.Fatalf("the rules have no line %q", line)
		}
		return strings.Replace(rules, line+"\n", "", 1)
	}
	for name, c := range map[string]struct {
		config, rules string
		want          string // in the one fault; empty: there is none
		unproven      bool
		hidden        bool
	}{
		"as shipped":     {rules: rules},
		"without rules":  {},
		"no retained":    {config: "retain_available false", want: "不保存保留消息"},
		"small messages": {config: "message_size_limit 20000", want: "试过能通过的最大为 16384"},
		"small packets":  {config: "max_packet_size 20000", want: "试过能通过的最大为 16384"},
		"no ack":         {rules: without("topic write hcp/1/+/ack"), want: "不允许中心写入 hcp/1/+/ack"},
		"no probe":       {rules: without("topic readwrite hcp/1/-/#"), unproven: true, want: ""},
		"no word of it":  {rules: without("topic readwrite hcp/1/receiver"), hidden: true},
		"nothing but that": {hidden: true, rules: "user centre\ntopic readwrite hcp/1/-/#\n", // reading cannot be proven from here
			want: "不允许中心写入 hcp/1/+/ack, hcp/1/+/command, hcp/1/+/config"},
	} {
		t.Run(name, func(t *testing.T) {
			r := probe(t, startBroker(t, c.config, c.rules), broker.CentreName, "")
			got := faults(r)
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
				t.Errorf("faults %q, want %q", got, c.want)
			}
			if r.Hidden != c.hidden {
				t.Errorf("hidden %v, want %v", r.Hidden, c.hidden)
			}
			if unproven := r.Delivers != Yes; unproven != c.unproven || unproven && len(r.Findings()) != 1 {
				t.Errorf("unproven %v, want %v; findings %v", unproven, c.unproven, r.Findings())
			}
		})
	}
}

// A login that the broker refuses, and nobody there, are errors and no result.
func TestNoBroker(t *testing.T) {
	at := startBroker(t, "allow_anonymous false", "")
	if _, err := Run(t.Context(), Config{Broker: "mqtt://" + at, Username: "centre", Password: "x", Limit: time.Second}); err == nil {
		t.Error("the login is refused, and no error")
	}
	if _, err := Run(t.Context(), Config{Broker: "mqtt://127.0.0.1:1", Limit: time.Second}); err == nil {
		t.Error("nobody is there, and no error")
	}
}

func TestNATS(t *testing.T) {
	users, err := os.ReadFile("../../../../deploy/broker/nats/users.conf")
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]nats.Options{
		"as shipped":         {Nodes: 1, Partitions: 12, Users: string(users)},
		"without rules":      {Nodes: 1, Partitions: 5},
		"without partitions": {Nodes: 1},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := nats.Start(t.TempDir(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			defer func() {
				if t.Failed() {
					t.Log(c.Log(0))
				}
			}()
			r := probe(t, c.Address(0), broker.CentreName, "FOR-CENTRE")
			if r.Delivers != Yes || r.Shared != No || r.Partitions != o.Partitions || r.Retained != Yes || r.Large != Yes || r.V5 != No ||
				len(r.Unreadable) > 0 {
				t.Errorf("got %+v", r)
			}
			got := faults(r)
			if want := o.Partitions == 0; want != slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "不支持共享订阅") }) {
				t.Errorf("faults %q", got)
			}
		})
	}
}
