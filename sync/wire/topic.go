package wire

import (
	"fmt"
	"strings"

	"haochaping/internal/rating"
)

// Prefix is the root of all topics. The number is the version of the contract.
const Prefix = "hcp/1/"

// Channel is the last part of a topic: what a message on it means.
type Channel string

// The channels of a device.
const (
	RecordsChannel  Channel = "records"  // box: a Batch
	PresenceChannel Channel = "presence" // box, retained and will: a Presence
	HealthChannel   Channel = "health"   // box: a Health
	ReplyChannel    Channel = "reply"    // box: a Reply
	AckChannel      Channel = "ack"      // centre: a sealed Ack
	CommandChannel  Channel = "command"  // centre: a sealed Command
	ConfigChannel   Channel = "config"   // centre, retained: a sealed Config
)

// ReceiverTopic is where the centre says, retained and with a will, that it takes records: a Presence.
const ReceiverTopic = Prefix + "receiver"

// Topic returns the topic of a device's channel.
func Topic(d rating.DeviceID, c Channel) string { return Prefix + string(d) + "/" + string(c) }

// AllDevices returns the filter that matches a channel of every device.
func AllDevices(c Channel) string { return Prefix + "+/" + string(c) }

// Shared returns the filter by which the instances of a group divide a channel of every device among them.
func Shared(group string, c Channel) string { return "$share/" + group + "/" + AllDevices(c) }

// ParseTopic returns the device and the channel of a topic.
func ParseTopic(topic string) (rating.DeviceID, Channel, error) {
	rest, ok := strings.CutPrefix(topic, Prefix)
	name, channel, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 {
		return "", "", fmt.Errorf("topic %q: want %s{device}/{channel}", topic, Prefix)
	}
	d, err := rating.ParseDeviceID(name)
	if err != nil {
		return "", "", fmt.Errorf("topic %q: %w", topic, err)
	}
	switch c := Channel(channel); c {
	case RecordsChannel, PresenceChannel, HealthChannel, ReplyChannel, AckChannel, CommandChannel, ConfigChannel:
		return d, c, nil
	}
	return "", "", fmt.Errorf("topic %q: channel %q is unknown", topic, channel)
}
