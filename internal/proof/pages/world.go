package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"haochaping/internal/proof/pgserver"
)

// The organisation that is played.
const (
	halls       = 100
	windowsEach = 10
	staffEach   = 3
)

// world is a centre on loopback, and its books.
type world struct {
	options
	dir    string
	config string // the centre's
	books  string // address of its books
	server *pgserver.Server
	centre *exec.Cmd
	log    *os.File
	admin  string // where the pages are
}

func newWorld(dir string, o options) (w *world, err error) {
	w = &world{options: o, dir: dir, config: filepath.Join(dir, "centrald.toml"), books: "sqlite:"}
	if o.engine == "postgres" {
		if w.server, err = pgserver.New(); err != nil {
			return nil, err
		}
		if w.books, err = w.server.Database(); err != nil {
			return nil, errors.Join(err, w.server.Close())
		}
	}
	text := fmt.Sprintf("state = %q\nbooks = %q\naddresses_file = %q\nlog_level = \"warn\"\nrate.listen = \"127.0.0.1:0\"\n"+
		"admin.listen = \"127.0.0.1:0\"\nbroker.listen = \"127.0.0.1:0\"\n", filepath.Join(dir, "centre"), w.books, w.addresses())
	return w, os.WriteFile(w.config, []byte(text), 0o600)
}

func (w *world) addresses() string { return filepath.Join(w.dir, "addresses.json") }

// organise writes a file with the areas and units of another, and with halls, windows and staff.
func (w *world) organise() (path string, err error) {
	b, err := os.ReadFile(w.organisation)
	if err != nil {
		return "", err
	}
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(b), "\ufeff")))
	all, err := r.ReadAll()
	if err != nil {
		return "", err
	}
	lines, units, areas := all[:1], []string(nil), []string{"629900000000", "629901000000", "629902000000"}
	for _, l := range all[1:] {
		if l[1] == "区划" || l[1] == "单位" {
			lines = append(lines, l)
		}
		if l[1] == "单位" && l[5] == "" {
			units = append(units, l[2])
		}
	}
	line := func(kind, id, name, area, unit, hall, window string) {
		lines = append(lines, []string{"", kind, id, name, "2021-01-01", "", area, unit, hall, window, "", "", ""})
	}
	for h := range halls {
		hall := fmt.Sprintf("SL-H%03d", h)
		line("大厅", hall, fmt.Sprintf("第%d政务服务大厅", h+1), areas[h*3/halls], units[h%len(units)], "", "")
		for n := range windowsEach {
			window := fmt.Sprintf("%s-A%02d", hall, n)
			line("窗口", window, fmt.Sprintf("综合受理%d号窗口", n+1), "", units[(h+n)%len(units)], hall, "")
			for s := range staffEach {
				line("人员", fmt.Sprintf("SL-%05d", (h*windowsEach+n)*staffEach+s), "赵示例", "", units[(h+n)%len(units)], "", window)
			}
		}
	}
	path = filepath.Join(w.dir, "organisation.csv")
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	return path, errors.Join(csv.NewWriter(f).WriteAll(lines), f.Close())
}

// command runs a command of the centre and returns what it prints.
func (w *world) command(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, w.options.centre, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("centrald %s: %w\n%s", args[0], err, out)
	}
	return string(out), nil
}

// start starts the centre and learns where its pages are.
func (w *world) start(ctx context.Context) (err error) {
	if err := os.RemoveAll(w.addresses()); err != nil {
		return err
	}
	if w.log, err = os.Create(filepath.Join(w.dir, "centre.log")); err != nil {
		return err
	}
	w.centre = exec.Command(w.options.centre, "-config", w.config)
	w.centre.Stdout, w.centre.Stderr = w.log, w.log
	w.centre.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	began := time.Now()
	if err := w.centre.Start(); err != nil {
		w.centre = nil
		return err
	}
	for ctx.Err() == nil && time.Since(began) < 2*time.Minute {
		var bound struct{ Admin string }
		b, err := os.ReadFile(w.addresses())
		if err == nil && json.Unmarshal(b, &bound) == nil && bound.Admin != "" {
			w.admin = "http://" + bound.Admin
			log.Printf("the centre is up after %s", time.Since(began).Round(time.Millisecond))
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.Join(errors.New("it does not listen"), ctx.Err())
}

func (w *world) close() (err error) {
	if w.centre != nil {
		_ = w.centre.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(20*time.Second, func() { _ = w.centre.Process.Kill() })
		_ = w.centre.Wait() // it was told to end
		late.Stop()
		err = w.log.Close()
	}
	if w.server != nil {
		err = errors.Join(err, w.server.Close())
	}
	return err
}
