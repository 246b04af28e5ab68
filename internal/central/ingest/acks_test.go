package ingest

import (
	"errors"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// confirmation is a token that a test completes.
type confirmation struct {
	mqtt.Token
	done chan struct{}
	err  error
}

func (c *confirmation) Done() <-chan struct{} { return c.done }

func (c *confirmation) Error() error { return c.err }

func (c *confirmation) complete(err error) { c.err = err; close(c.done) }

func newConfirmation() *confirmation { return &confirmation{done: make(chan struct{})} }

// A broker that is far behind is known by its confirmations, and what is not confirmed does not become more and more.
func TestAcksThatWait(t *testing.T) {
	var a acks
	now := time.Unix(1_800_000_000, 0)
	var all []*confirmation
	for range maxAcks {
		if q := a.qos(now); q != 1 {
			t.Fatalf("%d wait, and the next goes with QoS %d", len(all), q)
		}
		all = append(all, newConfirmation())
		a.add(all[len(all)-1], now)
	}
	if q := a.qos(now); q != 0 {
		t.Errorf("%d wait, and the next goes with QoS %d", len(all), q)
	}
	if a.behind(now.Add(behindAfter)) {
		t.Error("the broker is said to be behind too early")
	}
	late := now.Add(behindAfter + time.Millisecond)
	if !a.behind(late) {
		t.Error("nobody sees that the broker is behind")
	}
	for _, c := range all[:len(all)-1] {
		c.complete(nil)
	}
	if q := a.qos(late); q != 1 || !a.behind(late) || len(a.all) != 1 {
		t.Errorf("one waits: QoS %d, behind %t, %d kept", q, a.behind(late), len(a.all))
	}
	all[len(all)-1].complete(nil)
	if a.behind(late) {
		t.Error("none waits, and the broker is said to be behind")
	}
	if err := a.check(late.Add(time.Hour)); err != nil {
		t.Errorf("none waits: %v", err)
	}
}

// A session ends on an acknowledgement that was not sent, whoever noticed, and on a broker that confirms none.
func TestAcksThatFail(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	var failing acks
	c, broken := newConfirmation(), errors.New("broken")
	failing.add(c, now)
	c.complete(broken)
	if failing.behind(now) {
		t.Error("a failure is no delay")
	}
	failing.qos(now)
	if err := failing.check(now); !errors.Is(err, broken) {
		t.Errorf("check returned %v", err)
	}
	var dead acks
	dead.add(newConfirmation(), now)
	if err := dead.check(now.Add(patience)); err != nil {
		t.Errorf("too early: %v", err)
	}
	if err := dead.check(now.Add(patience + time.Second)); err == nil {
		t.Error("a broker that confirms nothing is borne")
	}
}
