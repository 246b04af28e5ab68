package probe

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/sync/mqtt5"
	"haochaping/sync/wire"
)

// settle is how long a message is waited for that must not come.
const settle = 300 * time.Millisecond

// subscriptions finds the topics that the broker does not let the centre read, if it says so. It subscribes at quality 0 for a
// moment, and beside the group, so that no batch goes here instead of there.
func (t *trial) subscriptions() {
	for _, ch := range []wire.Channel{wire.RecordsChannel, wire.PresenceChannel, wire.HealthChannel, wire.ReplyChannel} {
		filter := wire.AllDevices(ch)
		if !t.subscribe(t.two, filter, 0) {
			t.out.Unreadable = append(t.out.Unreadable, filter)
		}
		_ = t.wait(t.two.Unsubscribe(filter)) // the client ends soon
	}
}

// present reports whether the broker keeps that somebody takes records, which the centre then may say.
func (t *trial) present() bool {
	if !t.subscribe(t.two, wire.ReceiverTopic, 0) {
		return false
	}
	defer func() { _ = t.wait(t.two.Unsubscribe(wire.ReceiverTopic)) }() // the client ends soon
	select {
	case m := <-t.two.got:
		p, err := wire.DecodePresence(m.Payload())
		return err == nil && p.Online
	case <-time.After(settle):
	case <-t.ctx.Done():
	}
	return false
}

// writes finds the topics that the broker does not let the centre write. A broker of MQTT 3.1.1 takes what it will drop. That nobody takes
// records is said, and not kept, only where it is so.
func (t *trial) writes(present bool) {
	conn, err := t.dial(t.ctx)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }() // nothing more is wanted of it
	c, _, err := mqtt5.Connect(conn, mqtt5.Login{ID: t.id("5"), Username: t.Username, Password: t.Password}, t.Limit)
	if err != nil {
		if errors.Is(err, mqtt5.ErrVersion) {
			t.out.V5 = No
		}
		return
	}
	t.out.V5 = Yes
	for _, ch := range []wire.Channel{wire.AckChannel, wire.CommandChannel, wire.ConfigChannel} {
		reason, err := c.Publish(wire.Prefix+"--/"+string(ch), nil) // no box's name, and none of those that the rules may allow for the probe
		if err != nil {
			return
		}
		if reason.Refused() {
			t.out.Unwritable = append(t.out.Unwritable, wire.AllDevices(ch))
		}
	}
	if present {
		return
	}
	if away, err := wire.EncodeState(wire.Presence{V: wire.Version}); err == nil {
		reason, err := c.Publish(wire.ReceiverTopic, away)
		t.out.Hidden = err == nil && reason.Refused()
	}
}

// delivers tries whether the probe hears itself.
func (t *trial) delivers() {
	topic := Topic + "/plain"
	if !t.subscribe(t.one, topic, 1) || t.publish(t.two, topic, false, t.own("plain")) != nil {
		return
	}
	if len(t.receive(1, t.Limit, t.one)) == 1 {
		t.out.Delivers = Yes
	}
}

// shared tries whether two members of a group get each message once between them.
func (t *trial) shared() {
	const messages = 8
	topic := Topic + "/shared"
	filter := "$share/probe-" + t.token + "/" + topic
	t.out.Shared = No
	if !t.subscribe(t.one, filter, 1) || !t.subscribe(t.two, filter, 1) {
		return
	}
	for i := range messages {
		if t.publish(t.two, topic, false, t.own(strconv.Itoa(i))) != nil {
			return
		}
	}
	got := t.receive(messages, t.Limit, t.one, t.two)
	if len(got) == messages && len(t.receive(1, settle, t.one, t.two)) == 0 {
		t.out.Shared = Yes
	}
}

// retained tries whether a message waits for one who subscribes later, and takes it away again.
func (t *trial) retained() {
	topic := Topic + "/kept/" + t.token
	t.out.Retained = No
	if t.publish(t.one, topic, true, t.own("kept")) != nil {
		return
	}
	defer func() { _ = t.publish(t.one, topic, true, nil) }() // it would stay, and be small
	// A cluster may keep it a moment after it has said so.
	for end := time.Now().Add(t.Limit); t.out.Retained == No && time.Now().Before(end); {
		if !t.subscribe(t.two, topic, 1) {
			return
		}
		if got := t.receive(1, settle, t.two); len(got) == 1 && got[0].Retained() {
			t.out.Retained = Yes
		}
		_ = t.wait(t.two.Unsubscribe(topic)) // it is subscribed again, or not needed
	}
}

// large tries a message of the size of the largest batch, and smaller ones if that does not come through: a broker drops
// what is too large for it, with or without the connection.
func (t *trial) large() {
	if t.passes(wire.MaxBatch) {
		t.out.Large = Yes
		return
	}
	t.out.Large = No
	const least = 1 << 10
	for size := wire.MaxBatch / 2; size >= least; size /= 2 {
		if t.passes(size) {
			t.out.Largest = size
			return
		}
	}
}

// passes reports whether a message of a size comes through, over connections of its own.
func (t *trial) passes(size int) bool {
	topic := Topic + "/large"
	from, err := t.connect("from", true)
	if err != nil {
		return false
	}
	defer from.Disconnect(0)
	to, err := t.connect("to", true)
	if err != nil {
		return false
	}
	defer to.Disconnect(0)
	if !t.subscribe(to, topic, 1) {
		return false
	}
	payload := append(t.own(fmt.Sprint(size, " ")), make([]byte, size)...)[:size]
	from.Publish(topic, 1, false, payload) // whether it came through shows at the other end
	got := t.receive(1, t.Limit, to)
	return len(got) == 1 && len(got[0].Payload()) == size
}

// sessions tries whether a session outlives its connection, and ends it.
func (t *trial) sessions() {
	first, err := t.connect("kept", false)
	if err != nil {
		return
	}
	first.Disconnect(50)
	second, err := t.connectAgain()
	if err != nil {
		return
	}
	t.out.Sessions = second
	if last, err := t.connect("kept", true); err == nil {
		last.Disconnect(0)
	}
}

// connectAgain says whether the broker knows the session of before.
func (t *trial) connectAgain() (Answer, error) {
	o := mqtt.NewClientOptions().AddBroker("tcp://" + t.broker.Host).SetClientID(t.id("kept")).SetUsername(t.Username).SetPassword(t.Password).
		SetProtocolVersion(4).SetCleanSession(false).SetAutoReconnect(false).SetConnectTimeout(t.Limit)
	o.SetCustomOpenConnectionFn(t.open)
	c := mqtt.NewClient(o)
	token := c.Connect()
	if err := t.wait(token); err != nil {
		return Unknown, err
	}
	defer c.Disconnect(0)
	if s, ok := token.(*mqtt.ConnectToken); ok && s.SessionPresent() {
		return Yes, nil
	}
	return No, nil
}

// partitions finds out among how many partitions the broker divides the boxes' records: it publishes as a hundred names that
// no box can have, and looks where they arrive.
func (t *trial) partitions() {
	const names = 100
	if !t.subscribe(t.one, wire.AllDevices(wire.RecordsChannel)+"/+", 0) {
		return
	}
	for i := range names {
		if t.publish(t.two, fmt.Sprintf("%s-%d/%s", wire.Prefix, i, wire.RecordsChannel), false, t.own("partition")) != nil {
			return
		}
	}
	for _, m := range t.receive(names, max(settle, t.Limit/2), t.one) {
		rest, ok := strings.CutPrefix(m.Topic(), wire.Prefix+"-")
		if _, number, found := strings.Cut(rest, "/"+string(wire.RecordsChannel)+"/"); ok && found {
			if n, err := strconv.Atoi(number); err == nil && n >= 0 {
				t.out.Partitions = max(t.out.Partitions, n+1)
			}
		}
	}
}
