package deadline

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"text/template"
	"time"

	"haochaping/internal/cli"
)

// HTTP is a gateway that takes a message by a POST. It is safe for concurrent use.
type HTTP struct {
	url     string
	headers map[string]string
	body    *template.Template
	accept  *regexp.Regexp
	client  *http.Client
	status  string // address with {id}, empty: the gateway cannot say what became of a message
	taken   *regexp.Regexp
	unknown *regexp.Regexp
}

// NewHTTP returns a gateway. Body is a template with {{.ID}}, {{.Number}} and {{.Text}}, each with the function json, which writes a JSON
// string; accept is what the answer of a message that was taken matches, empty for any answer with a status of 200 to 299. A message may
// take 10 seconds.
func NewHTTP(url string, headers map[string]string, body, accept string) (*HTTP, error) {
	g := &HTTP{url: url, headers: headers, client: &http.Client{Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	var err error
	g.body, err = template.New("body").Option("missingkey=error").Funcs(template.FuncMap{"json": func(s string) (string, error) {
		b, err := json.Marshal(s)
		return string(b), err
	}}).Parse(body)
	if err == nil {
		err = g.body.Execute(io.Discard, Message{})
	}
	if err != nil {
		return nil, cli.Errorf("body 不是可用的模板（%v）；对照 docs/channels.md 改正",
			"body is no template that can be used (%v); correct it by docs/channels.md", err)
	}
	if g.accept, err = regexp.Compile(accept); err != nil {
		return nil, irregular("accept", err)
	}
	return g, nil
}

func irregular(field string, err error) error {
	return cli.Errorf("%s 不是正则表达式（%v）；请改正", "%s is no regular expression (%v); correct it", field, err)
}

// Within sets how long a message may take. It is called before the first.
func (g *HTTP) Within(limit time.Duration) { g.client.Timeout = limit }

// Asks has what became of a message asked by a GET to an address with {id}: taken is what the answer matches where the gateway has it,
// unknown where it never came. Any other answer says nothing. It is called before the first message.
func (g *HTTP) Asks(status, taken, unknown string) error {
	var err error
	if g.taken, err = regexp.Compile(taken); err != nil {
		return irregular("status_taken", err)
	}
	if g.unknown, err = regexp.Compile(unknown); err != nil {
		return irregular("status_unknown", err)
	}
	if !strings.Contains(status, "{id}") || taken == "" && unknown == "" {
		return cli.Error("查询结果的设置没有写全；status_url 须有 {id}，并写 status_taken 或 status_unknown 说明回答的意思",
			"what became of a message cannot be asked; status_url has {id}, and status_taken or status_unknown says what its answer means")
	}
	g.status = status
	return nil
}

// Took implements Asker.
func (g *HTTP) Took(ctx context.Context, id string) (taken, known bool, err error) {
	if g.status == "" {
		return false, false, nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.ReplaceAll(g.status, "{id}", url.QueryEscape(id)), nil)
	if err != nil {
		return false, false, errors.New("the gateway's address for what became of a message is wrong")
	}
	for k, v := range g.headers {
		r.Header.Set(k, v)
	}
	resp, err := g.client.Do(r)
	if err != nil {
		return false, false, errors.New("the gateway was not reached")
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	switch matches := func(x *regexp.Regexp) bool { return x.String() != "" && x.Match(answer) }; {
	case err != nil || resp.StatusCode >= 500:
		return false, false, errors.New("the gateway does not say what became of a message")
	case matches(g.taken) == matches(g.unknown):
		return false, false, nil
	default:
		return matches(g.taken), true, nil
	}
}

// Send implements Gateway. Its errors repeat neither the number nor what the gateway said, which may. Where the request was on its way and
// no answer came, or a server behind the gateway failed, it may have been sent.
func (g *HTTP) Send(ctx context.Context, m Message) error {
	var body bytes.Buffer
	if err := g.body.Execute(&body, m); err != nil {
		return errors.New("the message's body could not be written")
	}
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, &body)
	if err != nil {
		return errors.New("the gateway's address is wrong")
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	for k, v := range g.headers {
		r.Header.Set(k, v)
	}
	resp, err := g.client.Do(r)
	switch {
	case err != nil && !wrote.Load():
		return errors.New("the gateway was not reached")
	case err != nil:
		return fmt.Errorf("the gateway has not answered: %w", ErrUnclear)
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	switch {
	case err != nil:
		return fmt.Errorf("the gateway's answer broke off: %w", ErrUnclear)
	case resp.StatusCode == http.StatusBadGateway, resp.StatusCode == http.StatusGatewayTimeout:
		return fmt.Errorf("the gateway answered with status %d: %w", resp.StatusCode, ErrUnclear)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return fmt.Errorf("the gateway answered with status %d", resp.StatusCode)
	case !g.accept.Match(answer):
		return errors.New("the gateway's answer does not say that the message was taken")
	}
	return nil
}

// File is a gateway that appends messages to a file, a line of JSON each, for a program that takes them from there.
type File struct {
	Path string
	mu   sync.Mutex
}

// handing is how long a message may take into what is no file, as a pipe, whose other end may be asleep.
const handing = 10 * time.Second

// Send implements Gateway. What a full disk has left of a line ends before the next one. A pipe that nobody reads refuses the message.
func (g *File) Send(_ context.Context, m Message) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	f, err := os.OpenFile(g.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	b, err := json.Marshal(map[string]string{"id": m.ID, "number": m.Number, "text": m.Text})
	if err != nil {
		return errors.Join(err, f.Close())
	}
	b = append(b, '\n')
	if !regular(g.Path) {
		_ = f.SetWriteDeadline(time.Now().Add(handing)) // what has none never waits
		_, err = f.Write(b)
		return errors.Join(err, f.Close())
	}
	if endsWithin(g.Path) {
		b = append([]byte("\n"), b...)
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// regular reports whether there is a file under a name, and neither a pipe nor a device.
func regular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// endsWithin reports whether a file ends within a line. What is no file, as a pipe, or may not be read, does not.
func endsWithin(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // it was read
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

// Took implements Asker: what stands in the file was taken. What does not may have been taken away already.
func (g *File) Took(_ context.Context, id string) (taken, known bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !regular(g.Path) {
		return false, false, nil
	}
	f, err := os.Open(g.Path)
	if err != nil {
		return false, false, nil
	}
	defer func() { _ = f.Close() }() // it was read
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m struct{ ID string }
		if json.Unmarshal(lines.Bytes(), &m) == nil && m.ID == id {
			return true, true, nil
		}
	}
	return false, false, nil
}
