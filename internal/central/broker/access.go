package broker

import (
	"bytes"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// access decides who may log in and what they may read and write.
type access struct {
	mqtt.HookBase
	secret       string
	password     func(rating.DeviceID, string) bool
	certificates Certificates
	connections  *connections
	retained     *retained
	complaints   complaints
}

// ID names the hook.
func (a *access) ID() string { return "access" }

// Provides says which decisions are made here.
func (a *access) Provides(b byte) bool {
	return bytes.Contains([]byte{mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnPublish, mqtt.OnWill}, []byte{b})
}

// OnConnect refuses what no password makes right: a client id of somebody else, and a will that the same client could not
// publish. It bounds what a login asks for.
func (a *access) OnConnect(c *mqtt.Client, p packets.Packet) error {
	if c.State.Keepalive == 0 || c.State.Keepalive > maxKeepalive {
		c.State.Keepalive, c.State.ServerKeepalive = maxKeepalive, true
	}
	c.Properties.Clean = true // no session outlives its connection
	name := string(p.Connect.Username)
	if !ownsClientID(name, p.Connect.ClientIdentifier) {
		return a.refuse(c, name, packets.ErrClientIdentifierNotValid, packets.Err3ClientIdentifierNotValid,
			fmt.Errorf("the client id %.80q does not belong to this login; a box is %s<its name>", p.Connect.ClientIdentifier, boxPrefix))
	}
	if name == CentreName || !p.Connect.WillFlag {
		return nil
	}
	w := &c.Properties.Will
	w.User, w.WillDelayInterval = nil, 0 // a delay ends with the session, which ends with the connection
	if err := mayPublish(name, w.TopicName, w.Qos, w.Retain, len(w.Payload)); err != nil {
		atomic.StoreUint32(&w.Flag, 0)
		return a.refuse(c, name, packets.ErrNotAuthorized, packets.Err3NotAuthorized, fmt.Errorf("its will: %w", err))
	}
	return nil
}

// refuse answers a login with a code, in words where the client's version of MQTT has room for them, and ends the connection.
func (a *access) refuse(c *mqtt.Client, name string, code, code3 packets.Code, why error) error {
	a.complaints.add(name, c.Net.Remote, why)
	ack := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connack}, ReasonCode: code3.Code}
	if c.Properties.ProtocolVersion == 5 {
		ack.ReasonCode, ack.Properties.ReasonString = code.Code, why.Error()
	}
	err := errors.Join(code, c.WritePacket(ack))
	c.Stop(code)
	return err
}

// OnConnectAuthenticate decides who may log in.
func (a *access) OnConnectAuthenticate(c *mqtt.Client, p packets.Packet) bool {
	name, password := string(p.Connect.Username), p.Connect.Password
	if name == CentreName {
		return subtle.ConstantTimeCompare(password, []byte(a.secret)) == 1 && a.connections.admit(c.Net.Conn, "", nil) == nil
	}
	d, err := rating.ParseDeviceID(name)
	if err != nil {
		return false
	}
	cert := shown(c.Net.Conn)
	if err := a.identify(d, string(password), cert); err != nil {
		if cert != nil {
			a.complaints.add(name, c.Net.Remote, err)
		}
		return false
	}
	if err := a.connections.admit(c.Net.Conn, d, cert); err != nil {
		_ = a.refuse(c, name, packets.ErrServerBusy, packets.Err3ServerUnavailable, err) // the client is gone then, too
		return false
	}
	return true
}

var errPassword = errors.New("the password is not the box's")

// identify says why a client is not a box: its certificate decides if it shows one, and else its password.
func (a *access) identify(d rating.DeviceID, password string, cert *x509.Certificate) error {
	switch {
	case a.certificates != nil && cert != nil:
		whose, err := a.certificates.Admit(cert)
		if err == nil && whose != d {
			err = fmt.Errorf("its certificate is that of %s", whose)
		}
		return err
	case a.password != nil && a.password(d, password), a.password == nil && a.certificates == nil:
		return nil
	}
	return errPassword
}

// Prefixes of the client ids of a box's uplink and of "ratingctl doctor" beside it.
const (
	boxPrefix   = "hcp-"
	probePrefix = "chk-"
)

// ownsClientID reports whether a client id belongs to a login: whoever uses the id of another puts that one out.
func ownsClientID(name, id string) bool {
	if name == CentreName || id == boxPrefix+name {
		return true
	}
	suffix, ok := strings.CutPrefix(id, probePrefix+name+"-")
	return ok && len(suffix) <= 6 && !strings.Contains(suffix, "-") // a device's name may hold hyphens, too
}

// OnPublish lets through what a box has reason to send, and keeps of it what it has reason to keep.
func (a *access) OnPublish(c *mqtt.Client, p packets.Packet) (packets.Packet, error) {
	name := string(c.Properties.Username)
	if name == CentreName {
		return p, nil
	}
	if err := mayPublish(name, p.TopicName, p.FixedHeader.Qos, p.FixedHeader.Retain, len(p.Payload)); err != nil {
		return p, packets.ErrRejectPacket
	}
	p.Properties = packets.Properties{} // no message of ours has any, and they may be as large as it
	if p.FixedHeader.Retain && !a.retained.put(rating.DeviceID(name), len(p.Payload)) {
		p.FixedHeader.Retain = false
	}
	return p, nil
}

// OnWill keeps of a will what it would of a message.
func (a *access) OnWill(c *mqtt.Client, w mqtt.Will) (mqtt.Will, error) {
	name := string(c.Properties.Username)
	if name != CentreName && w.Retain && !a.retained.put(rating.DeviceID(name), len(w.Payload)) {
		w.Retain = false
	}
	return w, nil
}

// OnACLCheck decides who may read or write a topic.
func (a *access) OnACLCheck(c *mqtt.Client, topic string, write bool) bool {
	name := string(c.Properties.Username)
	return name == CentreName || mayUse(name, topic, write) == nil
}

// mayPublish says why a box may not publish a message, as one or as its will. Large messages need an answer each, so that
// they cannot pile up for a centre that is slow; and only a presence outlives its box.
func mayPublish(name, topic string, qos byte, retain bool, size int) error {
	if err := mayUse(name, topic, true); err != nil {
		return err
	}
	_, ch, err := wire.ParseTopic(topic)
	switch {
	case err != nil:
		return err
	case retain && ch != wire.PresenceChannel:
		return fmt.Errorf("a message on %s must not be retained", ch)
	case ch == wire.RecordsChannel && qos == 0:
		return errors.New("records need quality of service 1")
	case ch != wire.RecordsChannel && size > wire.MaxState:
		return fmt.Errorf("%d bytes on %s, at most %d are allowed", size, ch, wire.MaxState)
	}
	return nil
}

// mayUse says why a box may not read or write a topic.
func mayUse(name, topic string, write bool) error {
	if topic == wire.ReceiverTopic && !write {
		return nil
	}
	// A filter with wildcards is no topic.
	if strings.ContainsAny(topic, "+#$") {
		return fmt.Errorf("%.80q is no topic of a box", topic)
	}
	d, ch, err := wire.ParseTopic(topic)
	if err != nil {
		return fmt.Errorf("%.80q is no topic of a box", topic)
	}
	if string(d) != name {
		return fmt.Errorf("the topic is that of %s", d)
	}
	switch ch {
	case wire.RecordsChannel, wire.PresenceChannel, wire.HealthChannel, wire.ReplyChannel:
		if write {
			return nil
		}
	case wire.AckChannel, wire.CommandChannel, wire.ConfigChannel:
		if !write {
			return nil
		}
	}
	return fmt.Errorf("%s goes the other way", ch)
}
