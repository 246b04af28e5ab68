package windowapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// unlimited is a contract whose clock runs so fast that no client is ever too quick.
func unlimited(t *testing.T) *contract {
	var seconds atomic.Int64
	return newContract(t, func(c *Config) {
		c.Now = func() time.Time { return time.Unix(seconds.Add(60), 0) }
	})
}

func TestToken(t *testing.T) {
	c := newContract(t, nil)
	c.refuse(http.StatusUnauthorized, "token", "GET", "/v1/status", "", "Authorization", "")
	c.refuse(http.StatusUnauthorized, "token", "GET", "/v1/status", "", "Authorization", "Bearer hcp_wrong")
	c.refuse(http.StatusUnauthorized, "token", "GET", "/v1/status", "", "Authorization", "Basic "+c.token)
	c.want(http.StatusOK, "GET", "/v1/status", "")
	all, err := ReadTokens(c.tokens)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if b, err := os.ReadFile(c.tokens); err != nil || strings.Contains(string(b), strings.TrimPrefix(c.token, tokenPrefix)) {
		t.Errorf("the file holds the token itself: %s %v", b, err)
	}
	if err := RevokeToken(c.tokens, all[0].ID); err != nil {
		t.Fatal(err)
	}
	c.refuse(http.StatusUnauthorized, "token", "GET", "/v1/status", "")
}

func TestTokensThatCannotBeReadLetNobodyIn(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"cut off":  func(path string) error { return os.Truncate(path, 20) },
		"huge":     func(path string) error { return os.Truncate(path, 8<<30) }, // it takes no room
		"a folder": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"a pipe":   func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newContract(t, nil)
			c.want(http.StatusOK, "GET", "/v1/status", "")
			if err := spoil(c.tokens); err != nil {
				t.Fatal(err)
			}
			c.refuse(http.StatusUnauthorized, "token", "GET", "/v1/status", "")
		})
	}
}

func TestLoopbackWithoutToken(t *testing.T) {
	c := newContract(t, func(c *Config) { c.LoopbackWithoutToken = true })
	if a := c.send("GET", "/v1/status", "", "Authorization", ""); a.StatusCode != http.StatusOK {
		t.Errorf("%s", a.Status)
	}
	c.refuse(http.StatusUnauthorized, "token", "GET", "/v1/status", "", "Authorization", "Bearer hcp_wrong") // who sends one means it
}

// TestHost holds against DNS rebinding: a page's own name that resolves to the box is not the box's name.
func TestHost(t *testing.T) {
	c := newContract(t, func(c *Config) { c.Hosts = []string{"box-a12.hall.example"} })
	for _, host := range []string{"evil.example", "evil.example:8377", "127.0.0.1.evil.example", "192.0.2.1", "[::1].evil.example"} {
		c.refuse(http.StatusForbidden, "origin", "GET", "/v1/status", "", "Host", host)
	}
	for _, host := range []string{"localhost", "LOCALHOST:99", "127.0.0.1", "[::1]:8377", "box-a12.hall.example:8377"} {
		if a := c.send("GET", "/v1/status", "", "Host", host); a.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", host, a.Status)
		}
	}
}

func TestOrigin(t *testing.T) {
	c := newContract(t, func(c *Config) { c.Origins = []string{"https://business.hall.example"} })
	for _, origin := range []string{"https://evil.example", "null", "https://business.hall.example.evil.example",
		"http://business.hall.example"} {
		c.refuse(http.StatusForbidden, "origin", "POST", "/v1/visits", `{}`, "Origin", origin)
	}
	c.refuse(http.StatusForbidden, "origin", "GET", "/v1/status", "", "Sec-Fetch-Site", "cross-site") // an image of any page
	a := c.want(http.StatusCreated, "POST", "/v1/visits", `{}`, "Origin", "https://business.hall.example", "Sec-Fetch-Site", "cross-site")
	if a.Header.Get("Access-Control-Allow-Origin") != "https://business.hall.example" {
		t.Errorf("%v", a.Header)
	}
	pre := c.send("OPTIONS", "/v1/visits", "", "Authorization", "", "Origin", "https://business.hall.example", "Access-Control-Request-Method",
		"POST",
		"Access-Control-Request-Headers", "authorization,content-type,idempotency-key", "Access-Control-Request-Private-Network", "true")
	if pre.StatusCode != http.StatusNoContent || pre.Header.Get("Access-Control-Allow-Private-Network") != "true" ||
		!strings.Contains(pre.Header.Get("Access-Control-Allow-Headers"), "Idempotency-Key") ||
		pre.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%s %v", pre.Status, pre.Header)
	}
	if pre := c.send("OPTIONS", "/v1/visits", "", "Authorization", "", "Origin",
		"https://evil.example"); pre.StatusCode != http.StatusForbidden {
		t.Errorf("a stranger's preflight: %s", pre.Status)
	}
}

func TestTooManyRequests(t *testing.T) {
	c := newContract(t, func(c *Config) { c.Now = func() time.Time { return time.Unix(1, 0) } })
	for range requestBurst {
		c.want(http.StatusOK, "GET", "/v1/status", "")
	}
	a := c.send("GET", "/v1/status", "")
	if a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") != "1" {
		t.Errorf("%s, retry after %q", a.Status, a.Header.Get("Retry-After"))
	}
	other, _, err := AddToken(c.tokens, "PC A13", strings.NewReader(strings.Repeat("y", 64)), time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	c.want(http.StatusOK, "GET", "/v1/status", "", "Authorization", "Bearer "+other) // one client does not use up another's
	for range failureBurst {
		c.refuse(http.StatusUnauthorized, "token", "GET", "/v1/status", "", "Authorization", "Bearer hcp_guess")
	}
	c.refuse(http.StatusTooManyRequests, "too-many", "GET", "/v1/status", "", "Authorization", "Bearer hcp_guess")
}

func TestTooManyChanges(t *testing.T) {
	now := time.Unix(1, 0)
	c := newContract(t, func(c *Config) { c.Now = func() time.Time { return now } })
	for range changeBurst {
		c.want(http.StatusNoContent, "PUT", "/v1/pause", "")
	}
	for _, r := range [][2]string{{"POST", "/v1/visits"}, {"DELETE", "/v1/visits/0000000000000001"},
		{"GET", "/v1/visits/0000000000000001/qr.png"},
		{"PUT", "/v1/staff"}, {"DELETE", "/v1/staff"}, {"PUT", "/v1/pause"}, {"DELETE", "/v1/pause"}} {
		body := ""
		if r == [2]string{"POST", "/v1/visits"} {
			body = "{}"
		}
		c.refuse(http.StatusTooManyRequests, "too-many", r[0], r[1], body)
	}
	c.want(http.StatusOK, "GET", "/v1/status", "") // what is only read goes on
	now = now.Add(time.Second)
	for range changeRate {
		c.want(http.StatusNoContent, "PUT", "/v1/pause", "")
	}
	c.refuse(http.StatusTooManyRequests, "too-many", "PUT", "/v1/pause", "")
}

func TestTooManyStreams(t *testing.T) {
	c := newContract(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range maxStreams {
		resp, err := c.server.Client().Do(c.request("GET", "/v1/events", "").WithContext(ctx))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
	}
	c.refuse(http.StatusTooManyRequests, "too-many", "GET", "/v1/events", "")
}

// TestConnectionsOfOneAddressAreBounded opens connections from an address that is not loopback as far as the listener knows.
func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	l := newLimitedListener(nil)
	for i := range maxConnectionsPer {
		if !l.enter("192.0.2.1") {
			t.Fatalf("connection %d was refused", i)
		}
	}
	if l.enter("192.0.2.1") {
		t.Error("one address has more than its part")
	}
	if !l.enter("192.0.2.2") || !l.enter("127.0.0.1") {
		t.Error("one address keeps the others out")
	}
	l.leave("192.0.2.1")
	if !l.enter("192.0.2.1") {
		t.Error("a place that was left is not free")
	}
	for l.enter("127.0.0.1") {
		continue
	}
	if l.total != maxConnections {
		t.Errorf("%d connections in all, want %d", l.total, maxConnections)
	}
}

// TestSlowClientsDoNotKeepTheirConnections sends headers and bodies that never end, over the server as it runs.
func TestSlowClientsDoNotKeepTheirConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as the timeouts")
	}
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	j := NewJournal(nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	log := slog.New(slog.DiscardHandler)
	go func() {
		done <- Serve(ctx, l, nil, New(Config{Terminal: newFakeTerminal(j), Journal: j, Tokens: NewTokens("none", log),
			LoopbackWithoutToken: true, Now: time.Now, Logger: log}), log)
	}()
	for _, text := range []string{
		"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
		"POST /v1/visits HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
	} {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		ended := make(chan string, 1)
		go func() {
			b, _ := io.ReadAll(bufio.NewReader(c)) // an error says as well that it has ended
			ended <- string(b)
		}()
		go func() {
			for _, err := io.WriteString(c, "x"); err == nil; _, err = io.WriteString(c, "x") {
				time.Sleep(time.Second)
			}
		}()
		select {
		case answer := <-ended:
			if strings.HasPrefix(text, "POST") && !strings.HasPrefix(answer, fmt.Sprintf("HTTP/1.1 %d", http.StatusRequestTimeout)) {
				t.Errorf("the slow body was answered by %q", answer)
			}
		case <-time.After(time.Minute):
			t.Errorf("%q still holds its connection after a minute", text)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
