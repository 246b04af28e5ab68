package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/proof/inspect"
	"haochaping/internal/proof/mosquitto"
	"haochaping/internal/proof/pgserver"
	"haochaping/internal/proof/powercut"
)

// world is the centre, the broker and the boxes.
type world struct {
	dir     string
	broker  *process
	address string // the broker's
	centre  *process
	server  *pgserver.Server // of the journal and the books; nil: they are files
	url     string           // of the journal
	boxes   []*box
	close   []func() error
}

// newWorld starts everything, with the books on a PostgreSQL server or in files. Source is any folder of this module.
func newWorld(ctx context.Context, dir, source string, boxes int, postgres bool) (w *world, err error) {
	w = &world{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.shut())
		}
	}()
	build := exec.CommandContext(ctx, "go", "build", "-o", dir, "haochaping/cmd/ratingd", "haochaping/cmd/centrald",
		"haochaping/cmd/ratingctl")
	build.Dir, build.Env = source, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return w, fmt.Errorf("build: %w\n%s", err, out)
	}
	if postgres {
		if err := w.startServer(); err != nil {
			return w, err
		}
	}
	if err := w.startBroker(); err != nil {
		return w, err
	}
	if err := w.startCentre(); err != nil {
		return w, err
	}
	cuts := powercut.Lacking() == ""
	if !cuts {
		log.Printf("no power cuts and full disks: %s is missing", powercut.Lacking())
	}
	for i := range boxes {
		if err := w.addBox(ctx, fmt.Sprintf("soak-%d", i+1), i, cuts); err != nil {
			return w, err
		}
	}
	return w, nil
}

func (w *world) newLog(name string) (*os.File, error) {
	f, err := os.Create(filepath.Join(w.dir, name+".log"))
	if err == nil {
		w.close = append(w.close, f.Close)
	}
	return f, err
}

func (w *world) startBroker() error {
	program, err := mosquitto.Program()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.address = l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(w.address)
	config := filepath.Join(w.dir, "mosquitto.conf")
	if err := os.WriteFile(config, []byte("listener "+port+" 127.0.0.1\nallow_anonymous true\n"), 0o600); err != nil {
		return err
	}
	f, err := w.newLog("broker")
	if err != nil {
		return err
	}
	w.broker = &process{program: program, args: []string{"-c", config}, log: f}
	return w.broker.start()
}

// startServer starts PostgreSQL as it comes, which keeps what it has committed.
func (w *world) startServer() (err error) {
	if w.server, err = pgserver.New(); err != nil {
		return err
	}
	w.close = append(w.close, w.server.Close)
	w.url, err = w.server.Database()
	return err
}

func (w *world) startCentre() error {
	f, err := w.newLog("centre")
	if err != nil {
		return err
	}
	state, addresses, config := filepath.Join(w.dir, "centre"), filepath.Join(w.dir, "centre.json"), filepath.Join(w.dir, "centrald.toml")
	text := fmt.Sprintf("state = %q\naddresses_file = %q\nrate.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\n"+
		"broker.url = \"mqtt://%s\"\n", state, addresses, w.address)
	if w.server != nil {
		text = fmt.Sprintf("books = %q\n", w.url) + text
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	w.centre = &process{program: filepath.Join(w.dir, "centrald"), args: []string{"-config", config}, addresses: addresses, log: f}
	return w.centre.start()
}

func (w *world) addBox(ctx context.Context, name string, i int, cuts bool) error {
	l, err := newLine(w.address)
	if err != nil {
		return err
	}
	w.close = append(w.close, l.close)
	b, err := newBox(w.dir, name, l, w.centre.where("rate"), w.centre.where("public_key"), filepath.Join(w.dir, "ratingd"), cuts)
	if err != nil {
		return err
	}
	w.boxes = append(w.boxes, b)
	out, err := exec.CommandContext(ctx, filepath.Join(w.dir, "ratingctl"), "identity", "-config", b.p.args[1]).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ratingctl identity: %w\n%s", err, out)
	}
	key := ""
	for _, f := range strings.Fields(string(out)) {
		if len(f) == 43 {
			key = f
		}
	}
	out, err = exec.CommandContext(ctx, filepath.Join(w.dir, "centrald"), "device", "-config", w.centre.args[1], "add", "-id", name, "-key",
		key,
		"-hall", "市民中心政务服务大厅", "-window", fmt.Sprintf("w%d", i+1), "-name", fmt.Sprintf("综合窗口%d号", i+1), "-generation", "1").CombinedOutput()
	if err != nil {
		return fmt.Errorf("enrol %s: %w\n%s", name, err, out)
	}
	return b.p.start()
}

// openBooks opens the centre's databases.
func (w *world) openBooks(ctx context.Context) (*inspect.Centre, error) {
	state := filepath.Join(w.dir, "centre")
	if w.server != nil {
		return inspect.OpenServer(ctx, state, w.url)
	}
	return inspect.Open(ctx, state)
}

// errEnough ends a transaction that was only to hold the lock.
var errEnough = errors.New("the lock was held for long enough")

// lockBooks keeps the centre from writing for a while.
func (w *world) lockBooks(ctx context.Context, d time.Duration) (err error) {
	url := w.url
	if w.server == nil {
		url = "sqlite:" + filepath.Join(w.dir, "centre", "journal.db")
	}
	x, err := db.Open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	err = x.Write(ctx, func(tx *db.Tx) error {
		if tx.Engine() == db.Postgres { // on SQLite the transaction itself is the lock
			if _, err := tx.ExecContext(ctx, "LOCK TABLE head IN ACCESS EXCLUSIVE MODE"); err != nil {
				return err
			}
		}
		time.Sleep(d)
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return err
}

// heal ends all faults.
func (w *world) heal() {
	for _, b := range w.boxes {
		b.line.set(fair)
		b.p.signal(syscall.SIGCONT)
	}
	w.centre.signal(syscall.SIGCONT)
}

// shut ends everything.
func (w *world) shut() error {
	var errs []error
	for _, b := range w.boxes {
		errs = append(errs, b.close())
	}
	for _, p := range []*process{w.centre, w.broker} {
		if p != nil {
			p.end(syscall.SIGKILL)
		}
	}
	for _, f := range w.close {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}
