package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/proof/testkit"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

const box = rating.DeviceID("lz-0417")

// centre is a whole centrald, started on ports that the system chose.
type centre struct {
	t      *testing.T
	config string
	at     bound
	key    ed25519.PublicKey
	log    *testkit.Said
	stop   func()
}

func writeConfig(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "centrald.toml")
	text := fmt.Sprintf("state = %q\naddresses_file = %q\n[broker]\nlisten = \"127.0.0.1:0\"\n[rate]\nlisten = \"127.0.0.1:0\"\n[admin]\n"+
		"listen = \"127.0.0.1:0\"\n[ops]\nlisten = \"127.0.0.1:0\"\n",
		filepath.Join(dir, "state"), filepath.Join(dir, "addresses.json"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func startCentre(t *testing.T, dir string) *centre {
	t.Helper()
	return startCentreAt(t, dir, time.Now)
}

// startCentreAt is startCentre by a clock.
func startCentreAt(t *testing.T, dir string, now func() time.Time) *centre {
	t.Helper()
	return startCentreWith(t, dir, now, "")
}

// startCentreWith is startCentreAt with more lines of configuration.
func startCentreWith(t *testing.T, dir string, now func() time.Time, more string) *centre {
	t.Helper()
	c := &centre{t: t, config: writeConfig(t, dir), log: new(testkit.Said)}
	if text, err := os.ReadFile(c.config); err != nil {
		t.Fatal(err)
	} else if err := os.WriteFile(c.config, append(text, more...), 0o600); err != nil {
		t.Fatal(err)
	}
	addresses := filepath.Join(dir, "addresses.json")
	if err := os.RemoveAll(addresses); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-config", c.config}, environment{io.Discard, c.log, now, rand.Reader, manager})
	}()
	stopped := false
	c.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("centrald ended with %v\n%s", err, c.log)
		}
	}
	t.Cleanup(c.stop)
	var text []byte
	eventually(t, "the addresses file", func() bool {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("centrald ended at once: %v\n%s", err, c.log)
		default:
		}
		var err error
		text, err = os.ReadFile(addresses)
		return err == nil
	})
	if err := json.Unmarshal(text, &c.at); err != nil {
		t.Fatalf("addresses %q: %v", text, err)
	}
	var err error
	if c.key, err = parseKey(c.at.PublicKey, boxKeyPrinted); err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually waits for something that another goroutine or process brings about.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	within(t, time.Minute, what, done)
}

// within is eventually with a bound of its own.
func within(t *testing.T, bound time.Duration, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(bound); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// command runs one of the program's commands and returns what it prints.
func (c *centre) command(words ...string) (string, error) {
	var out bytes.Buffer
	err := run(c.t.Context(), words, environment{&out, io.Discard, time.Now, rand.Reader, manager})
	return out.String(), err
}

func (c *centre) enrol(key ed25519.PublicKey) {
	c.t.Helper()
	out, err := c.command("device", "-config", c.config, "add", "-id", string(box), "-key", keyText(key),
		"-hall", "市民中心政务服务大厅", "-window", "A07", "-name", "综合窗口7号", "-generation", "1")
	if err != nil || !strings.Contains(out, "lz-0417 serves A07, generation 1") {
		c.t.Fatalf("device add: %q, %v", out, err)
	}
}

// wantTold waits until those who run the centre are told what TestCentre has done, and checks that nobody and no box is named.
func (c *centre) wantTold() {
	c.t.Helper()
	ask := func(path string) (int, string) {
		resp, err := http.Get("http://" + c.at.Ops + path)
		if err != nil {
			c.t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			c.t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	var all string
	want := []string{`centrald_batches_total{result="entered"} 1`, `centrald_batches_total{result="repeated"} 1`, "centrald_records_total 2",
		`centrald_part_ok{part="broker"} 1`,
		`centrald_part_ok{part="books"} 1`, "centrald_books_behind_rows 0", `centrald_hall_boxes{hall=""} 1`,
		`centrald_http_requests_total{code="200",site="admin"}`,
		`centrald_http_requests_total{code="303",site="rate"} 1`, "centrald_sessions_open 0"}
	within(c.t, time.Minute, "metrics", func() bool {
		_, all = ask("/metrics")
		for _, w := range want {
			if !strings.Contains(all, "\n"+w) {
				return false
			}
		}
		return !strings.Contains(all, `centrald_batches_total{result="unbelieved"} 0`)
	})
	for line := range strings.Lines(all) {
		name, _, _ := strings.Cut(line, "} ") // a number may hold any digits
		for _, not := range []string{string(box), "A07", "6201", "620102-1"} {
			if strings.HasPrefix(line, "centrald_") && strings.Contains(name, "{") && strings.Contains(name, not) {
				c.t.Errorf("the metrics name %s: %s", not, line)
			}
		}
	}
	if status, text := ask("/healthz"); status != 200 || !strings.Contains(text, `{"name":"seal","ok":true}`) {
		c.t.Errorf("/healthz: %d %s", status, text)
	}
	for _, address := range []string{c.at.Ops, c.at.Admin, c.at.Rate} {
		resp, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			c.t.Fatal(err)
		}
		if _ = resp.Body.Close(); resp.StatusCode != 200 {
			c.t.Errorf("/readyz: %s", resp.Status)
		}
	}
}

// latest returns the evaluations that the centre's page knows, as "subject level channel status".
// wantLatest waits until the books, which are made behind the journal, say so.
func (c *centre) wantLatest(want string) {
	c.t.Helper()
	var got string
	for end := time.Now().Add(time.Minute); got != want && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		got = fmt.Sprint(c.latest())
	}
	if got != want {
		c.t.Errorf("latest = %s, want %s", got, want)
	}
}

func (c *centre) latest() []string {
	c.t.Helper()
	resp, err := http.Get("http://" + c.at.Admin + "/api/latest")
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var page struct {
		Entries []struct {
			Subject, Channel, Status string
			Level                    int
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		c.t.Fatal(err)
	}
	var out []string
	for _, e := range page.Entries {
		out = append(out, fmt.Sprint(e.Subject, " ", e.Level, " ", e.Channel, " ", e.Status))
	}
	return out
}

// connect logs in as the box and returns what it is told, by channel.
func (c *centre) connect() (mqtt.Client, map[wire.Channel]chan []byte) {
	c.t.Helper()
	told := map[wire.Channel]chan []byte{}
	o := mqtt.NewClientOptions().AddBroker("tcp://" + c.at.MQTT).SetClientID("hcp-" + string(box)).SetUsername(string(box)).
		SetProtocolVersion(4)
	client := mqtt.NewClient(o)
	c.done(client.Connect())
	c.t.Cleanup(func() { client.Disconnect(0) })
	for _, ch := range []wire.Channel{wire.AckChannel, wire.ConfigChannel, wire.CommandChannel} {
		to := make(chan []byte, 16)
		told[ch] = to
		c.done(client.Subscribe(wire.Topic(box, ch), 1, func(_ mqtt.Client, m mqtt.Message) { to <- m.Payload() }))
	}
	return client, told
}

func (c *centre) done(token mqtt.Token) {
	c.t.Helper()
	if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		c.t.Fatalf("mqtt: %v", token.Error())
	}
}

func (c *centre) receive(from chan []byte, what string) []byte {
	c.t.Helper()
	select {
	case b := <-from:
		return b
	case <-time.After(20 * time.Second):
		c.t.Fatalf("the box got no %s\n%s", what, c.log)
		return nil
	}
}

// batch is what a box sends after one visit whose matter was rated by key.
func batch(t *testing.T, key ed25519.PrivateKey, visit rating.VisitID) []byte {
	t.Helper()
	at := rating.Stamp{Boot: 1, Mono: 1000, Wall: time.Now().UnixMilli(), Synced: true}
	window := rating.Window{ID: "A07", Name: "综合窗口7号", Hall: "市民中心政务服务大厅", Generation: 1}
	epoch := rating.Epoch(0xaa)
	b := wire.Batch{Device: box, Epoch: epoch, First: 1}
	prev := rating.Genesis(box, epoch)
	for i, body := range []rating.Body{
		rating.VisitBody(at, rating.Visit{ID: visit, Window: window, Staff: rating.Staff{ID: "6201"}, Grouping: rating.Single,
			Cases:    []rating.Case{{ProjectNo: "620102-1", TaskName: "个体工商户登记", Completed: true}},
			Subjects: []rating.Subject{rating.StaffSubject, rating.MatterSubject}, Opener: rating.OpenedByPC, WaitSec: 60}),
		rating.EvaluationBody(at.Add(5*time.Second), rating.Evaluation{Visit: visit, Subject: rating.MatterSubject, Level: 4,
			Channel: rating.Keypad, WaitedMS: 5000}),
	} {
		raw, err := rating.Record{V: rating.RecordVersion, Device: box, Epoch: epoch, Seq: uint64(i + 1), Prev: prev, Body: body}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		prev = rating.HashOf(raw)
		b.Records = append(b.Records, raw)
	}
	b.Sign(key)
	payload, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// The whole centre: a box is enrolled while it runs, delivers its records, a phone rates the rest, and everything is there
// after a restart.
func TestCentre(t *testing.T) {
	dir := t.TempDir()
	c := startCentre(t, dir)
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := c.command("key", "-config", c.config); err != nil || out != c.at.PublicKey+"\n" {
		t.Errorf("centrald key = %q, %v; want %s", out, err, c.at.PublicKey)
	}
	client, told := c.connect()
	visit := rating.VisitID(0x1234)

	// Nobody knows the box yet: its batch is neither stored nor acknowledged, and is kept by the box.
	payload := batch(t, key, visit)
	eventually(t, "the refusal on the centre's page", func() bool {
		// The centre listens before it has subscribed; a box sends again too.
		c.done(client.Publish(wire.Topic(box, wire.RecordsChannel), 1, false, payload))
		resp, err := http.Get("http://" + c.at.Admin + "/")
		if err != nil {
			return false
		}
		defer func() { _ = resp.Body.Close() }()
		page, err := io.ReadAll(resp.Body)
		return err == nil && strings.Contains(string(page), "未登记")
	})

	c.enrol(public)
	cfg, err := wire.OpenConfig(c.key, c.receive(told[wire.ConfigChannel], "configuration"))
	if err != nil || cfg.Window.Name != "综合窗口7号" || cfg.Device != box {
		t.Fatalf("configuration = %+v, %v", cfg, err)
	}
	for range 2 { // the second is a repetition, which is acknowledged and not counted
		c.done(client.Publish(wire.Topic(box, wire.RecordsChannel), 1, false, payload))
		ack, err := wire.OpenAck(c.key, c.receive(told[wire.AckChannel], "acknowledgement"))
		if err != nil || ack.Through != 2 || len(ack.Quarantined) > 0 {
			t.Fatalf("acknowledgement = %+v, %v", ack, err)
		}
	}
	c.wantLatest("[matter 4 keypad counted]")
	c.rateByPhone(key, visit)
	order, err := wire.OpenCommand(c.key, c.receive(told[wire.CommandChannel], "command"))
	if err != nil || order.Name != wire.CommandPhoneRated || order.Args["visit"] != visit.String() || order.Args["subject"] != "staff" ||
		len(order.Args) != 2 {
		t.Errorf("command = %+v, %v; want that the staff was rated, and not how", order, err)
	}

	want := "[staff 1 phone counted matter 4 keypad counted]"
	c.wantLatest(want)
	c.wantTold()
	client.Disconnect(100)
	c.stop()
	again := startCentre(t, dir)
	if again.at.PublicKey != c.at.PublicKey {
		t.Error("the centre has another key after a restart; every box would refuse it")
	}
	again.wantLatest(want)
	// What a phone has rated of a visit whose end is not known is said again to a box that comes back, also by a centre that was started anew.
	client, told = again.connect()
	hello, err := wire.EncodeState(wire.Presence{V: wire.Version, Online: true})
	if err != nil {
		t.Fatal(err)
	}
	again.done(client.Publish(wire.Topic(box, wire.PresenceChannel), 1, true, hello))
	order, err = wire.OpenCommand(c.key, again.receive(told[wire.CommandChannel], "command after it came back"))
	if err != nil || order.Name != wire.CommandPhoneRated || order.Args["visit"] != visit.String() || order.Args["subject"] != "staff" ||
		len(order.Args) != 2 {
		t.Errorf("command = %+v, %v; want that the staff was rated, and not how", order, err)
	}
}
