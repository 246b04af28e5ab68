package upward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// postPatience is how long a post may take.
const postPatience = time.Minute

// errAway says that the superior system was not reached, or its line broke: what it has taken is not known.
var errAway = errors.New("the superior system was not reached")

// Post is the way to a superior system.
type Post struct {
	URL    string // to which a table's paths are appended
	Client *http.Client
}

// NewPost returns a way to an address. It follows no redirect.
func NewPost(address string, base http.RoundTripper) Post {
	return Post{address, &http.Client{Transport: base, Timeout: postPatience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// do posts a body and returns the answer's. No error names the address, which may hold a secret.
func (p Post) do(ctx context.Context, path string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address is wrong")
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := p.Client.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("%w: %w", errAway, err)
	}
	defer func() { _ = answer.Body.Close() }() // what was read is enough
	text, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("%w: its answer breaks off: %w", errAway, err)
	}
	switch answer.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return nil, fmt.Errorf("%w: something before it answers with %d", errAway, answer.StatusCode)
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return nil, fmt.Errorf("the superior system answers with %d: %s", answer.StatusCode, clip(string(text[:min(len(text), mostWords)])))
	}
	return text, nil
}
