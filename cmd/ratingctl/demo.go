package main

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/windowapi"
)

// organisation is a city that does not exist: 3 halls, 12 windows, 30 staff.
//
//go:embed organisation.csv
var organisation string

//go:embed demopage
var demoFiles embed.FS

// demo runs a box and a centre on loopback, in a temporary folder, and shows both on one page until ctx ends.
func demo(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("ratingctl demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", "127.0.0.1:8100", "the loopback `address` of the page; port 0 lets the system choose")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if flags.NArg() > 0 {
		return &hinted{fmt.Errorf("argument %q is unexpected", flags.Arg(0)), "ratingctl demo takes -listen ADDRESS and nothing else"}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "haochaping-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return &hinted{err, "another program has this port; choose another one with -listen 127.0.0.1:0"}
	}
	defer func() { _ = l.Close() }() // the server may have closed it
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := stagehand{dir: dir, bin: filepath.Dir(self), page: "http://" + l.Addr().String(), stderr: stderr, failed: cancel}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.start(ctx); err != nil {
		return err
	}
	handler, err := s.handler()
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	if _, err := fmt.Fprintln(stdout, s.page+"/"); err != nil {
		return err
	}
	select {
	case err = <-done:
	case <-ctx.Done():
		if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
			err = cause
		}
	}
	return errors.Join(err, server.Close())
}

// stagehand starts and stops what the demonstration shows.
type stagehand struct {
	dir, bin, page string
	stderr         io.Writer
	failed         context.CancelCauseFunc

	network     *network
	centre, box map[string]string // addresses
	token       string            // of the window's PC, which the page plays
	children    []*child          // in the order of their start
}

// child is a running program.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // valid then
}

func (s *stagehand) start(ctx context.Context) error {
	centreTOML := s.file("centrald.toml", fmt.Sprintf(
		"state = %q\nlog_level = \"warn\"\naddresses_file = %q\nbroker.listen = \"127.0.0.1:0\"\nrate.listen = \"127.0.0.1:0\"\n"+
			"admin.listen = \"127.0.0.1:0\"\nadmin.frame_ancestors = [%q]\n",
		filepath.Join(s.dir, "centre"), filepath.Join(s.dir, "centre.json"), s.page))
	if err := centreTOML.err; err != nil {
		return err
	}
	var err error
	if s.centre, err = s.run(ctx, "centrald", centreTOML.path, "centre.json"); err != nil {
		return err
	}
	if s.network, err = newNetwork(s.centre["mqtt"]); err != nil {
		return err
	}
	state := filepath.Join(s.dir, "box")
	boxTOML := s.file("ratingd.toml", fmt.Sprintf(
		"device = \"demo-box\"\nstate = %q\nlog_level = \"error\"\naddresses_file = %q\n"+
			"keys.source = \"simulated\"\nkeys.map = [{key=\"1\",level=5},{key=\"2\",level=4},{key=\"3\",level=3},{key=\"4\",level=2},{key=\"5\",level=1}]\n"+
			"screen.panel = \"none\"\nscreen.browser = \"127.0.0.1:0\"\nlink.base = \"http://%s\"\nuplink.broker = \"mqtt://%s\"\n"+
			"uplink.centre_key = %q\nuplink.resend = \"2s\"\nwindow_api.listen = \"127.0.0.1:0\"\noperations.socket = \"\"\n",
		state, filepath.Join(s.dir, "box.json"), s.centre["rate"], s.network.addr(), s.centre["public_key"]))
	if err := boxTOML.err; err != nil {
		return err
	}
	key, err := boxconfig.Identity(state)
	if err != nil {
		return err
	}
	if s.token, _, err = windowapi.AddToken(filepath.Join(state, windowapi.TokensFile), "demo page", rand.Reader, time.Now()); err != nil {
		return err
	}
	city := s.file("organisation.csv", organisation)
	if city.err != nil {
		return city.err
	}
	for _, args := range [][]string{
		{"directory", "import", "-config", centreTOML.path, "-apply", "-reason", "demo", city.path},
		{"device", "add", "-config", centreTOML.path, "-id", "demo-box", "-key", keyText(key), "-window-id", "SL-H1-A12"},
	} {
		if out, err := exec.CommandContext(ctx, filepath.Join(s.bin, "centrald"), args...).CombinedOutput(); err != nil {
			return fmt.Errorf("centrald %s: %w\n%s", args[0], err, out)
		}
	}
	s.box, err = s.run(ctx, "ratingd", boxTOML.path, "box.json")
	return err
}

// written is a file that was written, or why it was not.
type written struct {
	path string
	err  error
}

func (s *stagehand) file(name, text string) written {
	path := filepath.Join(s.dir, name)
	return written{path, os.WriteFile(path, []byte(text), 0o600)}
}

// run starts a program that lies beside this one, and returns its addresses once it has bound them.
func (s *stagehand) run(ctx context.Context, name, config, addresses string) (map[string]string, error) {
	program := filepath.Join(s.bin, name)
	c := &child{cmd: exec.Command(program, "-config", config), done: make(chan struct{})}
	c.cmd.Stderr = s.stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true} // Ctrl-C is for us; we end it in order
	if err := c.cmd.Start(); err != nil {
		return nil, &hinted{fmt.Errorf("start %s: %w", name, err), "build all programs into one folder; make build does"}
	}
	s.children = append(s.children, c)
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
		s.failed(fmt.Errorf("%s has ended by itself: %v", name, c.err))
	}()
	for {
		b, err := os.ReadFile(filepath.Join(s.dir, addresses))
		if err == nil {
			var m map[string]string
			return m, json.Unmarshal(b, &m)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop ends the programs in the reverse order of their start.
func (s *stagehand) stop() error {
	var errs []error
	if s.network != nil {
		errs = append(errs, s.network.close())
	}
	for i := len(s.children) - 1; i >= 0; i-- {
		c := s.children[i]
		if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, err)
		}
		select {
		case <-c.done:
		case <-time.After(10 * time.Second):
			errs = append(errs, c.cmd.Process.Kill())
			<-c.done
		}
	}
	return errors.Join(errs...)
}

// handler is the page: the box under /box/, the window's PC under /pc/, and the network's switch.
func (s *stagehand) handler() (http.Handler, error) {
	files, err := fs.Sub(demoFiles, "demopage")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServerFS(files))
	mux.Handle("/box/", http.StripPrefix("/box", forward(s.box["browser"], "")))
	mux.Handle("/pc/", http.StripPrefix("/pc", forward(s.box["window_api"], s.token)))
	mux.HandleFunc("GET /centre", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]string{"url": "http://" + s.centre["admin"] + "/"})
	})
	mux.HandleFunc("GET /network", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, map[string]bool{"up": s.network.isUp()}) })
	mux.HandleFunc("PUT /network", func(w http.ResponseWriter, r *http.Request) {
		var state struct{ Up bool }
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1024)).Decode(&state); err != nil {
			http.Error(w, "want {\"up\": true} or {\"up\": false}", http.StatusBadRequest)
			return
		}
		s.network.set(state.Up)
		writeJSON(w, map[string]bool{"up": state.Up})
	})
	return sameOrigin(mux), nil
}

// forward passes requests on to a program on loopback, which sees them as its own page's, with the token that it asks for.
func forward(address, token string) http.Handler {
	target := &url.URL{Scheme: "http", Host: address}
	return &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Del("Origin")
		if token != "" {
			r.Out.Header.Set("Authorization", "Bearer "+token)
		}
	}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), http.StatusBadGateway) // the page that asked may have gone away, which is nothing to log
	}}
}

// sameOrigin refuses requests that another origin's page or name has caused.
func sameOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		ip := net.ParseIP(host)
		site := r.Header.Get("Sec-Fetch-Site")
		if err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) || r.Method != http.MethodGet && strings.HasPrefix(site, "cross") {
			http.Error(w, "open the address that ratingctl demo has printed", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // a page that has gone away is no error of ours
}
