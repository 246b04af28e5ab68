package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"haochaping/internal/proof/mosquitto"
	"haochaping/internal/proof/testkit"
)

// world is a broker and a centre on loopback.
type world struct {
	dir     string
	broker  *process
	address string // the broker's
	centre  *process
	program string // centrald
	config  string // its configuration
	key     ed25519.PublicKey
	ops     string // where the centre says how it is
}

// brokerConfig is the load's mosquitto: that of deploy/broker without TLS, passwords and disk, since what is measured is the
// centre. The messages that may be on their way to the centre are bounded by bytes rather than number.
const brokerConfig = `listener %s 127.0.0.1
allow_anonymous true
persistence false
max_connections -1
max_inflight_messages 1000
max_inflight_bytes 4194304
max_queued_messages 100000
message_size_limit 1048576
set_tcp_nodelay true
log_type error
`

func newWorld(ctx context.Context, dir string, o options) (w *world, err error) {
	w = &world{dir: dir, program: o.centre, config: filepath.Join(dir, "centrald.toml")}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.address, err = testkit.FreeAddress(); err != nil {
		return w, err
	}
	if w.broker, err = startBroker(ctx, dir, w.address); err != nil {
		return w, err
	}
	text := fmt.Sprintf("state = %q\naddresses_file = %q\nrate.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\n"+
		"broker.url = \"mqtt://%s\"\nlog_level = \"warn\"\n%s\nops.listen = \"127.0.0.1:0\"\n",
		filepath.Join(dir, "centre"), filepath.Join(dir, "addresses.json"), w.address, o.config)
	return w, os.WriteFile(w.config, []byte(text), 0o600)
}

func startBroker(ctx context.Context, dir, address string) (*process, error) {
	program, err := mosquitto.Program()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	config := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, brokerConfig, port), 0o600); err != nil {
		return nil, err
	}
	p, err := start(program, filepath.Join(dir, "broker.log"), "-c", config)
	if err != nil {
		return nil, err
	}
	return p, waitFor(ctx, "mosquitto", func() bool {
		c, err := net.Dial("tcp", address)
		return err == nil && c.Close() == nil
	})
}

// startCentre starts centrald and learns its key.
func (w *world) startCentre(ctx context.Context) (err error) {
	if w.centre, err = start(w.program, filepath.Join(w.dir, "centre.log"), "-config", w.config); err != nil {
		return err
	}
	var bound struct {
		PublicKey string `json:"public_key"`
		Ops       string `json:"ops"`
	}
	err = waitFor(ctx, "centrald", func() bool {
		b, err := os.ReadFile(filepath.Join(w.dir, "addresses.json"))
		return err == nil && json.Unmarshal(b, &bound) == nil
	})
	if err != nil {
		return err
	}
	w.ops = bound.Ops
	w.key, err = base64.RawURLEncoding.DecodeString(bound.PublicKey)
	return err
}

// booksBehind returns how many rows of the journal are not in the centre's books.
func (w *world) booksBehind() (rows float64, err error) {
	resp, err := http.Get("http://" + w.ops + "/metrics")
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	const name = "\ncentrald_books_behind_rows "
	_, after, ok := strings.Cut(string(text), name)
	if !ok {
		return 0, fmt.Errorf("the centre does not say%s", name)
	}
	line, _, _ := strings.Cut(after, "\n")
	return strconv.ParseFloat(line, 64)
}

// begin enrols boxes and starts the centre, or the bare receiver in its place, which stop ends.
func (w *world) begin(ctx context.Context, o options, boxes []*author) (stop func(), err error) {
	if o.receiver {
		return w.receive(boxes)
	}
	began := time.Now()
	if err := w.enrol(ctx, boxes); err != nil {
		return nil, err
	}
	log.Printf("%d boxes are enrolled after %s", len(boxes), time.Since(began).Round(time.Millisecond))
	return func() {}, w.startCentre(ctx)
}

// enrol enrols boxes while the centre does not run.
func (w *world) enrol(ctx context.Context, boxes []*author) (err error) {
	path := filepath.Join(w.dir, "boxes.csv")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	lines := csv.NewWriter(f)
	all := [][]string{{"id", "key", "window", "hall", "name"}}
	for i, b := range boxes {
		all = append(all, []string{string(b.device), base64.RawURLEncoding.EncodeToString(b.public()), fmt.Sprintf("w%d", i%100), "市民中心政务服务大厅",
			"综合窗口"})
	}
	if err := errors.Join(lines.WriteAll(all), f.Close()); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, w.program, "device", "-config", w.config, "import", "-csv", path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("enrol: %w\n%s", err, out)
	}
	return nil
}

func (w *world) close() error {
	for _, p := range []*process{w.centre, w.broker} {
		if p != nil {
			p.end()
		}
	}
	return nil
}

// process is a program that runs.
type process struct {
	cmd *exec.Cmd
	log *os.File
}

func start(program, logFile string, args ...string) (*process, error) {
	f, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	p := &process{exec.Command(program, args...), f}
	p.cmd.Stdout, p.cmd.Stderr = f, f
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", program, err), f.Close())
	}
	return p, nil
}

// end ends the program and waits until it is gone.
func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(20*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	_ = p.cmd.Wait() // it was told to end
	_ = p.log.Close()
}

// resident returns the memory in bytes that the program holds at present.
func (p *process) resident() int64 {
	if p == nil {
		return 0
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}

// cpu returns the processor time that the program has taken.
func (p *process) cpu() time.Duration {
	if p == nil {
		return 0
	}
	return cpu(p.cmd.Process.Pid)
}

// cpu returns the processor time that a process has taken, 0 for one that is gone.
func cpu(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	const user, system = 11, 12 // after the name: proc(5) counts them 14 and 15
	if len(fields) <= system {
		return 0
	}
	u, _ := strconv.ParseInt(fields[user], 10, 64)
	s, _ := strconv.ParseInt(fields[system], 10, 64)
	const ticks = 100 // in a second, on every architecture of ours
	return time.Duration(u+s) * time.Second / ticks
}

func waitFor(ctx context.Context, what string, f func() bool) error {
	for end := time.Now().Add(60 * time.Second); ; {
		if f() {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("no %s within a minute", what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
