package uplink

import (
	"errors"
	"strings"
	"time"

	"haochaping/sync/wire"
)

// maxReplyError is the greatest length in bytes of the reason in a reply.
const maxReplyError = 500

// command carries out a command once, and answers. A command that comes again is answered again, since the first answer
// may have been lost.
func (u *Uplink) command(c *connection, payload []byte) {
	cmd, err := wire.OpenCommand(u.cfg.Centre, payload)
	if err = u.addressed(cmd.Device, err); err != nil {
		u.refuse("command", err)
		return
	}
	reply, known := u.answered.get(cmd.ID)
	switch {
	case known:
	case u.late(cmd):
		u.count(func(s *Stats) { s.Late++ })
		reply = failed(cmd.ID, "it came after its expiry")
	default:
		reply = wire.Reply{V: wire.Version, ID: cmd.ID, OK: true}
		carryOut := u.cfg.OnCommand
		if cmd.Name == wire.CommandResend { // which is the uplink's own
			carryOut = func(c wire.Command) ([]wire.Part, error) { return nil, u.askedAgain(c) }
		}
		parts, err := carryOut(cmd)
		if errors.Is(err, ErrLater) {
			return
		}
		if reply.Parts = parts; err != nil {
			reply = failed(cmd.ID, err.Error())
		}
		u.answered.put(reply)
	}
	if err := c.sendState(wire.ReplyChannel, reply); err != nil {
		u.cfg.Logger.Warn("the answer to a command was not sent", "command", cmd.Name, "error", err)
	}
}

// ErrLater says that a command's answer comes by Answer.
var ErrLater = errors.New("the answer comes later")

// Answer answers a command whose carrying out was ErrLater, on this connection or the next. It is safe for concurrent use and does not
// block: of too many answers that wait, one is dropped, as if it had been lost on its way.
func (u *Uplink) Answer(id string, parts []wire.Part, err error) {
	r := wire.Reply{V: wire.Version, ID: id, OK: true, Parts: parts}
	if err != nil {
		r = failed(id, err.Error())
		r.Parts = parts // what was seen all the same
	}
	select {
	case u.replies <- r:
	default:
		u.cfg.Logger.Warn("the answer to a command is dropped", "command", id)
	}
}

func failed(id, why string) wire.Reply {
	return wire.Reply{V: wire.Version, ID: id, Error: strings.ToValidUTF8(why[:min(len(why), maxReplyError)], "")}
}

// late reports whether a command has expired by the best clock there is: the centre's as of its last acknowledgement, else
// the box's if the network has set it. A box without either refuses what ended before a time that has surely passed, and takes the rest.
func (u *Uplink) late(c wire.Command) bool {
	now := u.cfg.Now()
	switch {
	case !u.centre.IsZero():
		now = u.centre.Add(time.Since(u.centreAt))
	case !u.cfg.Synced():
		now = u.Passed()
	}
	return now.UnixMilli() > c.Expires
}

// answered remembers the last few replies.
type answered struct {
	replies map[string]wire.Reply
	ring    []string // of their IDs
	next    int
}

func newAnswered(n int) answered {
	return answered{replies: make(map[string]wire.Reply), ring: make([]string, n)}
}

func (a *answered) get(id string) (wire.Reply, bool) {
	r, ok := a.replies[id]
	return r, ok
}

// put notes the reply to a command that was not known, in the place of the oldest.
func (a *answered) put(r wire.Reply) {
	delete(a.replies, a.ring[a.next])
	a.replies[r.ID] = r
	a.ring[a.next] = r.ID
	a.next = (a.next + 1) % len(a.ring)
}
