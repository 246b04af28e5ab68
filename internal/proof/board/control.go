package board

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// errGone says that the machine has ended.
var errGone = errors.New("the machine has ended")

// socket is a connection to QEMU.
type socket struct {
	net.Conn
	lines *bufio.Reader
}

// dial connects to a socket that QEMU is about to open.
func dial(ctx context.Context, path string, ended <-chan struct{}) (*socket, error) {
	for {
		c, err := net.Dial("unix", path)
		if err == nil {
			return &socket{c, bufio.NewReader(c)}, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("connect to %s: %w", path, err)
		case <-ended:
			return nil, errGone
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// within runs f, whose reads and writes fail when ctx ends.
func (s *socket) within(ctx context.Context, f func() error) error {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = s.SetDeadline(time.Unix(1, 0))
	})
	err := f()
	if !stop() {
		<-ended
		_ = s.SetDeadline(time.Time{}) // for whoever comes with another context
	}
	return err
}

// Line is the other end of a serial line.
type Line struct{ socket *socket }

// Write sends bytes to the machine.
func (l *Line) Write(b []byte) (int, error) { return l.socket.Write(b) }

// Read waits at most d for bytes of the machine.
func (l *Line) Read(b []byte, d time.Duration) (int, error) {
	if err := l.socket.SetReadDeadline(time.Now().Add(d)); err != nil {
		return 0, err
	}
	return l.socket.lines.Read(b)
}

// qtest moves input lines and hears of output lines.
type qtest struct {
	socket  *socket
	answers chan string

	mu     sync.Mutex
	levels map[int][]bool // guarded by mu
	asking sync.Mutex     // held for a question and its answer
}

func dialQtest(ctx context.Context, path string, ended <-chan struct{}) (*qtest, error) {
	s, err := dial(ctx, path, ended)
	if err != nil {
		return nil, err
	}
	q := &qtest{socket: s, answers: make(chan string, 1), levels: make(map[int][]bool)}
	go q.hear()
	return q, nil
}

func (q *qtest) connection() *socket {
	if q == nil {
		return nil
	}
	return q.socket
}

func (q *qtest) hear() {
	defer close(q.answers)
	for {
		line, err := q.socket.lines.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		what, isIRQ := strings.CutPrefix(line, "IRQ ")
		if !isIRQ {
			q.answers <- line
			continue
		}
		verb, number, _ := strings.Cut(what, " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			continue
		}
		q.mu.Lock()
		q.levels[n] = append(q.levels[n], verb == "raise")
		q.mu.Unlock()
	}
}

func (q *qtest) command(text string) error {
	q.asking.Lock()
	defer q.asking.Unlock()
	if _, err := fmt.Fprintln(q.socket, text); err != nil {
		return fmt.Errorf("qtest %s: %w", text, err)
	}
	answer, ok := <-q.answers
	if !ok {
		return errGone
	}
	if !strings.HasPrefix(answer, "OK") {
		return fmt.Errorf("qtest %s: %s", text, answer)
	}
	return nil
}

// watch makes QEMU tell what a device's outputs do.
func (q *qtest) watch(device string) error { return q.command("irq_intercept_out " + device) }

func (q *qtest) seen(line int) []bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]bool(nil), q.levels[line]...)
}

// qmp is QEMU's machine protocol.
type qmp struct {
	socket *socket
	mu     sync.Mutex // held for a question and its answer
}

func dialQMP(ctx context.Context, path string, ended <-chan struct{}) (*qmp, error) {
	s, err := dial(ctx, path, ended)
	if err != nil {
		return nil, err
	}
	q := &qmp{socket: s}
	if err := s.within(ctx, func() error { _, err := s.lines.ReadString('\n'); return err }); err != nil {
		return q, fmt.Errorf("wait for the greeting: %w", err)
	}
	return q, q.command(ctx, "qmp_capabilities", nil, nil)
}

func (q *qmp) connection() *socket {
	if q == nil {
		return nil
	}
	return q.socket
}

func (q *qmp) command(ctx context.Context, name string, arguments, result any) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.socket.within(ctx, func() error { return q.ask(name, arguments, result) })
}

// ask needs mu.
func (q *qmp) ask(name string, arguments, result any) error {
	question := map[string]any{"execute": name}
	if arguments != nil {
		question["arguments"] = arguments
	}
	if err := json.NewEncoder(q.socket).Encode(question); err != nil {
		return fmt.Errorf("QMP %s: %w", name, err)
	}
	for {
		line, err := q.socket.lines.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("QMP %s: %w", name, err)
		}
		var answer struct {
			Return json.RawMessage
			Error  *struct{ Desc string }
		}
		if err := json.Unmarshal(line, &answer); err != nil {
			return fmt.Errorf("QMP %s: %w", name, err)
		}
		switch {
		case answer.Error != nil:
			return fmt.Errorf("QMP %s: %s", name, answer.Error.Desc)
		case answer.Return == nil: // an event
			continue
		case result == nil:
			return nil
		}
		return json.Unmarshal(answer.Return, result)
	}
}

// find returns the path of the first child of a type.
func (q *qmp) find(ctx context.Context, parent, kind string) (string, error) {
	var all []struct{ Name, Type string }
	if err := q.command(ctx, "qom-list", map[string]any{"path": parent}, &all); err != nil {
		return "", err
	}
	for _, child := range all {
		if child.Type == kind {
			return parent + "/" + child.Name, nil
		}
	}
	return "", fmt.Errorf("QEMU has no %s under %s", kind, parent)
}

// shell is a shell in the machine.
type shell struct {
	socket *socket
	mu     sync.Mutex // held for a script and what it prints
	n      int        // guarded by mu; scripts so far
}

func dialShell(ctx context.Context, path string, ended <-chan struct{}) (*shell, error) {
	s, err := dial(ctx, path, ended)
	if err != nil {
		return nil, err
	}
	return &shell{socket: s}, s.within(ctx, func() error {
		for {
			line, err := s.lines.ReadString('\n')
			if err != nil {
				return fmt.Errorf("wait for the shell: %w", err)
			}
			if strings.TrimSpace(line) == "ready" {
				return nil
			}
		}
	})
}

func (s *shell) connection() *socket {
	if s == nil {
		return nil
	}
	return s.socket
}

func (s *shell) run(ctx context.Context, script string) (out string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.socket.within(ctx, func() (err error) { out, err = s.say(script); return err })
	return out, err
}

// say needs mu.
func (s *shell) say(script string) (string, error) {
	s.n++
	mark := fmt.Sprintf("=====%d ", s.n)
	if _, err := fmt.Fprintf(s.socket, "{ %s\n} </dev/null 2>&1; printf '\\n%s%%d\\n' $?\n", script, mark); err != nil {
		return "", fmt.Errorf("sh %q: %w", script, err)
	}
	var out strings.Builder
	for {
		line, err := s.socket.lines.ReadString('\n')
		if err != nil {
			return out.String(), fmt.Errorf("sh %q: %w; it has printed %q", script, err, out.String())
		}
		line = strings.TrimRight(line, "\r\n")
		if status, ok := strings.CutPrefix(line, mark); ok {
			text := strings.TrimRight(out.String(), "\n") // as $(…) does
			if status != "0" {
				return text, fmt.Errorf("sh %q: status %s: %s", script, status, text)
			}
			return text, nil
		}
		out.WriteString(line + "\n")
	}
}
