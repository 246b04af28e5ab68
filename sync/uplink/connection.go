package uplink

import (
	"errors"

	"haochaping/sync/wire"
)

// connection is one connection to the broker as the loop sees it: channels, so that nothing in the loop waits for a
// network, and the loop can be tested without one. It ends for good; the next connection is another.
type connection struct {
	messages <-chan message
	lost     <-chan error    // has a value when the connection has ended by itself
	taken    <-chan uint64   // last seqs of batches that the broker has
	receiver <-chan struct{} // has a value when the receiver has said whether it is there
	out      chan<- outgoing // never waited for
	// end closes the connection, in order or so that the broker publishes the will. It is called once.
	end func(orderly bool)
}

// message is what came from the centre.
type message struct {
	channel wire.Channel
	payload []byte
}

// outgoing is what goes to the broker.
type outgoing struct {
	channel  wire.Channel
	payload  []byte
	retained bool
	last     uint64       // of a batch: the seq of its last record
	taken    chan<- error // if not nil: is told when the broker has it, or why it has not; never waited for
}

// outQueue is how many messages may wait for the line. It is more than the loop sends between two silences.
const outQueue = 32

var errCongested = errors.New("the line takes nothing more; it may be stuck")

// send hands o to the line.
func (c *connection) send(o outgoing) error {
	select {
	case c.out <- o:
		return nil
	default:
		return errCongested
	}
}

// sendState hands a Presence, Health or Reply to the line.
func (c *connection) sendState(ch wire.Channel, v any) error {
	payload, err := wire.EncodeState(v)
	if err != nil {
		return err
	}
	return c.send(outgoing{channel: ch, payload: payload, retained: ch == wire.PresenceChannel})
}
