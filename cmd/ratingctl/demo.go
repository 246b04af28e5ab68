package main

import (
	"context"
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
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"haochaping/internal/cli"
	"haochaping/internal/condition"
)

// organisation is a city that does not exist: 3 halls, 12 windows, 30 staff.
//
//go:embed organisation.csv
var organisation string

//go:embed demopage
var demoFiles embed.FS

// demo runs three boxes and a centre on loopback, in a temporary folder, and shows them on one page until ctx ends.
func demo(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("ratingctl demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cli.Describe(ctx, flags, condition.Text{})
	empty := flags.Bool("empty", false, cli.Words("不演练各大厅过去几个月", "begin without the past months of the halls"))
	listen := flags.String("listen", "127.0.0.1:8100",
		cli.Words("页面的本机`地址`；端口写 0 由系统选择", "the loopback `address` of the page; port 0 lets the system choose"))
	if err := cli.Parse(flags, args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if flags.NArg() > 0 {
		return cli.Hint(cli.Unexpected(flags.Arg(0)), "ratingctl demo 只有 -listen 地址 和 -empty 两个选项",
			"ratingctl demo takes -listen ADDRESS and -empty, and nothing else")
	}
	if !signal.Ignored(syscall.SIGHUP) { // whose terminal is closed wants it to leave nothing behind, too
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGHUP)
		defer stop()
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
		return cli.Hint(cli.Because(err, "不能监听 "+*listen, "it cannot listen at "+*listen), "用 -listen 127.0.0.1:0 换一个",
			"choose another address with -listen 127.0.0.1:0")
	}
	defer func() { _ = l.Close() }() // the server may have closed it
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &stagehand{dir: dir, bin: filepath.Dir(self), page: "http://" + l.Addr().String(), stderr: stderr, lang: cli.LangOf(ctx),
		failed: cancel,
		parts:  newParts(), empty: *empty, boxes: demoBoxes()}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.start(ctx); err != nil {
		return err
	}
	handler, err := s.handler()
	if err != nil {
		return err
	}
	// Requests end with ctx, so that an open page holds nothing up.
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }}
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
	lang           cli.Lang
	failed         context.CancelCauseFunc
	empty          bool // no past is played

	network *network
	parts   *parts
	centre  map[string]string // addresses
	config  string            // the centre's configuration file
	boxes   []*demoBox        // never changed
	manager *manager

	mu       sync.Mutex
	children []*child // guarded by mu; in the order of their start
	stopped  bool     // guarded by mu; nothing is started any more
}

// How many days are played: three months can be compared whenever the demonstration begins, and the last weeks are as busy as a hall is.
const (
	pastDays = "130"
	fullDays = "21"
)

// say tells whoever waits what is being done.
func (s *stagehand) say(chinese, english string) {
	_, _ = fmt.Fprintln(s.stderr, s.lang.Say(chinese, english))
}

func (s *stagehand) start(ctx context.Context) error {
	config := s.file("centrald.toml", fmt.Sprintf(
		"state = %q\nlog_level = \"warn\"\naddresses_file = %q\nbroker.listen = \"127.0.0.1:0\"\nrate.listen = \"127.0.0.1:0\"\n"+
			"rate.frame_ancestors = [%[3]q]\nadmin.listen = \"127.0.0.1:0\"\nadmin.frame_ancestors = [%[3]q]\n"+
			"enrol.listen = \"127.0.0.1:0\"\nenrol.names = [\"127.0.0.1\"]\n"+
			"deadline.defaults = true\ndeadline.silent_days = 120\ndeadline.sms.file = %[4]q\n",
		filepath.Join(s.dir, "centre"), filepath.Join(s.dir, "centrald.json"), s.page, filepath.Join(s.dir, "sms.jsonl")))
	if config.err != nil {
		return config.err
	}
	s.config = config.path
	city := s.file("organisation.csv", organisation)
	if city.err != nil {
		return city.err
	}
	if !s.empty {
		s.say("演练各大厅过去四个月的评价、工单、整改和发布，约需几秒到半分钟",
			"playing four past months of the halls, which takes some seconds to half a minute")
		_, err := s.centrald(ctx, "rehearse", "-config", config.path, "-days", pastDays, "-full", fullDays, "-leave", "all", city.path)
		if err != nil {
			return err
		}
	}
	s.say("启动中心 centrald", "starting the centre")
	var err error
	if s.centre, err = s.run(ctx, "centrald", config.path, "centrald.json", s.over("centrald")); err != nil {
		return err
	}
	if s.network, err = newNetwork(s.centre["mqtt"], s.heard); err != nil {
		return err
	}
	s.say("登记单位、大厅与窗口", "entering units, halls and windows")
	if err := s.organise(ctx, city.path); err != nil {
		return err
	}
	s.say("开通各角色的账号", "opening an account for each role")
	if err := s.openAccounts(ctx); err != nil {
		return err
	}
	s.say("登记两件投诉，其中一件是线索", "entering two complaints, one of them a clue")
	if err := s.complain(ctx); err != nil {
		return err
	}
	return s.startBoxes(ctx)
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

// handler is the page: the boxes under /box/, their windows' PCs under /pc/, the network's switch, and what travels.
func (s *stagehand) handler() (http.Handler, error) {
	files, err := fs.Sub(demoFiles, "demopage")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServerFS(files))
	var about []map[string]string
	for _, b := range s.boxes {
		about = append(about, map[string]string{"device": b.slot, "name": b.name})
		page := forward(b.at("browser"), "")
		mux.Handle("/box/"+b.slot+"/", http.StripPrefix("/box/"+b.slot, page))
		mux.HandleFunc("POST /box/"+b.slot+"/keys/{code}", func(w http.ResponseWriter, r *http.Request) {
			s.parts.tell(moment{What: "key", Box: b.slot})
			http.StripPrefix("/box/"+b.slot, page).ServeHTTP(w, r)
		})
		mux.Handle("/pc/"+b.slot+"/", http.StripPrefix("/pc/"+b.slot, forward(b.at("window_api"), b.token)))
	}
	mux.Handle("GET /parts", s.parts)
	mux.HandleFunc("POST /as/{role}", s.as)
	var people []map[string]string
	for _, p := range demoPeople() {
		people = append(people, map[string]string{"role": p.role, "words": p.chinese + " " + p.name})
	}
	mux.HandleFunc("GET /demo", func(w http.ResponseWriter, r *http.Request) {
		centre := "http://" + s.centre["admin"]
		host, _, err := net.SplitHostPort(r.Host)
		_, port, err1 := net.SplitHostPort(s.centre["admin"])
		if err == nil && err1 == nil { // the cookie is for the name by which the browser asks
			centre = "http://" + net.JoinHostPort(host, port)
		}
		writeJSON(w, map[string]any{"centre": centre, "boxes": about, "people": people, "up": s.network.isUp()})
	})
	mux.HandleFunc("PUT /network", func(w http.ResponseWriter, r *http.Request) {
		var state struct{ Up bool }
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1024)).Decode(&state); err != nil {
			http.Error(w, "want {\"up\": true} or {\"up\": false}", http.StatusBadRequest)
			return
		}
		s.network.set(state.Up)
		s.parts.tell(moment{What: "network", Up: state.Up})
		writeJSON(w, map[string]bool{"up": state.Up})
	})
	return sameOrigin(mux), nil
}

// forward passes requests on to a program on loopback, which sees them as its own page's, with the token that it asks for.
// Its address changes when it is started anew.
func forward(address func() string, token string) http.Handler {
	return &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: address()})
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
		if err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) ||
			r.Method != http.MethodGet && strings.HasPrefix(site, "cross") {
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
