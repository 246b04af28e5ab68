package deadline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"text/template"
	"time"
)

// HTTP is a gateway that takes a message by a POST. It is safe for concurrent use.
type HTTP struct {
	url     string
	headers map[string]string
	body    *template.Template
	accept  *regexp.Regexp
	client  *http.Client
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
		return nil, fmt.Errorf("body: %w", err)
	}
	if g.accept, err = regexp.Compile(accept); err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	return g, nil
}

// Within sets how long a message may take. It is called before the first.
func (g *HTTP) Within(limit time.Duration) { g.client.Timeout = limit }

// Send implements Gateway. Its errors repeat neither the number nor what the gateway said, which may.
func (g *HTTP) Send(ctx context.Context, m Message) error {
	var body bytes.Buffer
	if err := g.body.Execute(&body, m); err != nil {
		return errors.New("the message's body could not be written")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, &body)
	if err != nil {
		return errors.New("the gateway's address is wrong")
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	for k, v := range g.headers {
		r.Header.Set(k, v)
	}
	resp, err := g.client.Do(r)
	if err != nil {
		return errors.New("the gateway was not reached")
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	switch {
	case err != nil:
		return errors.New("the gateway's answer broke off")
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

// Send implements Gateway.
func (g *File) Send(_ context.Context, m Message) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	f, err := os.OpenFile(g.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	b, err := json.Marshal(map[string]string{"id": m.ID, "number": m.Number, "text": m.Text})
	if err == nil {
		_, err = io.Copy(f, strings.NewReader(string(b)+"\n"))
	}
	return errors.Join(err, f.Sync(), f.Close())
}
