package ingest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/central/broker"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// TestABoxThatComesBackIsToldWhatPhonesHaveRated: the broker keeps no command for a box that is away. It is told at its hello, also where
// the books could not be read at first, and anew by a centre that was away itself.
func TestABoxThatComesBackIsToldWhatPhonesHaveRated(t *testing.T) {
	c := newCentre(t)
	s := c.open()
	enrol(t, s.Fleet)
	var asked atomic.Int64
	question := rating.Question{Subject: rating.MatterSubject, Case: "p1"}
	start := func(name string) (*Ingest, func()) {
		return c.runWith(Config{Broker: "mqtt://" + c.broker.Addr().String(), ClientID: name, Username: broker.CentreName,
			Password: c.broker.Secret(),
			Journal:  s.Journal, Fleet: s.Fleet, Key: key(9), Now: time.Now, Logger: quiet,
			Missed: func(_ context.Context, d rating.DeviceID, tell func(rating.VisitID, rating.Question) error) error {
				if d != "box-1" {
					t.Errorf("asked about %s", d)
				}
				if asked.Add(1) == 1 {
					return errors.New("the books cannot be read")
				}
				return errors.Join(tell(7, question), tell(8, question))
			}})
	}
	in, stop := start("one")
	for end := time.Now().Add(time.Minute); in.PhoneRated(t.Context(), "box-1", 7, question) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no connection within a minute")
		}
	}
	b := newBox(t, c)
	told := make(chan string, 100)
	answer := func(id string) {
		payload, err := wire.EncodeState(wire.Reply{V: wire.Version, ID: id, OK: true})
		if err != nil {
			t.Error(err)
			return
		}
		b.client.Publish(wire.Topic("box-1", wire.ReplyChannel), 1, false, payload)
	}
	hear := b.client.Subscribe(wire.Topic("box-1", wire.CommandChannel), 1, func(_ mqtt.Client, m mqtt.Message) {
		order, err := wire.OpenCommand(public(key(9)), m.Payload())
		if err != nil || order.Name != wire.CommandPhoneRated {
			t.Errorf("told %+v, %v", order, err)
		}
		told <- order.Args["visit"] + " " + order.Args["subject"] + " " + order.Args["case"]
		answer(order.ID)
	})
	if !hear.WaitTimeout(time.Minute) || hear.Error() != nil {
		t.Fatal(hear.Error())
	}
	wantTold := func(when string) { // whatever is told more than once
		t.Helper()
		missing := map[string]bool{rating.VisitID(7).String() + " matter p1": true, rating.VisitID(8).String() + " matter p1": true}
		for end := time.After(time.Minute); len(missing) > 0; {
			select {
			case got := <-told:
				delete(missing, got)
			case <-end:
				t.Fatalf("%s the box is not told of %v", when, missing)
			}
		}
	}
	say := func(online bool) {
		hello, err := wire.EncodeState(wire.Presence{V: wire.Version, Online: online})
		if err != nil {
			t.Fatal(err)
		}
		b.client.Publish(wire.Topic("box-1", wire.PresenceChannel), 1, true, hello).Wait()
	}
	say(false)
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if in.Heard(short, "box-1", 8, []rating.Question{question}) {
		t.Error("a box has answered that was not told")
	}
	say(true)
	wantTold("at its hello")
	wantHeard := func(in *Ingest) {
		t.Helper()
		patient, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if !in.Heard(patient, "box-1", 7, []rating.Question{question}) || !in.Heard(patient, "box-1", 8, []rating.Question{question}) {
			t.Error("the box's answer is not known")
		}
	}
	wantHeard(in)
	stop()
	before := asked.Load()
	for len(told) > 0 {
		<-told
	}
	again, _ := start("two")
	wantTold("by a centre that comes back")
	wantHeard(again)
	if n := asked.Load(); before < 2 || n <= before {
		t.Errorf("the books were asked %d times and then %d, want once in vain and once for each hello at least", before, n-before)
	}
}
