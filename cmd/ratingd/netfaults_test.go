package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/proof/faultnet"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// parallel runs subtests at the same time, which t.Parallel does for no more than there are processors; these mostly wait.
type parallel struct{ running sync.WaitGroup }

func (p *parallel) run(t *testing.T, name string, test func(*testing.T)) {
	p.running.Go(func() { t.Run(name, test) })
}

func (p *parallel) wait() { p.running.Wait() }

// forgotten is a connection that some box in between has forgotten without telling anybody. The network is in order all the
// time, so the recovery counts from the beginning.
func forgotten() fault {
	stop := make(chan struct{})
	return fault{
		name: "connection forgotten on the way",
		begin: func(p *patient) {
			before := p.proxy.Accepted()
			p.proxy.Set(faultnet.Stall(stop))
			p.until("a new connection", func() bool { return p.proxy.Accepted() > before })
			p.rate()
			p.drained("by the new connection", recovery)
			p.proxy.Later(faultnet.Pass)
			close(stop)
		},
		end: func(*patient) {},
	}
}

func (p *patient) until(what string, done func() bool) {
	p.t.Helper()
	for end := time.Now().Add(recovery); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%s: not within %s: %s", p.name, recovery, what)
		}
	}
}

// cloned is a copy of the box's memory card in another box: two clients with one name, each of which ends the other's
// connection. The copy comes back at once, the box must not.
func cloned() fault {
	over, gone := make(chan struct{}), make(chan struct{})
	var before int
	const lasts = 25 * time.Second
	return fault{
		name: "a clone takes the session over", lasts: lasts,
		begin: func(p *patient) {
			before = p.proxy.Accepted()
			go func() {
				defer close(gone)
				p.impersonate(over)
			}()
		},
		end: func(p *patient) {
			if n := p.proxy.Accepted() - before; n > 12 {
				p.t.Errorf("the box connected %d times in %s: it does not wait longer and longer", n, lasts)
			}
			close(over)
			<-gone
		},
	}
}

// impersonate connects with the box's name, again whenever the connection is lost.
func (p *patient) impersonate(over <-chan struct{}) {
	for {
		lost := make(chan struct{})
		c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + p.w.mqtt).SetClientID("hcp-" + p.name).SetUsername(p.name).
			SetProtocolVersion(4).SetAutoReconnect(false).SetConnectionLostHandler(func(mqtt.Client, error) { close(lost) }))
		if t := c.Connect(); !t.WaitTimeout(5*time.Second) || t.Error() != nil {
			p.t.Errorf("the clone cannot connect: %v", t.Error())
			return
		}
		select {
		case <-over:
			c.Disconnect(0)
			return
		case <-lost:
		}
		select {
		case <-over:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// forged is a stranger who may write to the box's topics, as with a broker whose access rules are too wide or who has been
// taken over. What the stranger signs with the centre's own key stands for a centre that is wrong.
func forged() fault {
	over, gone := make(chan struct{}), make(chan struct{})
	return fault{
		name: "forged acknowledgements, commands and configurations", lasts: 10 * time.Second,
		begin: func(p *patient) {
			centre := p.centreKey()
			c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + p.w.mqtt).SetClientID("stranger"))
			if t := c.Connect(); !t.WaitTimeout(5*time.Second) || t.Error() != nil {
				p.t.Fatalf("the stranger cannot connect: %v", t.Error())
			}
			go func() {
				defer close(gone)
				defer c.Disconnect(0)
				for n := uint64(1); ; n++ {
					select {
					case <-over:
						return
					case <-time.After(20 * time.Millisecond):
					}
					channel, payload := p.forgery(centre, n)
					c.Publish(wire.Topic(rating.DeviceID(p.name), channel), 1, false, payload)
				}
			}()
		},
		end: func(p *patient) {
			close(over)
			<-gone
			if s, err := p.look(); err != nil || !s.free() {
				p.t.Errorf("the box is %+v, %v", s, err)
			}
		},
	}
}

// forgery returns the nth of a stranger's messages.
func (p *patient) forgery(centre ed25519.PrivateKey, n uint64) (wire.Channel, []byte) {
	device := rating.DeviceID(p.name)
	stranger := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	seal := func(key ed25519.PrivateKey, purpose wire.Purpose, v any) []byte {
		b, err := wire.Seal(key, purpose, v)
		if err != nil {
			p.t.Error(err)
		}
		return b
	}
	now := time.Now().UnixMilli()
	epoch, head := p.epoch(), rating.HashOf([]byte("some record"))
	window := rating.Window{ID: "stranger", Name: "假窗口", Hall: "假大厅", Generation: 1000}
	switch n % 10 {
	case 0: // another key, of what there is
		return wire.AckChannel, seal(stranger, wire.AckPurpose, &wire.Ack{Device: device, Epoch: epoch, Through: n, Head: head, Time: now})
	case 1: // a foreign epoch
		return wire.AckChannel, seal(centre, wire.AckPurpose, &wire.Ack{Device: device, Epoch: epoch + 1, Through: n, Head: head, Time: now})
	case 2: // what was not sent
		return wire.AckChannel, seal(centre, wire.AckPurpose, &wire.Ack{Device: device, Epoch: epoch, Through: 1 << 40, Head: head, Time: now})
	case 3: // backwards
		return wire.AckChannel, seal(centre, wire.AckPurpose, &wire.Ack{Device: device, Epoch: epoch, Through: 1, Head: head, Time: 1})
	case 4: // unsigned
		return wire.AckChannel, fmt.Appendf(nil, `{"v":1,"body":{"device":%q,"epoch":%q,"through":%d},"sig":""}`, device, epoch, n)
	case 5:
		return wire.AckChannel, bytes.Repeat([]byte("["), wire.MaxSealed-100)
	case 6:
		return wire.AckChannel, bytes.Repeat([]byte{0xff}, int(n))
	case 7:
		return wire.CommandChannel, seal(stranger, wire.CommandPurpose,
			&wire.Command{Device: device, ID: "x", Name: wire.CommandPhoneRated, Expires: 1 << 50})
	case 8:
		return wire.ConfigChannel, seal(stranger, wire.ConfigPurpose, &wire.Config{Device: device, Window: window})
	}
	// A sealed acknowledgement is no configuration.
	return wire.ConfigChannel, seal(centre, wire.AckPurpose, &wire.Config{Device: device, Window: window})
}

// centreKey reads the centre's own key.
func (p *patient) centreKey() ed25519.PrivateKey {
	text, err := os.ReadFile(filepath.Join(p.w.dir, "centre", "centre.key"))
	if err != nil {
		p.t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		p.t.Fatal(err)
	}
	return key.(ed25519.PrivateKey)
}

// epoch returns that of the box's log, as the daemon says it when it starts.
func (p *patient) epoch() rating.Epoch {
	found := regexp.MustCompile(`epoch=([0-9a-f]+)`).FindStringSubmatch(p.said.String())
	if found == nil {
		p.t.Error("the daemon does not say its epoch")
		return 1
	}
	e, err := strconv.ParseUint(found[1], 16, 64)
	if err != nil {
		p.t.Error(err)
	}
	return rating.Epoch(e)
}
