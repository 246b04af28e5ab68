package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/kernelclock"
	"haochaping/internal/proof/chromium"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/store"
	"haochaping/sync/uplink"
	"haochaping/sync/wire"
)

// boxAt is the behaviour, log and uplink of a box at a window of the organisation, as the daemon joins them, which ends with the test.
func boxAt(t *testing.T, c *centre, id rating.DeviceID, window string) (*terminal.Loop, *store.Store, func() rating.Stamp) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := c.command("device", "-config", c.config, "add", "-id", string(id), "-key", keyText(public), "-window-id",
		window); err != nil {
		t.Fatalf("device add: %s, %v", out, err)
	}
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(filepath.Join(t.TempDir(), "log.db"), store.Options{Device: id, Random: rand.Reader, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	now := func() rating.Stamp {
		return rating.Stamp{Boot: 1, Mono: kernelclock.SinceBoot().Milliseconds(), Wall: time.Now().UnixMilli(), Synced: true}
	}
	loop := terminal.NewLoop(terminal.LoopConfig{Timings: terminal.Timings{Wait: time.Minute, Thanks: time.Second}, Log: db, Now: now,
		Random: rand.Reader,
		Show:   func(terminal.View) {}, Logger: log})
	config := make(chan wire.Config, 1)
	u, err := uplink.New(uplink.Config{Brokers: []string{"mqtt://" + c.at.MQTT}, Username: string(id), Key: key, Centre: c.key, Log: db,
		Presence: wire.Presence{V: 1}, Health: func() wire.Health { return wire.Health{V: 1} }, Now: time.Now,
		Random: func() float64 { return 0 }, Logger: log,
		OnConfig: func(k wire.Config) {
			select {
			case config <- k:
			default:
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- u.Run(ctx) }()
	var own wire.Config
	select {
	case own = <-config:
	case <-time.After(time.Minute):
		t.Fatal("the box hears of no window")
	}
	go func() { ended <- loop.Run(ctx, terminal.Started{At: now(), Window: &own.Window}) }()
	t.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return loop, db, now
}

// TestFromTheKeyToClosed follows one bad rating from the key at the window, through box, broker, journal and books, to an order that four
// roles work on in a browser until it is closed. The person who was rated sees nothing of it.
func TestFromTheKeyToClosed(t *testing.T) {
	browser := chromium.Start(t)
	if err := chromedp.Do(browser, chromedp.Navigate("about:blank")); err != nil { // the browser lives as long as what it was first asked with
		t.Fatal(err)
	}
	var ahead atomic.Int64
	c := startCentreAt(t, t.TempDir(), func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	command := func(words ...string) string {
		t.Helper()
		out, err := c.command(words...)
		if err != nil {
			t.Fatalf("%q: %v\n%s", words, err, out)
		}
		return out
	}
	preview := command("directory", "-config", c.config, "import", city)
	command("directory", "-config", c.config, "import", city, "-apply", "-hash",
		regexp.MustCompile(`-hash ([0-9a-f]+)`).FindStringSubmatch(preview)[1], "-reason", "第一次导入")
	const area, police = "629900000000", "116299003MB003333Y"
	link := make(map[account.Role]string)
	for role, of := range map[account.Role][]string{account.Unit: {"-area", area, "-scope", police}, account.City: {"-area", area},
		account.Province: {"-area", "620000000000"},
		account.Auditor:  {"-area", area}, account.Staff: {"-area", area, "-scope", "SL-0001"}} {
		login := "way." + string(role)
		command(append([]string{"account", "add", "-config", c.config, "-role", string(role), "-login", login, "-name", "测试"}, of...)...)
		link[role] = regexp.MustCompile(`/enter/\S+`).FindString(command("account", "link", "-config", c.config, "-sign-in", login))
	}

	loop, db, now := boxAt(t, c, "way-a07", "SL-H1-A07")
	loop.Post(terminal.StaffKey{At: now(), ID: loop.Fresh()})
	within(t, time.Minute, "the question", func() bool { return loop.View().State == terminal.Asking })
	time.Sleep(300 * time.Millisecond) // what comes sooner is no answer
	loop.Post(terminal.Press{At: now(), Level: rating.VeryDissatisfied})
	within(t, time.Minute, "the acknowledgement", func() bool {
		return loop.View().State != terminal.Asking && db.Last() > 1 && db.Released() == db.Last()
	})
	ahead.Store(int64(3 * time.Minute)) // it can no longer be corrected at the window

	b := &browsed{t: t, url: "http://" + c.at.Admin, tab: func(steps ...chromedp.Action[chromedp.Void]) error {
		patience, stop := context.WithTimeout(browser, time.Minute)
		defer stop()
		return chromedp.Do(patience, steps...)
	}, text: func() (string, error) {
		return chromedp.Run(browser, chromedp.Evaluate[string](`document.querySelector("main").innerText + `+
			`document.querySelector("nav.menu").innerText`))
	}}
	as := func(role account.Role, work func()) {
		t.Helper()
		b.who = role
		b.do("come", chromedp.Navigate(b.url+link[role]), chromedp.Click(chromedp.CSS("#enter")), chromedp.WaitVisible(chromedp.CSS("nav.menu")))
		work()
		b.do("leave", chromedp.Click(chromedp.CSS(".who button")), chromedp.WaitVisible(chromedp.CSS("#login")))
		link[role] = regexp.MustCompile(`/enter/\S+`).FindString(command("account", "link", "-config", c.config, "-sign-in", "way."+string(role)))
	}
	page := ""
	// deed fills in the form of a deed and sends it, and waits for the state that follows.
	deed := func(do, words, state string) {
		t.Helper()
		id := "#words-" + do
		b.do(do, chromedp.Navigate(b.url+page), chromedp.Click(chromedp.CSS(`details:has(`+id+`) summary`)),
			chromedp.WaitVisible(chromedp.CSS(id)))
		if words != "" {
			b.do(do, chromedp.SendKeys(chromedp.CSS(id), words))
		}
		b.do(do, chromedp.Click(chromedp.CSS(`details:has(`+id+`) button`)), chromedp.WaitNotPresent(chromedp.CSS(id)),
			chromedp.WaitVisible(chromedp.CSS(".steps")))
		b.until(words)
		got, err := chromedp.Run(browser, chromedp.Evaluate[string](`document.querySelector("h1 .tag").textContent`))
		if err != nil || got != state {
			t.Fatalf("after %s it is %q, want %q, %v", do, got, state, err)
		}
	}
	as(account.Unit, func() {
		within(t, time.Minute, "the order", func() bool {
			b.do("look", chromedp.Navigate(b.url+"/orders"))
			page, _ = chromedp.Run(browser, chromedp.Evaluate[string](`(document.querySelector("td a") || {getAttribute: () => `+
				`""}).getAttribute("href")`))
			return page != ""
		})
		b.sees("the list", "待联系", "非常不满意", "还有 1 个工作日", "示例市公安局")
		b.open(page, "户政7号窗口", "未留联系方式")
		deed("verify", "调取取号记录：当日等候 110 分钟", "已联系")
		deed("plan", "列入台账", "限期整改")
		deed("reply", "增开窗口", "已反馈")
	})
	as(account.City, func() {
		b.open(page, "增开窗口")
		deed("return", "请写明自何时起增开", "限期整改")
	})
	as(account.Unit, func() { deed("reply", "自下周一上午起增开一个身份证窗口", "已反馈") })
	as(account.City, func() { deed("pass", "", "待回访") })
	as(account.Province, func() {
		b.open("/orders/board", "示例市公安局", "实名差评回访整改率")
		deed("skip", "匿名评价，没有联系方式", "已办结")
	})
	as(account.Auditor, func() {
		b.open("/orders", "没有待办的差评工单")
		b.open("/orders/search?state=ended", "已办结")
		b.open(page, "已办结", "自下周一上午起增开", "请写明自何时起增开", "!督促催办")
	})
	as(account.Staff, func() { b.open(page, "没有这个页面", "!身份证", "!不满意") })
	if out := command("orders", "list", "-config", c.config); !strings.Contains(out, "nothing is open") {
		t.Errorf("after its end there is %s", out)
	}
}
