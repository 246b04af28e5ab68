package main

import (
	"errors"
	"strings"
	"testing"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/sync/wire"
)

// acknowledge answers a batch as the centre does.
func (c *clinic) acknowledge(_ *mqtt.Client, _ packets.Subscription, p packets.Packet) {
	b, err := wire.DecodeBatch(p.Payload)
	if err != nil || c.mute.Load() {
		return
	}
	payload, err := wire.Seal(c.centre, wire.AckPurpose, &wire.Ack{Device: b.Device, Epoch: b.Epoch, Through: b.Last(), Head: b.Head()})
	if err != nil {
		c.t.Error(err)
	}
	go func() { _ = c.broker.Publish(wire.Topic(b.Device, wire.AckChannel), payload, false, 1) }() // not from within the broker
}

// A record that is too large for the broker is told of, with what to change.
func TestDoctorTellsOfARecordTooLarge(t *testing.T) {
	c := newClinic(t)
	c.enrol()
	s := wellBox()
	s.Parts[4] = troubled(s.Parts[4], condition.Of("link.too_large", "第 4 条有 30290 字节"), s.Clock.Now)
	s.Centre.TooLarge = &opsapi.TooLarge{Seq: 4, Bytes: 30290, Limit: 20000, Count: 3}
	answerAt(t, c.dir, &s)
	lines, err := c.look()
	if !errors.Is(err, errSick) {
		t.Errorf("it ends with %v", err)
	}
	c.want(lines, "broker", sick, "有记录超过代理的消息上限：第 4 条有 30290 字节", "message_size_limit")
	if got := (sayer{cli.Chinese}).centre(s); !strings.Contains(got, "第 4 条有 30290 字节") || !strings.Contains(got, "共 3 条") {
		t.Errorf("the status says %q", got)
	}
}
