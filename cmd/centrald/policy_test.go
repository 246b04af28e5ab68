package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"haochaping/internal/central/policy"
	"haochaping/internal/rating"
)

// TestEachPolicySettingIsOne: each setting that a policy may set is one of the configuration, is read and set there, and keeps the bounds
// that the configuration asks for.
func TestEachPolicySettingIsOne(t *testing.T) {
	c, err := parseConfig("")
	if err != nil {
		t.Fatal(err)
	}
	fields := c.fields()
	var names []policy.Name
	for _, k := range policy.Kinds() {
		names = append(names, k.Name)
		f, ok := fields[k.Name]
		if !ok {
			t.Errorf("no field for %s", k.Name)
			continue
		}
		if err := k.Check(f.get()); err != nil {
			t.Errorf("the default of %s: %v", k.Name, err)
		}
		for _, v := range map[policy.Sort][]string{policy.Count: {fmt.Sprint(k.Least), fmt.Sprint(k.Most)}, policy.Switch: {"true", "false"},
			policy.Choice: k.Options, policy.Text: {"请评价"}, policy.Words: {"请评价 | Rate"}}[k.Sort] {
			f.set(v)
			if got := f.get(); got != v {
				t.Errorf("%s was set to %s and is %s", k.Name, v, got)
			}
			if err := c.check(nil); err != nil {
				t.Errorf("%s = %s: %v", k.Name, v, err)
			}
		}
	}
	slices.Sort(names)
	if all := slices.Sorted(maps.Keys(fields)); !slices.Equal(all, names) {
		t.Errorf("fields %v, settings %v", all, names)
	}
}

// TestAPolicySetsCalendarAndCatalogue: a year's notice of the policy is in the calendar, before one of the program, and its catalogue is
// the centre's.
func TestAPolicySetsCalendarAndCatalogue(t *testing.T) {
	c, err := parseConfig("")
	if err != nil {
		t.Fatal(err)
	}
	reasons, err := c.reasons()
	if err != nil {
		t.Fatal(err)
	}
	reasons.Version = 7
	c.policy = policy.Document{Number: 1, Catalogue: &reasons, Calendars: []rating.Notice{
		{Year: 2031, Source: "通知", Off: []string{"2031-01-01"}},
		{Year: 2026, Source: "更正", Off: []string{"2026-03-03"}}}}
	days, err := c.workingDays()
	if err != nil || !slices.Contains(days.Years(), 2031) {
		t.Fatalf("years %v, %v", days.Years(), err)
	}
	for day, want := range map[int]bool{3: false, 4: true} {
		if works, missing := days.Working(time.Date(2026, 3, day, 12, 0, 0, 0, rating.Shanghai())); works != want || missing != 0 {
			t.Errorf("March %d: works %v, missing %d", day, works, missing)
		}
	}
	if d := days.After(time.Date(2030, 12, 30, 12, 0, 0, 0, rating.Shanghai()), 5); d.Missing == 2031 {
		t.Errorf("a deadline in 2031 waits for its notice: %+v", d)
	}
	if got, err := c.reasons(); err != nil || got.Version != 7 {
		t.Errorf("the catalogue is %d, %v", got.Version, err)
	}
}

func TestAboveConfiguration(t *testing.T) {
	key := strings.Repeat("A", 43)
	for lines, want := range map[string]string{
		"above.key = \"" + key + "\"": "",
		"above.key = \"" + key + "\"\nabove.url = \"https://p.example.gov.cn/seal\"":     "",
		"above.key = \"" + key + "\"\nabove.url = \"http://p.example.gov.cn/seal\"":      "plain text",
		"above.key = \"" + key + "\"\nabove.url = \"https://u:p@p.example.gov.cn/seal\"": "without user",
		"above.url = \"https://p.example.gov.cn/seal\"":                                  "there is no above.key",
		"above.key = \"abc\"": `"centrald key" prints at the level above`,
	} {
		if _, err := parseConfig(lines); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nsays %v, want %q", lines, err, want)
		}
	}
}

// pipe is a line between two centres that can be cut.
type pipe struct {
	net.Listener
	mu   sync.Mutex
	open []net.Conn
	to   string
	cut  bool
}

func newPipe(t *testing.T, to string) *pipe {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &pipe{Listener: l, to: to}
	t.Cleanup(func() { p.turn(true); _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			out, err := net.Dial("tcp", p.to)
			if p.cut || err != nil {
				_ = in.Close()
			}
			if err == nil && p.cut {
				_ = out.Close()
			}
			if err == nil && !p.cut {
				p.open = append(p.open, in, out)
				go func() { _, _ = out.(*net.TCPConn).ReadFrom(in) }()
				go func() { _, _ = in.(*net.TCPConn).ReadFrom(out) }()
			}
			p.mu.Unlock()
		}
	}()
	return p
}

// turn cuts the line, or joins it.
func (p *pipe) turn(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if cut {
		for _, c := range p.open {
			_ = c.Close()
		}
		p.open = nil
	}
}

func (p *pipe) moved(to string) { p.mu.Lock(); p.to = to; p.mu.Unlock() }

// shown is what a centre says holds.
func (c *centre) shown(t *testing.T) (v shownPolicy) {
	t.Helper()
	out, err := c.command("policy", "show", "-json", "-config", c.config)
	if err == nil {
		err = json.Unmarshal([]byte(out), &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (v shownPolicy) setting(n policy.Name) shownHeld {
	i := slices.IndexFunc(v.Settings, func(h shownHeld) bool { return h.Name == n })
	return v.Settings[i]
}

// issue issues a policy at a centre, as somebody does who looks at the preview first.
func (c *centre) issue(t *testing.T, change func(*policy.Document)) {
	t.Helper()
	out, err := c.command("policy", "draft", "-config", c.config)
	if err != nil {
		t.Fatal(err)
	}
	d, err := policy.ParseDocument([]byte(out))
	if err != nil {
		t.Fatal(err)
	}
	d.From = "2026-01-01"
	change(&d)
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "draft.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	preview, err := c.command("policy", "issue", file, "-config", c.config, "-lang", "en")
	if err != nil {
		t.Fatal(err)
	}
	_, hash, ok := strings.Cut(strings.TrimSpace(preview), "-hash ")
	if !ok {
		t.Fatalf("the preview names no hash:\n%s", preview)
	}
	if out, err := c.command("policy", "issue", file, "-apply", "-hash", hash, "-config", c.config); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestPolicyBetweenTwoCentres: a province issues, a city takes it over a line that breaks and from a file; both begin anew with it by
// themselves; what the city's file says otherwise is named and does not hold; a year's calendar comes with it.
func TestPolicyBetweenTwoCentres(t *testing.T) {
	province := startCentre(t, t.TempDir())
	line := newPipe(t, province.at.Admin)
	dir := t.TempDir()
	more := fmt.Sprintf("[orders]\noffice_days = 5\n[deadline]\nsilent_days = 12\n[above]\nkey = %q\nurl = \"http://%s/seal\"\n",
		province.at.PublicKey, line.Addr())
	city := startCentreWith(t, dir, time.Now, more)
	if v := city.shown(t); v.Number != 0 || v.setting("orders.office_days").Value != "5" {
		t.Errorf("before any policy holds %+v", v)
	}
	set := func(d *policy.Document) {
		for i, s := range d.Settings {
			switch s.Name {
			case "orders.office_days":
				d.Settings[i].Value = "3"
			case "deadline.silent_days":
				low, high := 5, 20
				d.Settings[i].Lower, d.Settings[i].Least, d.Settings[i].Most = true, &low, &high
			}
		}
		d.Calendars = []rating.Notice{{Year: 2031, Source: "通知", Off: []string{"2031-01-01"}}}
	}
	province.issue(t, set)
	eventually(t, "the province beginning anew", func() bool { return strings.Count(province.log.String(), "centrald runs") == 2 })
	var at bound
	eventually(t, "the province's new address", func() bool {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(province.config), "addresses.json"))
		return err == nil && json.Unmarshal(b, &at) == nil && at.Admin != province.at.Admin
	})
	line.moved(at.Admin)
	within(t, 3*time.Minute, "the city beginning anew with what came over the line", func() bool {
		return strings.Count(city.log.String(), "centrald runs") == 2
	})
	v := city.shown(t)
	if d := v.setting("orders.office_days"); v.Number != 1 || d.Value != "3" || d.Level != policy.Above || d.Refused == "" {
		t.Errorf("in the city holds %+v: %+v", v, d)
	}
	if s := v.setting("deadline.silent_days"); s.Value != "12" || s.Level != policy.File {
		t.Errorf("what the city may set is %+v", s)
	}
	if !strings.Contains(city.log.String(), "setting=orders.office_days wanted=5 holds=3") {
		t.Errorf("nobody was told that the file contradicts:\n%s", city.log)
	}
	line.turn(true)
	province.issue(t, func(d *policy.Document) { d.Title = "第二号" })
	signed, err := province.command("policy", "export", "-config", province.config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "policy.json")
	for text, ok := range map[string]bool{strings.Replace(signed, "第二号", "第三号", 1): false, signed: true} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := city.command("policy", "import", file, "-config", city.config); (err == nil) != ok {
			t.Errorf("imported: %v\n%s", err, out)
		}
	}
	eventually(t, "the city beginning anew with the file", func() bool { return strings.Count(city.log.String(), "centrald runs") == 3 })
	if v := city.shown(t); v.Number != 2 || v.Title != "第二号" {
		t.Errorf("after the file holds %+v", v)
	}
}
