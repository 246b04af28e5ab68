package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"haochaping/internal/central/deadline"
	"haochaping/internal/cli/clitest"
	"haochaping/internal/rating"
)

// wrongConfigs are configurations, each of them with one fault.
func wrongConfigs() []string {
	const oidc = "[admin.oidc]\nissuer = \"https://id.example.com\"\nclient_id = \"c\"\nclient_secret_file = \"s\"\n"
	const mail = "[subscriptions]\npages = \"https://x\"\n[subscriptions.mail]\n"
	const upward = "[upward]\nurl = \"https://x\"\n"
	return []string{"stat = \"x\"", "state =", "state = \"\"", "log_level = \"loud\"", "books = \"mysql:\"", "broker.partitions = 1",
		"broker.username = \"x\"",
		"broker.listen = \":1883\"", "broker.certificates = true\nbroker.url = \"mqtt://a\"\nenrol.names = [\"a\"]",
		"broker.url = \"tcp://a\"", "rate.listen = \"8080\"",
		"rate.reasons = \"all\"", "rate.base = \"x\"", "rate.cert_file = \"x\"", "rate.frame_ancestors = [\"x\"]", "admin.listen = \":8081\"",
		"admin.proxies = [\"x\"]",
		"admin.hosts = [\"a:1\"]", "[admin.oidc]\nissuer = \"http://x\"", "[admin.oidc]\nissuer = \"https://x\"", oidc,
		oidc + "groups = [{ group = \"g\", role = \"king\" }]",
		oidc + "groups = [{ group = \"g\", role = \"hall\", area = \"620100000000\" }]", "seal.copies = [{ name = \"x\" }]",
		"cases.voice_keys = { \"1\" = 6 }",
		"cases.listen = \":1\"", "ops.listen = \":1\"", "[deadline.sms]\nurl = \"https://x\"\nfile = \"/x\"", "[deadline.sms]\ntext = \"{link}\"",
		"[deadline.sms]\nurl = \"https://x\"\nbody = \"{{\"", "[deadline.sms]\nurl = \"https://x\"\naccept = \"(\"",
		"[deadline.sms]\nurl = \"https://x\"\nstatus_url = \"x\"",
		"deadline.calendars = \"/no/such\"", "deadline.silent_days = 999", "alerts.webhook_url = \"x\"", "alerts.webhook_url = \"http://x\"",
		"alerts.webhook_url = \"https://x\"",
		"orders.follow_up_text = \"{name}\"", "orders.refused_text = \"{link}\"", "orders.contact_days = 0", "enrol.updates = \"x\"",
		"enrol.listen = \":1\"",
		"enrol.names = [\"A:1\"]", "enrol.windows = [\"A:1\"]", "enrol.window_days = 0", "upward.since = \"x\"", "upward.cert_file = \"x\"",
		"upward.url = \"https://x\"",
		upward + "table = \"gansu\"", "above.key = \"x\"", "above.url = \"x\"", "above.url = \"http://x\"", "boxes.hold_minutes = 1",
		"boxes.wait_seconds = 1",
		"boxes.reasons = \"maybe\"", "boxes.welcome = \"" + strings.Repeat("长", 99) + "\"", "figures.least_ranked = 1",
		mail + "server = \"x\"", mail + "server = \"smtp://x:0\"",
		mail + "server = \"smtp://x\"\nfrom = \"x\"", mail + "server = \"smtp://x\"\nfrom = \"a@b.cn\"\ndomains = [\"@@\"]",
		mail + "server = \"smtp://x\"\nfrom = \"a@b.cn\"",
		mail + "server = \"smtp://x\"\nfrom = \"a@b.cn\"\ndomains = [\"b.cn\"]\nuser = \"u\"",
		"subscriptions.webhook_url = \"https://x\"\nsubscriptions.webhook_secret_file = \"x\""}
}

// Whoever writes the centre's configuration, or a file that it names, is told in one language what is wrong and what to do.
func TestFaultsSpeakOneLanguage(t *testing.T) {
	var all []error
	for _, text := range wrongConfigs() {
		_, err := parseConfig(text)
		if err == nil {
			t.Errorf("%s\nis taken", text)
		}
		all = append(all, err)
	}
	_, _, parsed := splitAddress("x")
	all = append(all, parsed, new(loopback).UnmarshalText([]byte("10.0.0.1:1")))
	for _, path := range []string{"/no/such.toml", "/dev/null/x"} {
		_, err := loadConfig(path)
		all = append(all, err)
	}
	_, err := parseBoxKey("x")
	all = append(all, err, deadlineFault("accept", "", ""), deadlineFault("taken", "(", ""), deadlineFault("unknown", "", "("))
	const hash = " 0000000000000000000000000000000000000000000000000000000000000000"
	for _, text := range []string{"x", "Ä" + hash, "x y", "x" + hash + "\nx" + hash, "file" + hash, "x" + hash + " area=x",
		"x" + hash + " doors=x"} {
		_, err := parseTokens(text)
		all = append(all, err)
	}
	folder := t.TempDir()
	_, err = passwords{path: filepath.Join(folder, "none")}.read()
	all = append(all, err)
	_, err = tokens{path: filepath.Join(folder, "none")}.read()
	all = append(all, err)
	wrong := filepath.Join(folder, "wrong")
	if err := os.WriteFile(wrong, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = loadConfig(wrong)
	all = append(all, err)
	_, err = outward(wrong)
	all = append(all, err)
	all = append(all, config{State: folder, Addresses: "/no/such/x", Rate: rateConfig{Catalogue: wrong}, Ops: opsConfig{TokensFile: wrong},
		Alerts: alertsConfig{URL: "https://x", SecretFile: wrong}, Upward: upwardConfig{Table: "gansa"}}.checkFiles()...)
	all = append(all, toRead(wrong, fmt.Errorf("%w", fs.ErrPermission)), errors.New("tls: a library's words"))
	for _, text := range []string{"{", "{}", `{"year": 2027, "source": "x", "off": ["x"]}`,
		`{"year": 2027, "source": "x", "off": ["2029-01-01"]}`,
		`{"year": 2027, "source": "x", "off": ["2027-01-02"]}`} {
		_, err := rating.ParseNotice([]byte(text))
		all = append(all, err)
	}
	_, err = rating.NewCalendar(rating.Notice{Year: 2027, Source: "x"}, rating.Notice{Year: 2027, Source: "x"})
	all = append(append(all, err), catalogueFaults(t)...)
	clitest.Faults(t, all, "config.go", "configvalue.go", "enrolconfig.go", "boxes.go", "oidc.go", "outward.go", "subscriptions.go",
		"tokens.go", "passwords.go",
		"watch.go", "../../internal/central/deadline/gateway.go", "../../internal/central/subscribe/post.go", "../../internal/rating/calendar.go",
		"../../internal/rating/catalogue.go", "../../internal/webhook/webhook.go")
}

func deadlineFault(accept, taken, unknown string) error {
	g, err := deadline.NewHTTP("https://x", nil, "", accept)
	if err != nil {
		return err
	}
	return g.Asks("x", taken, unknown)
}

// catalogueFaults are those of a catalogue of reasons.
func catalogueFaults(t *testing.T) (all []error) {
	for _, change := range []func(*rating.Catalogue){
		func(c *rating.Catalogue) { c.Version = 0 }, func(c *rating.Catalogue) { c.Reasons[1].Code = c.Reasons[0].Code },
		func(c *rating.Catalogue) { c.Reasons[0].Code = "" }, func(c *rating.Catalogue) { c.Reasons[0].Code = "\x01" },
		func(c *rating.Catalogue) { c.Reasons[0].Level = 9 }, func(c *rating.Catalogue) { c.Reasons[0].Set = "x" },
		func(c *rating.Catalogue) { c.Reasons[0].Key = 9 }, func(c *rating.Catalogue) { c.Reasons[0].Key = 0 },
		func(c *rating.Catalogue) { c.Reasons[0].Aspect = "x" }, func(c *rating.Catalogue) { c.Reasons[0].Text = "" },
		func(c *rating.Catalogue) { c.Reasons[0].Words = "x" }, func(c *rating.Catalogue) { c.Reasons[1].Key = c.Reasons[0].Key },
		func(c *rating.Catalogue) {
			for i := range 20 {
				r := c.Reasons[0]
				r.Code, r.Key = fmt.Sprint("more", i), 0
				c.Reasons = append(c.Reasons, r)
			}
		},
	} {
		c, err := rating.BuiltInCatalogue()
		if err != nil {
			t.Fatal(err)
		}
		change(&c)
		all = append(all, c.Check())
	}
	for _, text := range []string{"{", "{} {}", "{}"} {
		_, err := rating.ParseCatalogue([]byte(text))
		all = append(all, err)
	}
	return all
}
