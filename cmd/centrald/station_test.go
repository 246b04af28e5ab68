package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/central/fleet"
	"haochaping/internal/proof/inspect"
	"haochaping/internal/proof/mosquitto"
	"haochaping/internal/proof/testkit"
	"haochaping/internal/rating"
	"haochaping/sync/uplink"
	"haochaping/sync/wire"
)

// programs has centrald, so that a test can kill one.
var programs testkit.Programs

func TestMain(m *testing.M) { os.Exit(programs.Main(m)) }

// station is a place where centrald runs as a process of its own, at addresses that it has again after a restart.
type station struct {
	t                     *testing.T
	program, dir          string
	config, state, broker string
	books                 string // URL of a server; empty: SQLite in the state folder
	key                   ed25519.PublicKey
	log                   *testkit.Said
}

// newStation returns a station with the built-in broker, or at another one.
func newStation(t *testing.T, program, mqtt string) *station {
	t.Helper()
	s := &station{t: t, program: program, dir: t.TempDir(), broker: mqtt, log: testkit.Shown(t, "centrald")}
	s.state = filepath.Join(s.dir, "state")
	s.config = filepath.Join(s.dir, "centrald.toml")
	broker := fmt.Sprintf("url = %q\n", "mqtt://"+mqtt)
	if mqtt == "" {
		s.broker = testkit.Address(t)
		broker = fmt.Sprintf("listen = %q\n", s.broker)
	}
	s.write(s.config, "addresses.json", broker)
	return s
}

func (s *station) write(path, addresses, broker string) {
	s.t.Helper()
	books := s.books
	if books == "" {
		books = "sqlite:"
	}
	text := fmt.Sprintf("state = %q\nbooks = %q\naddresses_file = %q\n[broker]\n%s[rate]\nlisten = \"127.0.0.1:0\"\n[admin]\n"+
		"listen = \"127.0.0.1:0\"\n",
		s.state, books, filepath.Join(s.dir, addresses), broker)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// startMosquitto starts a broker that lets everybody in.
func startMosquitto(t *testing.T) string { return mosquitto.Start(t, mosquitto.Open) }

// process is one centrald.
type process struct {
	s   *station
	cmd *exec.Cmd
	at  bound
}

// begin starts a process and does not wait for anything.
func (s *station) begin(config string) *process {
	s.t.Helper()
	p := &process{s: s, cmd: exec.Command(s.program, "-config", config)}
	p.cmd.Stderr = s.log
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(p.kill)
	return p
}

// start starts a process and waits until it listens.
func (s *station) start(config, addresses string) *process {
	s.t.Helper()
	path := filepath.Join(s.dir, addresses)
	if err := os.RemoveAll(path); err != nil {
		s.t.Fatal(err)
	}
	p := s.begin(config)
	eventually(s.t, "centrald", func() bool {
		text, err := os.ReadFile(path)
		return err == nil && json.Unmarshal(text, &p.at) == nil
	})
	var err error
	if s.key, err = parseKey(p.at.PublicKey, boxKeyPrinted); err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (p *process) kill() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() }

func (p *process) stop() {
	p.s.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	// One that does not end says where it hangs.
	hangs := time.AfterFunc(30*time.Second, func() { _ = p.cmd.Process.Signal(syscall.SIGQUIT) })
	defer hangs.Stop()
	if err := p.cmd.Wait(); err != nil {
		p.s.t.Errorf("centrald did not end in order: %v", err)
	}
}

// page returns the status and the text of a page of the administrators' site.
func (p *process) page(path string) (int, string) {
	resp, err := http.Get("http://" + p.at.Admin + path)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

func (s *station) open() *inspect.Centre {
	s.t.Helper()
	var c *inspect.Centre
	var err error
	if s.books == "" {
		c, err = inspect.Open(s.t.Context(), s.state)
	} else {
		c, err = inspect.OpenServer(s.t.Context(), s.state, s.books)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// client is a box with its log in memory and the real uplink.
type client struct {
	device rating.DeviceID
	key    ed25519.PrivateKey
	pause  time.Duration // at most, before it connects again

	mu       sync.Mutex
	records  [][]byte    // guarded by mu
	head     rating.Hash // guarded by mu
	released uint64      // guarded by mu
	wake     chan struct{}
}

const clientEpoch = rating.Epoch(7)

func newClient(name rating.DeviceID, seed byte) *client {
	return &client{pause: 500 * time.Millisecond, device: name, key: ed25519.NewKeyFromSeed(append([]byte{seed}, make([]byte, 31)...)),
		head: rating.Genesis(name, clientEpoch), wake: make(chan struct{}, 1)}
}

// copy returns a box with the same name, key and log, as a copied card makes one.
func (c *client) copy() *client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &client{pause: c.pause, device: c.device, key: c.key, records: append([][]byte(nil), c.records...), head: c.head,
		released: c.released, wake: make(chan struct{}, 1)}
}

func (c *client) append(t *testing.T, n int, detail string) {
	t.Helper()
	c.add(t, slices.Repeat([]rating.Body{rating.EventBody(rating.Stamp{Boot: 1}, rating.EventStarted, "log", detail)}, n)...)
}

func (c *client) add(t *testing.T, bodies ...rating.Body) {
	t.Helper()
	c.mu.Lock()
	for _, body := range bodies {
		raw, err := rating.Record{V: rating.RecordVersion, Device: c.device, Epoch: clientEpoch, Seq: uint64(len(c.records)) + 1, Prev: c.head,
			Body: body}.Encode()
		if err != nil {
			t.Error(err)
		}
		c.records, c.head = append(c.records, raw), rating.HashOf(raw)
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Device and the rest implement uplink.Log.
func (c *client) Device() rating.DeviceID   { return c.device }
func (c *client) Epoch() rating.Epoch       { return clientEpoch }
func (c *client) Appended() <-chan struct{} { return c.wake }

func (c *client) Released() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.released
}

func (c *client) Last() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return uint64(len(c.records))
}

func (c *client) Pending(after uint64, maxRecords, maxBytes int) (uint64, [][]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	after = max(after, c.released)
	var out [][]byte
	size := 0
	for _, r := range c.records[after:] {
		if size += len(r); len(out) > 0 && (size > maxBytes || len(out) == maxRecords) {
			break
		}
		out = append(out, r)
	}
	return after + 1, out, nil
}

// Kept implements uplink.History: this box forgets nothing.
func (c *client) Kept(from uint64, maxRecords, maxBytes int) (uint64, [][]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out [][]byte
	size := 0
	for _, r := range c.records[min(from-1, uint64(len(c.records))):] {
		if size += len(r); len(out) > 0 && size > maxBytes || len(out) == maxRecords {
			break
		}
		out = append(out, r)
	}
	return from, out, nil
}

func (c *client) Acknowledge(e rating.Epoch, through uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e != clientEpoch || through > uint64(len(c.records)) {
		return errors.New("refused")
	}
	c.released = max(c.released, through)
	return nil
}

// enrol makes the box known to the centre.
func (c *client) enrol(t *testing.T, x *inspect.Centre) {
	t.Helper()
	err := x.Fleet.Put(t.Context(), fleet.Device{ID: c.device, Key: c.key.Public().(ed25519.PublicKey), EnrolledAt: time.Now(),
		Window: rating.Window{ID: "w", Name: "n", Hall: "h", Generation: 1}})
	if err != nil {
		t.Fatal(err)
	}
}

// run sends the log until the test ends or stop is called.
func (c *client) run(t *testing.T, s *station) (stop func()) {
	t.Helper()
	u, err := uplink.New(uplink.Config{Brokers: []string{"mqtt://" + s.broker}, Username: string(c.device), Key: c.key, Centre: s.key, Log: c,
		Presence: wire.Presence{V: 1}, Health: func() wire.Health { return wire.Health{V: 1} },
		Now: time.Now, Random: rand.Float64, Logger: slog.New(slog.DiscardHandler),
		Resend: time.Second, MinBackoff: 50 * time.Millisecond, MaxBackoff: c.pause, Connect: time.Second, Drain: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func (c *client) wantReleased(t *testing.T) {
	t.Helper()
	before, end := uint64(0), time.Time{}
	for c.Released() < c.Last() {
		switch now := c.Released(); {
		case now > before || end.IsZero(): // however slow the machine is, it goes on
			before, end = now, time.Now().Add(90*time.Second)
		case time.Now().After(end):
			t.Fatalf("%s: only %d of %d records are acknowledged, and none within 90 s", c.device, now, c.Last())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// wantBooks compares the journal and the books with what the boxes have sent: each record once, signed, and nothing found.
func (s *station) wantBooks(boxes ...*client) {
	t := s.t
	t.Helper()
	x := s.open()
	defer func() { _ = x.Close() }()
	want, got := map[rating.DeviceID]uint64{}, map[rating.DeviceID]uint64{}
	for _, b := range boxes {
		want[b.device] = b.Last()
	}
	logs, err := x.Logs(t.Context())
	for _, l := range logs {
		got[l.Device] = l.Records
		if l.First != 1 || l.Last != l.Records || l.Forks+l.Bad > 0 || l.Err != nil {
			t.Errorf("%s: %+v", l.Device, l)
		}
	}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the journal holds %v, the boxes have sent %v; %v", got, want, err)
	}
	if problems, err := x.Verify(t.Context()); err != nil || len(problems) > 0 {
		t.Errorf("the centre does not verify: %q, %v", problems, err)
	}
	if f, err := x.Findings(t.Context()); err != nil || len(f) > 0 {
		t.Errorf("findings %+v, %v", f, err)
	}
}
