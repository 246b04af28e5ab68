package broker

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

func start(t *testing.T) *Broker {
	t.Helper()
	b, err := Listen(Config{Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler),
		Password: func(d rating.DeviceID, password string) bool { return password == "p-"+string(d) }})
	if err != nil {
		t.Fatal(err)
	}
	untilEnd(t, b)
	return b
}

// untilEnd runs a broker until the test ends.
func untilEnd(t *testing.T, b *Broker) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func login(t *testing.T, b *Broker, name, password string, more func(*mqtt.ClientOptions)) (mqtt.Client, error) {
	t.Helper()
	o := mqtt.NewClientOptions().AddBroker("tcp://" + b.Addr().String()).SetClientID(clientID(name)).SetUsername(name).SetPassword(password).
		SetAutoReconnect(false)
	if more != nil {
		more(o)
	}
	c := mqtt.NewClient(o)
	tok := c.Connect()
	if !tok.WaitTimeout(10 * time.Second) {
		t.Fatal("no answer to a login")
	}
	if tok.Error() == nil {
		t.Cleanup(func() { c.Disconnect(0) })
	}
	return c, tok.Error()
}

func TestWhoMayLogIn(t *testing.T) {
	b := start(t)
	for _, c := range []struct {
		name, password string
		want           bool
	}{{"box-1", "p-box-1", true}, {"box-1", "p-box-2", false}, {"box-1", "", false}, {"Box", "p-Box", false}, {"", "", false},
		{CentreName, b.Secret(), true}, {CentreName, "", false}, {CentreName, "p-" + CentreName, false}} {
		if _, err := login(t, b, c.name, c.password, nil); (err == nil) != c.want {
			t.Errorf("%s with %q: %v", c.name, c.password, err)
		}
	}
}

// A box reads and writes its own topics only, each in one direction, and nothing that is larger or stays longer than it
// has reason to.
func TestWhatABoxMaySend(t *testing.T) {
	b := start(t)
	centre, err := login(t, b, CentreName, b.Secret(), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 100)
	centre.Subscribe("hcp/#", 1, func(_ mqtt.Client, m mqtt.Message) { got <- fmt.Sprint(m.Topic(), " ", len(m.Payload())) }).Wait()
	own := func(ch wire.Channel) string { return wire.Topic("box-1", ch) }
	for _, c := range []struct {
		topic    string
		qos      byte
		retained bool
		size     int
		want     bool
	}{
		{own(wire.RecordsChannel), 1, false, wire.MaxBatch, true},
		{own(wire.RecordsChannel), 0, false, 10, false}, // nobody would hear whether it has come
		{own(wire.RecordsChannel), 1, true, 10, false},
		{own(wire.PresenceChannel), 1, true, 10, true},
		{own(wire.HealthChannel), 0, false, 10, true},
		{own(wire.HealthChannel), 1, false, wire.MaxState + 1, false},
		{own(wire.HealthChannel), 1, true, 10, false},
		{own(wire.AckChannel), 0, false, 10, false},
		{wire.Topic("box-2", wire.RecordsChannel), 1, false, 10, false},
		{"hcp/1/box-1/else", 0, false, 10, false},
		{"hcp/2/box-1/records", 0, false, 10, false},
	} {
		box, err := login(t, b, "box-1", "p-box-1", nil) // a forbidden message ends the connection
		if err != nil {
			t.Fatal(err)
		}
		box.Publish(c.topic, c.qos, c.retained, make([]byte, c.size))
		box.Publish(own(wire.ReplyChannel), 0, false, []byte("end"))
		var all []string
		for end := time.After(500 * time.Millisecond); ; {
			select {
			case m := <-got:
				if all = append(all, m); m != own(wire.ReplyChannel)+" 3" {
					continue
				}
			case <-end:
			}
			break
		}
		if passed := len(all) > 0 && all[0] == fmt.Sprint(c.topic, " ", c.size); passed != c.want {
			t.Errorf("%+v: the centre got %v", c, all)
		}
		box.Disconnect(0)
	}
}

// A centre that answers nothing, as while its books are locked, does not fill the memory of the broker.
func TestASlowCentreDoesNotFillTheMemory(t *testing.T) {
	b := start(t)
	centre, err := login(t, b, CentreName, b.Secret(), func(o *mqtt.ClientOptions) { o.SetAutoAckDisabled(true) })
	if err != nil {
		t.Fatal(err)
	}
	var taken atomic.Int64
	centre.Subscribe(wire.Shared("central", wire.RecordsChannel), 1, func(mqtt.Client, mqtt.Message) { taken.Add(1) }).Wait()
	box, err := login(t, b, "box-1", "p-box-1", nil)
	if err != nil {
		t.Fatal(err)
	}
	payload := bytes.Repeat([]byte{'x'}, 100<<10)
	for range 2 * maxInflight {
		if tok := box.Publish(wire.Topic("box-1", wire.RecordsChannel), 1, false, payload); !tok.WaitTimeout(10 * time.Second) {
			t.Fatal("the broker does not take a batch")
		}
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 200<<20 || taken.Load() > maxInflight {
		t.Errorf("%d MB are in use, %d messages were handed on unanswered, want at most %d", m.HeapAlloc>>20, taken.Load(), maxInflight)
	}
}

// A box that is logging in while the broker ends does not keep it: nobody would ever close its connection.
func TestEndWhileABoxLogsIn(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan bool)
	b, err := Listen(Config{Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler),
		Password: func(rating.DeviceID, string) bool { close(asked); return <-answer }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	lost := make(chan struct{})
	o := mqtt.NewClientOptions().AddBroker("tcp://" + b.Addr().String()).SetClientID("hcp-box-1").SetUsername("box-1").SetKeepAlive(0).
		SetAutoReconnect(false).SetConnectionLostHandler(func(mqtt.Client, error) { close(lost) })
	c := mqtt.NewClient(o)
	login := c.Connect()
	<-asked
	cancel()
	for { // until the broker has closed those that it knows
		n, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			break
		}
		_ = n.Close()
	}
	answer <- true
	if err := <-done; err != nil {
		t.Error(err)
	}
	if login.Wait(); login.Error() == nil {
		<-lost
	}
}

func clientID(name string) string {
	if name == CentreName {
		return "centre-1"
	}
	return "hcp-" + name
}
