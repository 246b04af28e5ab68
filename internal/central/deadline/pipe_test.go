package deadline

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMessagesIntoAPipe: where nobody reads it a message is refused at once, and where somebody does it is taken. What became of one is not
// looked for there, which would take it away or wait for ever.
func TestMessagesIntoAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f := &File{Path: path}
	within := func(what string, do func() error) error {
		t.Helper()
		done := make(chan error, 1)
		go func() { done <- do() }()
		select {
		case err := <-done:
			return err
		case <-time.After(time.Minute):
			t.Fatalf("%s waits for ever", what)
			return nil
		}
	}
	send := func() error { return f.Send(t.Context(), Message{"1", "2", "3"}) }
	took := func() error {
		if taken, known, err := f.Took(t.Context(), "1"); taken || known || err != nil {
			return errors.Join(err, errors.New("a pipe says what became of a message"))
		}
		return nil
	}
	if err := within("a message to nobody", send); err == nil {
		t.Error("a message that nobody reads was taken")
	}
	if err := within("a question", took); err != nil {
		t.Error(err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }() // it was read
	if err := within("a message", send); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(reader).ReadString('\n'); err != nil || !strings.Contains(line, `"text":"3"`) {
		t.Errorf("%q, %v", line, err)
	}
	if err := within("a question", took); err != nil {
		t.Error(err)
	}
}
