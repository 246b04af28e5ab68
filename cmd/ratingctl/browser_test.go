package main

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/proof/chromium"
)

type css = chromedp.CSS

// startDemo builds all programs, starts the demonstration and returns its page's address.
func startDemo(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir+"/", "haochaping/cmd/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	c := exec.Command(filepath.Join(dir, "ratingctl"), "demo", "-listen", "127.0.0.1:0")
	temp := t.TempDir()
	c.Env = append(os.Environ(), "TMPDIR="+temp)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Process.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
		if err := c.Wait(); err != nil {
			t.Errorf("the demonstration did not end in order: %v", err)
		}
		if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
			t.Errorf("it left %v behind, %v", left, err)
		}
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the demonstration printed no address: %v", lines.Err())
	}
	address := lines.Text()
	if u, err := url.Parse(address); err != nil || u.Host == "" {
		t.Fatalf("the demonstration printed %q", address)
	}
	return address
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
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if evaluate[bool](t, ctx, script) {
			return
		}
	}
	_ = chromedp.Do(ctx, chromium.Screenshot("failed"))
	t.Fatalf("not seen: %s", what)
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// state is a script that says whether the box is in a state.
func state(s string) string {
	return fmt.Sprintf(`(() => { const r = new XMLHttpRequest(); r.open("GET", "box/state.json", false); r.send(); return JSON.parse(r.responseText).state === %q })()`, s)
}

// rows is a script that says whether the centre's list has n rows.
func rows(n int) string {
	return fmt.Sprintf(`document.querySelectorAll("tbody tr").length === %d`, n)
}

// TestDemo clicks through the demonstration as somebody would who sees it for the first time.
func TestDemo(t *testing.T) {
	ctx := chromium.Start(t)
	address := startDemo(t)
	do(t, ctx, chromedp.EmulateViewport(1440, 900), chromedp.Navigate(address))
	until(t, ctx, "the window is open", state("idle"))
	until(t, ctx, "the five keys", `document.querySelectorAll("#keys button").length === 5`)
	list := chromium.Tab(t, ctx)
	do(t, list, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(evaluate[string](t, ctx, `document.getElementById("centre").src`)))
	until(t, list, "an empty list", rows(0))

	// A key of the keyboard.
	do(t, ctx, chromedp.Click(css(`#start`)))
	until(t, ctx, "the question", state("asking"))
	time.Sleep(300 * time.Millisecond) // a press sooner is no answer
	do(t, ctx, chromium.Screenshot("asking"), chromedp.KeyEvent("2"))
	until(t, ctx, "the thanks", state("correcting"))
	do(t, ctx, chromium.Screenshot("thanks"))
	until(t, list, "the evaluation in the list", rows(1)+` && document.querySelector("tbody tr").textContent.includes("满意")`)
	until(t, ctx, "the outcome at the PC", `document.getElementById("outcome").textContent.includes("rated")`)
	if text := evaluate[string](t, ctx, `document.getElementById("outcome").textContent`); strings.Contains(text, "满意") {
		t.Errorf("the PC was told %q", text)
	}

	// The reason, by the same keys.
	until(t, ctx, "the reasons", state("explaining")+` && document.querySelector("#keys button:nth-child(4)").textContent.includes("服务态度较好")`)
	do(t, ctx, chromium.Screenshot("reasons"))
	time.Sleep(300 * time.Millisecond) // what comes sooner is no answer
	do(t, ctx, chromedp.KeyEvent("4"))
	until(t, ctx, "the thanks for it", state("explaining")+` && document.querySelector("#keys button:nth-child(4)").textContent.includes("不满意")`)
	until(t, list, "the reason in the list", `document.querySelector("tbody tr").textContent.includes("服务态度较好")`)

	// The network cut, and a click on a key. The citizen notices nothing.
	do(t, ctx, chromedp.Click(css(`.switch i`)))
	until(t, ctx, "the switch", `document.getElementById("network-word").textContent.includes("cut")`)
	do(t, ctx, chromedp.Click(css(`#start`)))
	until(t, ctx, "the question", state("asking"))
	time.Sleep(300 * time.Millisecond) // a press sooner is no answer
	do(t, ctx, chromedp.Click(css(`#keys button:nth-child(5)`)))
	until(t, ctx, "the thanks without network", state("correcting"))
	do(t, ctx, chromium.Screenshot("offline"))
	until(t, ctx, "the end of the visit", state("idle"))
	if !evaluate[bool](t, list, rows(1)) {
		t.Error("the evaluation reached the centre through a cut network")
	}
	do(t, ctx, chromedp.Click(css(`.switch i`)))
	until(t, list, "the evaluation after the network is back", rows(2))

	// The link of the QR code, on a phone.
	do(t, ctx, chromedp.Click(css(`input[name=completed]`)), chromedp.Click(css(`#start`)))
	until(t, ctx, "the link", `!document.getElementById("link").hidden`)
	link := evaluate[string](t, ctx, `document.getElementById("link").href`)
	phone := chromium.Tab(t, ctx)
	do(t, phone, chromedp.EmulateViewport(360, 740, chromedp.EmulateScale(2)), chromedp.Navigate(link), chromium.Screenshot("phone"),
		chromedp.Click(css(`label[for=staff-5]`)), chromedp.Click(css(`label[for=matter-3]`)), chromium.Screenshot("phone-filled"),
		chromedp.Click(css(`button[type=submit]`)), chromedp.WaitVisible(css(`section.done`)), chromium.Screenshot("phone-thanks"))
	until(t, list, "both evaluations in the list", rows(4))
	until(t, ctx, "the box knows", `document.getElementById("outcome").textContent.includes("phone")`)
	do(t, list, chromium.Screenshot("centre"))
	do(t, ctx, chromium.Screenshot("end"))
}
