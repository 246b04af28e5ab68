package main

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/proof/chromium"
	"haochaping/internal/proof/testkit"
)

type css = chromedp.CSS

// runningDemo is a demonstration in a folder for what it writes.
type runningDemo struct {
	address string
	command *exec.Cmd
	temp    string
	ended   bool
}

// programs are all three, side by side.
var programs testkit.Programs

func TestMain(m *testing.M) { os.Exit(programs.Main(m)) }

// startDemo starts the demonstration.
func startDemo(t *testing.T, flags ...string) *runningDemo {
	t.Helper()
	d := &runningDemo{temp: t.TempDir(), command: exec.Command(programs.Path(t, "ratingctl"),
		append([]string{"demo", "-listen", "127.0.0.1:0"}, flags...)...)}
	d.command.Env = append(os.Environ(), "TMPDIR="+d.temp)
	d.command.Stderr = os.Stderr
	out, err := d.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.stop(t) })
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the demonstration printed no address: %v", lines.Err())
	}
	d.address = lines.Text()
	if u, err := url.Parse(d.address); err != nil || u.Host == "" {
		t.Fatalf("the demonstration printed %q", d.address)
	}
	return d
}

// stop ends the demonstration as Ctrl-C does; it must leave nothing behind.
func (d *runningDemo) stop(t *testing.T) {
	if d.ended {
		return
	}
	d.ended = true
	if err := d.command.Process.Signal(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	if err := d.command.Wait(); err != nil {
		t.Errorf("the demonstration did not end in order: %v", err)
	}
	if left, err := os.ReadDir(d.temp); err != nil || len(left) > 0 {
		t.Errorf("it left %v behind, %v", left, err)
	}
}

// end stops the demonstration under its open page, which says so and offers nothing any more.
func (d *runningDemo) end(t *testing.T, ctx context.Context) {
	d.stop(t)
	until(t, ctx, "the end", `!document.getElementById("ended").hidden && document.querySelector("#demo-a12 .start").disabled &&
		document.getElementById("network-word").textContent.includes("已结束") && !document.body.textContent.includes("已连接")`)
	do(t, ctx, chromium.Screenshot("ended"))
}

// evaluate returns what a script on the page says.
func evaluate[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return v
}

// until waits until a script on the page says true.
func until(t *testing.T, ctx context.Context, what, script string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if evaluate[bool](t, ctx, script) {
			return
		}
	}
	_ = chromedp.Do(ctx, chromium.Screenshot("failed"))
	t.Fatalf("not seen: %s; on the page is\n%s", what, evaluate[string](t, ctx, shown))
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// state is a script that says whether a box is in a state.
func state(box, s string) string {
	return fmt.Sprintf(`(() => { const r = new XMLHttpRequest(); r.open("GET", "box/%s/state.json", false); r.send();
		return r.status === 200 && JSON.parse(r.responseText).state === %q })()`, box, s) // it may be starting
}

// rows is a script that says whether the centre's list has n rows.
func rows(n int) string {
	return fmt.Sprintf(`document.querySelectorAll("tbody tr").length === %d`, n)
}

// travelled is a script that says whether something has been seen on its way through the picture.
func travelled(kind string) string { return fmt.Sprintf(`window.travelled.has(%q)`, kind) }

// fits says whether the page is seen without scrolling.
const fits = `document.documentElement.scrollHeight <= innerHeight && document.documentElement.scrollWidth <= innerWidth`

// watch notes what travels through the picture from now on, and which words cross a part of it or lie outside of it.
const watch = `window.travelled = new Set();
	window.crossed = new Set();
	new MutationObserver((all) => all.forEach((m) => m.addedNodes.forEach((n) => window.travelled.add(n.classList[1]))))
		.observe(document.getElementById("travellers"), { childList: true });
	(function look() {
		const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
		for (const t of document.querySelectorAll("#travellers text")) {
			const word = t.getBoundingClientRect();
			if (word.top < document.querySelector("header").getBoundingClientRect().bottom) window.crossed.add(t.textContent + " / header");
			for (const n of document.querySelectorAll(".node"))
				if (meet(word, n.firstElementChild.getBoundingClientRect())) window.crossed.add(t.textContent + " / " + n.id);
		}
		requestAnimationFrame(look);
	})(); true`

// shown is a script that says what is on the page, for whoever looks why something was not seen.
const shown = `[location.href, document.readyState, (document.body || {}).innerText,
	...Array.from(document.querySelectorAll("iframe, select, #tab"), (e) => [e.id, e.src || e.href || e.value].join(" = "))].join("\n")`

// TestDemo clicks through the demonstration as somebody would who sees it for the first time.
func TestDemo(t *testing.T) {
	ctx := chromium.Start(t)
	d := startDemo(t, "-empty")
	do(t, ctx, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(d.address))
	for _, box := range []string{"demo-a12", "demo-a11"} {
		until(t, ctx, "the window is open", state(box, "idle"))
		until(t, ctx, "the five keys", `document.querySelectorAll("#`+box+` .keys button").length === 5`)
	}
	if !evaluate[bool](t, ctx, fits) {
		t.Error("the page does not fit 1280 × 800")
	}
	list := chromium.Tab(t, ctx)
	until(t, ctx, "the centre's address", `document.getElementById("centre").src !== ""`)
	do(t, list, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(evaluate[string](t, ctx, `document.getElementById("centre").src`)))
	until(t, list, "an empty list", rows(0))
	evaluate[bool](t, ctx, watch)
	demoKeys(t, ctx, list)
	demoOffline(t, ctx, list)
	demoPhone(t, ctx, list)
	demoNewBox(t, ctx, list)
	demoRoles(t, ctx, list)
	d.end(t, ctx)
}

// press presses a key of the keyboard until the box is in a state: one that comes too soon is no answer.
func press(t *testing.T, ctx context.Context, key, box, what, becomes string) {
	t.Helper()
	time.Sleep(300 * time.Millisecond)
	do(t, ctx, chromedp.KeyEvent(key))
	until(t, ctx, what, state(box, becomes))
}

// demoKeys rates by the keyboard, whose digits are the levels, and gives a reason.
func demoKeys(t *testing.T, ctx, list context.Context) {
	do(t, ctx, chromedp.Click(css(`#demo-a12 input[name=completed]`)), chromedp.Click(css(`#demo-a12 .start`)))
	until(t, ctx, "the question", state("demo-a12", "asking"))
	press(t, ctx, "4", "demo-a12", "the thanks", "correcting")
	do(t, ctx, chromium.Screenshot("thanks"))
	until(t, list, "the evaluation in the list", rows(1)+` && document.querySelector("tbody .level").textContent.trim().startsWith("4 满意")`)
	if evaluate[bool](t, list, `document.querySelector("tbody .rumour") !== null`) {
		t.Error("the time of an evaluation is a rumour, though the host's clock is trusted")
	}
	for _, kind := range []string{"press", "records", "ack"} {
		until(t, ctx, kind+" on its way", travelled(kind))
	}
	until(t, ctx, "nothing on its way", `document.querySelector("#travellers").childElementCount === 0`)
	if crossed := evaluate[[]string](t, ctx, `Array.from(window.crossed)`); len(crossed) > 0 {
		t.Errorf("words lie over parts of the picture: %q", crossed)
	}
	until(t, ctx, "the outcome at the PC", `document.querySelector("#demo-a12 output").textContent.includes("rated")`)
	if text := evaluate[string](t, ctx, `document.querySelector("#demo-a12 output").textContent`); strings.Contains(text, "满意") {
		t.Errorf("the PC was told %q", text)
	}
	const second = `document.querySelector("#demo-a12 .keys button:nth-child(2)").textContent`
	until(t, ctx, "the reasons", state("demo-a12", "explaining")+` && !`+second+`.includes("满意")`)
	if !evaluate[bool](t, ctx, fits) {
		t.Error("the page does not fit 1280 × 800 while reasons are asked for")
	}
	reason := evaluate[string](t, ctx, `document.querySelector("#demo-a12 .keys button:nth-child(2) span").textContent`)
	time.Sleep(300 * time.Millisecond) // what comes sooner is no answer
	do(t, ctx, chromedp.KeyEvent("4"))
	until(t, list, "the reason in the list", fmt.Sprintf(`document.querySelector("tbody tr").textContent.includes(%q)`, reason))
}

// demoOffline cuts the network, reloads the page, and clicks on a key of the other box. The citizen notices nothing.
func demoOffline(t *testing.T, ctx, list context.Context) {
	const cut = `document.getElementById("network-word").textContent.includes("cut") && !document.getElementById("network").checked`
	do(t, ctx, chromedp.Click(css(`.switch b`)))
	until(t, ctx, "the switch", cut)
	do(t, ctx, chromedp.Reload())
	until(t, ctx, "the switch, after the page was loaded again", cut+` && document.querySelectorAll("#demo-a11 .keys button").length === 5`)
	evaluate[bool](t, ctx, watch)
	do(t, ctx, chromedp.Click(css(`#demo-a11 input[name=completed]`)), chromedp.Click(css(`#demo-a11 .start`)))
	until(t, ctx, "the question", state("demo-a11", "asking"))
	time.Sleep(300 * time.Millisecond) // a press sooner is no answer
	do(t, ctx, chromedp.Click(css(`#demo-a11 .keys button:nth-child(5)`)))
	until(t, ctx, "the thanks without network", state("demo-a11", "correcting"))
	until(t, ctx, "what waits in the log", `!document.querySelector("#node-log-demo-a11 .note").textContent.includes(" 0 ")`)
	do(t, ctx, chromium.Screenshot("offline"))
	if !evaluate[bool](t, list, rows(1)) {
		t.Error("the evaluation reached the centre through a cut network")
	}
	do(t, ctx, chromedp.Click(css(`.switch b`)))
	until(t, list, "the evaluation after the network is back", rows(2))
}

// demoPhone clicks on the QR code, and rates on the phone beside it.
func demoPhone(t *testing.T, ctx, list context.Context) {
	// A box that is offline hears of what was rated by phone when it is back, and a PC's visit may be over then.
	until(t, ctx, "the box, after the network is back", `(() => { const r = new XMLHttpRequest();
		r.open("GET", "box/demo-a12/state.json", false);
		r.send();
		return !JSON.parse(r.responseText).offline })()`)
	do(t, ctx, chromedp.Click(css(`#demo-a12 .start`)))
	until(t, ctx, "the QR code", `document.getElementById("demo-a12").classList.contains("scannable")`)
	do(t, ctx, chromedp.Click(css(`#demo-a12 .scan`)))
	until(t, ctx, "the page on the phone", `!document.getElementById("phone").hidden && document.getElementById("phone").src !== ""`)
	do(t, ctx, chromium.Screenshot("scanned"))
	phone := chromium.Tab(t, ctx)
	do(t, phone, chromedp.EmulateViewport(360, 740, chromedp.EmulateScale(2)),
		chromedp.Navigate(evaluate[string](t, ctx, `document.getElementById("phone").src`)),
		chromedp.Click(css(`label[for=staff-5]`)), chromedp.Click(css(`label[for=matter-3]`)),
		chromedp.Click(css(`button[type=submit]`)), chromedp.WaitVisible(css(`section.done`)), chromium.Screenshot("phone-thanks"))
	until(t, list, "both evaluations in the list", rows(4))
	until(t, ctx, "the box knows", `document.querySelector("#demo-a12 output").textContent.includes("phone")`)
	until(t, ctx, "the phone's word on its way", travelled("phone"))
	do(t, list, chromium.Screenshot("centre"), chromedp.EmulateViewport(360, 740))
	if !evaluate[bool](t, list, `document.documentElement.scrollWidth <= innerWidth`) {
		t.Error("the centre's page is wider than a phone")
	}
	do(t, list, chromium.Screenshot("centre-phone"))
}

// demoNewBox lets the box in that waits with its code, by the page that the demonstration opens. It serves the window that had none, and
// starts again when a technician asks it to.
func demoNewBox(t *testing.T, ctx, list context.Context) {
	do(t, ctx, chromedp.Click(css(`#demo-new .let-in`)))
	// On the phone, where it can be read: the centre's pane shows its first lines alone on a low screen.
	until(t, ctx, "the page of new boxes", `document.getElementById("phone").src.includes("/fleet/enrol") &&
		document.getElementById("as").value === "technician"`)
	page := evaluate[string](t, ctx, `document.getElementById("phone").src`)
	do(t, list, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(page), chromedp.Click(css(".accept > p > button")),
		chromedp.WaitVisible(css(".done .well")))
	until(t, ctx, "the new box at its window", state("demo-new", "idle"))
	do(t, list, chromedp.Click(css(".done a")), chromedp.WaitVisible(css(".commands details:has([value=restart])")))
	do(t, list, chromedp.Click(css(".commands details:has([value=restart]) summary")),
		chromedp.Click(css(".commands form:has([value=restart]) button")), chromedp.WaitVisible(css("#commands .state-word.done")))
	until(t, ctx, "the new box again", state("demo-new", "idle"))
	do(t, ctx, chromedp.Click(css(`#demo-new .start`)))
	until(t, ctx, "the new box's question", state("demo-new", "asking"))
	// The rehearsed boxes have left the windows at which others stand.
	base, _, _ := strings.Cut(page, "/fleet/")
	do(t, list, chromedp.Navigate(base+"/fleet/halls/SL-H1"), chromedp.WaitVisible(css(".tile")))
	n := evaluate[int](t, list, `Array.from(document.querySelectorAll(".tile")).filter(e => e.innerText.includes("SL-H1-A12")).length`)
	if n != 1 {
		t.Errorf("%d boxes stand at one window", n)
	}
}

// become has the page sign the browser in as somebody of a role, and returns where they begin. What was not said is chosen again, as
// whoever reads the page would.
func become(t *testing.T, ctx context.Context, role string) *url.URL {
	t.Helper()
	choose := fmt.Sprintf(`document.getElementById("centre").removeAttribute("src"); document.getElementById("as").value = %q;
		document.getElementById("as").onchange(); true`, role)
	evaluate[bool](t, ctx, choose)
	until(t, ctx, "the centre's page for "+role, `(() => {
		const as = document.getElementById("as"), word = document.getElementById("as-word").textContent;
		if (word.includes("choose again")) { console.log(word); `+choose+` }
		return as.value === "`+role+`" && word === "" && document.getElementById("centre").hasAttribute("src") })()`)
	address, err := url.Parse(evaluate[string](t, ctx, `document.getElementById("tab").href`))
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// demoRoles looks at the centre as somebody of each role, whom a choice of the page signs in, and as nobody.
func demoRoles(t *testing.T, ctx, list context.Context) {
	for _, p := range demoPeople() {
		address := become(t, ctx, p.role)
		if address.Path != p.page {
			t.Errorf("as %s the centre begins at %s", p.role, address)
		}
		do(t, list, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(address.String()))
		if who := evaluate[string](t, list, `document.querySelector(".who .name").textContent`); !strings.Contains(who, p.chinese) ||
			!strings.Contains(who, p.name) {
			t.Errorf("as %s the centre's page is that of %q", p.role, who)
		}
		do(t, list, chromium.Screenshot("demo-"+p.role))
	}
	do(t, ctx, chromium.Screenshot("demo-roles"))
	do(t, list, chromedp.Click(css(`.who button`)), chromedp.WaitVisible(css("#login")))
}

// TestDemoHasAPast looks at the pages that a past fills, as those whose they are: a first visitor sees a centre that has worked.
func TestDemoHasAPast(t *testing.T) {
	ctx := chromium.Start(t)
	d := startDemo(t)
	do(t, ctx, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(d.address))
	until(t, ctx, "the centre's address", `document.getElementById("centre").src !== ""`)
	list := chromium.Tab(t, ctx)
	for _, p := range []struct{ role, path, has string }{
		{"province", "/live", `document.querySelectorAll("tbody tr").length > 10`},
		{"city", "/orders", `document.querySelectorAll("tbody tr").length > 5`},
		{"city", "/orders/board", `document.querySelectorAll("tbody tr").length > 2`},
		{"city", "/orders/contacts", `document.querySelectorAll("tbody tr").length > 4`},
		{"city", "/orders/search?state=ended", `document.querySelectorAll("tbody tr").length > 10`},
		{"city", "/figures", `document.querySelectorAll("tbody tr").length > 2`},
		{"unit", "/orders/search", `document.querySelectorAll("tbody tr").length > 2`},
		{"city", "/integrity", `document.querySelectorAll("tbody tr").length > 0`},
		{"city", "/publications", `document.querySelectorAll("tbody tr").length > 1`},
		{"city", "/publications?kind=publication&state=ended", `document.querySelectorAll("tbody tr").length > 0`},
		{"city", "/assessment?kind=mend", `document.querySelectorAll("tbody tr").length > 0`},
		{"city", "/assessment?kind=problem&state=ended", `document.querySelectorAll("tbody tr").length > 2`},
		{"city", "/fleet", `document.body.innerText.includes("正常") && !document.body.innerText.includes("未连接过")`},
		{"inspector", "/clues", `document.querySelectorAll("tbody tr").length > 0`},
	} {
		address := become(t, ctx, p.role)
		page := address.Scheme + "://" + address.Host + p.path
		name := "past-" + p.role + strings.NewReplacer("/", "-", "?", "-", "=", "-").Replace(p.path)
		for end := time.Now().Add(time.Minute); ; time.Sleep(time.Second) { // books and figures follow when the centre has begun
			do(t, list, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(page))
			if evaluate[bool](t, list, p.has) || !time.Now().Before(end) {
				break
			}
		}
		do(t, list, chromium.Screenshot(name))
		if !evaluate[bool](t, list, p.has) {
			t.Errorf("%s sees little at %s:\n%s", p.role, p.path, evaluate[string](t, list, shown))
		}
		do(t, list, chromedp.EmulateViewport(390, 844), chromium.Screenshot(name+"-phone"))
	}
	d.end(t, ctx)
}
