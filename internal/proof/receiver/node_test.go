package receiver

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"

	"haochaping/internal/proof/mosquitto"
)

const schemas = "../../../docs/schema"

// node is a running receiver.
type node struct {
	key     string // the centre's public key
	command *exec.Cmd
	orders  io.WriteCloser
	answers *json.Decoder
}

// start starts a receiver at a broker with what a folder holds. It ends with the test, if not before.
func start(t *testing.T, folder, broker string) *node {
	t.Helper()
	program, err := exec.LookPath("node")
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal("node is missing: install the Debian package nodejs")
	default:
		t.Skip("node is missing: install the Debian package nodejs")
	}
	n := &node{command: exec.Command(program, "receiver.mjs", schemas, folder, broker)}
	n.command.Stderr = os.Stderr
	if n.orders, err = n.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := n.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.kill)
	n.answers = json.NewDecoder(bufio.NewReader(out))
	var begun struct{ Key string }
	if err := n.answers.Decode(&begun); err != nil {
		t.Fatalf("the receiver did not start: %v", err)
	}
	n.key = begun.Key
	return n
}

// alone starts a receiver that knows nothing, at a broker of its own.
func alone(t *testing.T) *node {
	return start(t, t.TempDir(), mosquitto.Start(t, mosquitto.Open))
}

func (n *node) kill() {
	_ = n.command.Process.Kill() // it may have ended
	_ = n.command.Wait()
}

// fataler is a test, or a try of rapid's.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// ask gives an order and reads the answer.
func (n *node) ask(t fataler, order map[string]any, answer any) {
	t.Helper()
	b, err := json.Marshal(order)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if _, err := n.orders.Write(append(b, '\n')); err != nil {
		t.Fatalf("the receiver takes no order: %v", err)
	}
	if err := n.answers.Decode(answer); err != nil {
		t.Fatalf("the receiver does not answer %s: %v", order["do"], err)
	}
}

// books is what the receiver says of what it has.
type books struct {
	Logs []struct {
		Device, Epoch                     string
		Records, Through, Released, Forks uint64
	}
	Findings []struct {
		What        string
		First, Last uint64
		Reason      string
	}
	Evaluations []evaluation
	Outcomes    []struct{ Visit, Outcome string }
	Replies     []struct {
		ID string
		OK bool
	}
	Refused  []struct{ Device, Channel, Why string }
	Presence map[string]struct{ Online bool }
	Health   map[string]struct{ Pending uint64 }
}

type evaluation struct {
	Seq        uint64
	Known      string
	Reason     string
	Counts     []item
	Evaluation struct {
		Visit, Subject, Channel string
		Level                   int
		Replaces                uint64
	}
}

type item struct{ Case, Device, Visit, Subject string }

func (n *node) books(t fataler) (b books) {
	t.Helper()
	n.ask(t, map[string]any{"do": "books"}, &b)
	return b
}
