package web

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// isText reports whether PostgreSQL takes a string as text.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func areText(all url.Values) bool {
	for name, values := range all {
		if !isText(name) || slices.ContainsFunc(values, func(v string) bool { return !isText(v) }) {
			return false
		}
	}
	return true
}

// text reports that something in a request is no text, of which a database would say that it cannot be read. A form is read here where the
// route has the small bound of all; what is uploaded, and what programs send, is left to the route.
func (c *Call) text() error {
	if !isText(c.R.URL.Path) {
		return ErrNotFound
	}
	if !areText(c.R.URL.Query()) {
		return notText()
	}
	kind, _, err := mime.ParseMediaType(c.R.Header.Get("Content-Type"))
	program := strings.HasPrefix(c.R.URL.Path, "/api/")
	if program || safe(c.R.Method) || c.route.MaxBody != 0 || err != nil {
		return nil
	}
	switch kind {
	case "application/x-www-form-urlencoded":
		err = c.R.ParseForm()
	case "multipart/form-data": // whose values a route reads in the same way
		err = c.R.ParseMultipartForm(smallBody)
	default:
		return nil
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return err
	case err != nil:
		return &Refusal{Words: "表单不完整，请重试。The form is not complete."}
	case !areText(c.R.PostForm):
		return notText()
	}
	return nil
}

// saysNul reports whether a text of valid JSON has a NUL in a string. Broken UTF-8 is no valid JSON.
func saysNul(text []byte) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(text[i:], []byte(`\u0000`)) {
			return true
		}
		i++ // what is escaped, which may be a backslash
	}
	return false
}

func notText() error {
	return &Refusal{Words: "请求中有不是文字的字符（空字符或不完整的 UTF-8），请重新输入。Something in the request is no text: a NUL, or broken UTF-8."}
}
