package web

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	strict "github.com/go-json-experiment/json"
)

// forPrograms is what the addresses of the API begin with.
const forPrograms = "/api/"

// Problem is an answer that says what was wrong, as RFC 9457 has it. Its type is "about:blank": Code tells the kinds apart.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"` // Chinese, then English
	Code   string `json:"code"`
	Errors any    `json:"errors,omitempty"` // what is wrong with the parts of a request
}

// Codes of problems, for programs. They stay the same.
const (
	CodeNotFound    = "not_found"   // there is nothing, or not for you
	CodeSignIn      = "sign_in"     // no token, or one that is over
	CodeInvalid     = "invalid"     // the request is not as the description has it
	CodeRefused     = "refused"     // what is asked for cannot be
	CodeExists      = "exists"      // there is one of that id
	CodeChanged     = "changed"     // somebody else has changed it meanwhile
	CodeNeedsTag    = "needs_tag"   // If-Match is missing
	CodeKind        = "kind"        // the body is no JSON
	CodeTooLarge    = "too_large"   // the body is
	CodeTooSoon     = "too_soon"    // come back after Retry-After: the token asks too much
	CodeForeign     = "foreign"     // caused by another site's page
	CodeHost        = "host"        // not served under this name
	CodeUnavailable = "unavailable" // the database cannot be read at present
)

// code returns the code of an answer that has none of its own.
func codeOf(status int) string {
	switch status {
	case http.StatusNotFound:
		return CodeNotFound
	case http.StatusUnauthorized:
		return CodeSignIn
	case http.StatusForbidden:
		return CodeForeign
	case http.StatusMisdirectedRequest:
		return CodeHost
	case http.StatusConflict, http.StatusPreconditionFailed:
		return CodeChanged
	case http.StatusPreconditionRequired:
		return CodeNeedsTag
	case http.StatusRequestEntityTooLarge:
		return CodeTooLarge
	case http.StatusUnsupportedMediaType:
		return CodeKind
	case http.StatusTooManyRequests:
		return CodeTooSoon
	case http.StatusUnprocessableEntity:
		return CodeRefused
	case http.StatusBadRequest:
		return CodeInvalid
	}
	return CodeUnavailable
}

// problem answers a program.
func problem(w http.ResponseWriter, p Problem) {
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	if p.Code == "" {
		p.Code = codeOf(p.Status)
	}
	text, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		http.Error(w, p.Detail, p.Status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(text, '\n')) // a failing write means that the reader is gone
}

// refuse answers what is refused before a route is known.
func refuse(w http.ResponseWriter, r *http.Request, status int, words string) {
	if strings.HasPrefix(r.URL.Path, forPrograms) {
		problem(w, Problem{Status: status, Detail: words})
		return
	}
	http.Error(w, words, status)
}

// Body reads a request's JSON. What the description does not name, or names twice, is refused.
func (c *Call) Body(v any) error {
	kind, _, err := mime.ParseMediaType(c.R.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return &Refusal{Status: http.StatusUnsupportedMediaType, Words: "请求体须为 JSON（Content-Type: application/json）。The body has to be JSON."}
	}
	text, err := io.ReadAll(c.R.Body)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	if err != nil {
		return &Refusal{Words: "请求体没有收全，请重发。The body did not arrive whole; send it again."}
	}
	if err := strict.Unmarshal(text, v, strict.RejectUnknownMembers(true)); err != nil {
		where := "it is no valid JSON"
		if wrong := new(strict.SemanticError); errors.As(err, &wrong) {
			where = fmt.Sprintf("at %q", wrong.JSONPointer)
		}
		return &Refusal{Words: "请求体不符合接口说明。The body is not as the description has it: " + where + "."}
	}
	if saysNul(text) {
		return notText()
	}
	return nil
}

// Query checks that a request has no parameters but these, each once: a filter that is not known would show more than was asked for.
func (c *Call) Query(known ...string) error {
	for name, values := range c.R.URL.Query() {
		if !slices.Contains(known, name) || len(values) != 1 {
			return &Refusal{Words: fmt.Sprintf("参数 %q 不认识或重复。The parameter is unknown or stands twice; known are %s.", name,
				strings.Join(known, ", "))}
		}
	}
	return nil
}

// Bounds of what a list returns at once.
const (
	listed     = 100
	mostListed = 500
)

// Limit returns how many things a list returns, by the parameter "limit".
func (c *Call) Limit() (int, error) {
	text := c.R.URL.Query().Get("limit")
	if text == "" {
		return listed, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > mostListed {
		return 0, &Refusal{Words: fmt.Sprintf("limit 应为 1 到 %d。limit is 1 to %d.", mostListed, mostListed)}
	}
	return n, nil
}

// Listed is a part of a list. Next is the cursor of the following part, empty at the end. A part may be short, even empty, and not the
// last.
type Listed[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

// List answers with a part of a list.
func List[T any](c *Call, items []T, next string) error {
	if items == nil {
		items = []T{}
	}
	return c.JSON(Listed[T]{items, next})
}

// TagOf returns the entity tag of what somebody may change.
func TagOf(v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("tag what may be changed: %w", err)
	}
	sum := sha256.Sum256(text)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, nil
}

// Match checks that whoever changes something has seen it as it is: If-Match names its tag. "*" does not serve, since it has seen nothing.
func (c *Call) Match(tag string) error {
	said := strings.Join(c.R.Header.Values("If-Match"), ",")
	if said == "" {
		return &Refusal{Status: http.StatusPreconditionRequired, Words: "请带上 If-Match：读取时返回的 ETag。Say by If-Match which ETag you have read."}
	}
	for one := range strings.SplitSeq(said, ",") {
		if strings.TrimSpace(one) == tag {
			return nil
		}
	}
	return Changed()
}

// Changed says that somebody else has changed something meanwhile.
func Changed() error {
	return &Refusal{Status: http.StatusPreconditionFailed, Words: "已被他人改动，请重新读取。Somebody else has changed it meanwhile; read it again."}
}
