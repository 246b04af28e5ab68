package uplink

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	server "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"haochaping/internal/proof/testkit"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// rulesOf starts mosquitto with rules for the box, for which everybody else may do everything.
func rulesOf(t *testing.T, rules string) debian {
	t.Helper()
	b := newMosquitto(t)
	path := b.Config + ".acl"
	err := errors.Join(os.WriteFile(path, []byte("topic readwrite #\nuser box-1\n"+rules), 0o600),
		appendFile(b.Config, "user root\nacl_file "+path+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	b.start(t)
	t.Cleanup(b.stop)
	return b
}

// enrol keeps a configuration for the box at the broker.
func enrol(t *testing.T, address string, k keys) {
	t.Helper()
	window := rating.Window{ID: "w1", Name: "1", Hall: "h", Generation: 1}
	payload := sealed(t, k.centre, wire.ConfigPurpose, &wire.Config{Device: "box-1", Window: window})
	publishKeptAs(t, address, "", wire.Topic("box-1", wire.ConfigChannel), payload)
}

const boxRules = "topic read hcp/1/box-1/config\ntopic read hcp/1/receiver\n" +
	"topic write hcp/1/box-1/presence\ntopic write hcp/1/box-1/health\n"

// What a broker's rules, the centre or the network keep from arriving the daemon finds out by itself, with the cause, and it is over
// once records arrive.
func TestTheLinkSaysWhatIsWrong(t *testing.T) {
	const write, read = "topic write hcp/1/box-1/records\n", "topic read hcp/1/box-1/ack\n"
	silent := func(*centre, wire.Batch) {}
	for name, c := range map[string]struct {
		rules    string
		centre   func(*centre, wire.Batch) // how the centre answers; nil: there is none
		enrolled bool
		want     Fault
	}{
		"in order":           {boxRules + write + read, (*centre).ack, true, ""},
		"no right to write":  {boxRules + read, (*centre).ack, true, FaultWrite},
		"no right to read":   {boxRules + write, (*centre).ack, true, FaultSilent},
		"no centre":          {boxRules + write + read, nil, true, FaultNobody},
		"a centre is silent": {boxRules + write + read, silent, true, FaultSilent},
		"not enrolled":       {boxRules + write + read, silent, false, FaultNotEnrolled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, k, log := rulesOf(t, c.rules), newKeys(t), newMemory()
			if c.enrolled {
				enrol(t, b.address(), k)
			}
			if c.centre != nil {
				startCentre(t, b.address(), k.centre, public(k.box)).set(c.centre)
			}
			l, _ := startLink(t, b.address(), k, log, AckCentre)
			log.append(3)
			until(t, "the fault", func() bool {
				got := l.Link()
				return got.Connected && got.Fault == c.want && got.Acked.IsZero() == (c.want != "") && got.Waiting.IsZero() == (c.want == "")
			})
			if want := uint64(3); c.want == "" && log.Released() != want {
				t.Errorf("released through %d, want %d", log.Released(), want)
			}
		})
	}
}

// What a stranger writes beside the centre is no fault of the way to it. Where nothing but that is answered, the centre is another one.
func TestAStrangerBesideTheCentre(t *testing.T) {
	b, k, log := newMosquitto(t), newKeys(t), newMemory()
	b.start(t)
	defer func() { b.stop() }()
	stranger := newKeys(t).centre
	c := startCentre(t, b.address(), k.centre, public(k.box))
	enrol(t, b.address(), k)
	l, _ := startLink(t, b.address(), k, log, AckCentre)
	log.append(1)
	until(t, "the release and the configuration", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return log.Released() == 1 && len(l.configs) == 1
	})
	ack := wire.Ack{Device: "box-1", Epoch: log.Epoch(), Through: 1, Head: rating.HashOf([]byte("x"))}
	c.send(stranger, ack)
	until(t, "that it is refused", func() bool { return l.Stats().Refused == 1 })
	if got := l.Link(); got.Fault != "" {
		t.Errorf("the fault is %s: %v", got.Fault, got.Err)
	}
	c.set(func(c *centre, _ wire.Batch) { c.send(stranger, ack) })
	log.append(1)
	until(t, "the fault", func() bool { return l.Link().Fault == FaultOtherCentre })
	c.set((*centre).ack)
	until(t, "that it is over", func() bool { return l.Link().Fault == "" && log.Released() == 2 })
}

// A box that has nothing to send asks on each connection whether its records would arrive.
func TestAnIdleBoxAsks(t *testing.T) {
	b, k, log := newMosquitto(t), newKeys(t), &keeping{memory: newMemory()}
	b.start(t)
	defer func() { b.stop() }()
	c := startCentre(t, b.address(), k.centre, public(k.box))
	enrol(t, b.address(), k)
	_, stop := startLinkOf(t, []string{"mqtt://" + b.address()}, k, log, AckCentre)
	log.append(2)
	until(t, "the release", func() bool { return log.Released() == 2 })
	stop()
	l, _ := startLinkOf(t, []string{"mqtt://" + b.address()}, k, log, AckCentre)
	until(t, "an answer without a record to send", func() bool { return !l.Link().Acked.IsZero() && l.Link().Fault == "" })
	c.set(func(*centre, wire.Batch) {})
	b.stop()
	b.start(t)
	until(t, "the silence", func() bool {
		return l.Link().Connected && l.Link().Fault == FaultNobody || l.Link().Fault == FaultNotEnrolled
	})
	c.set((*centre).ack)
	log.append(1)
	until(t, "that it is over", func() bool { return l.Link().Fault == "" && log.Released() == 3 })
}

// keeping is a log that still has what was released.
type keeping struct{ *memory }

// Kept implements History.
func (k *keeping) Kept(from uint64, maxRecords, _ int) (uint64, [][]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if from == 0 || from > uint64(len(k.records)) {
		return from, nil, nil
	}
	end := min(uint64(len(k.records)), from-1+uint64(maxRecords))
	return from, k.records[from-1 : end], nil
}

// The centre says at the broker that it goes: boxes that have nothing to send know of it too.
func TestTheCentreSaysThatItIsAway(t *testing.T) {
	b, k := newMosquitto(t), newKeys(t)
	b.start(t)
	defer b.stop()
	sayReceiver(t, b.address(), true)
	l, _ := startLink(t, b.address(), k, newMemory(), AckCentre)
	until(t, "the connection", l.Connected)
	sayReceiver(t, b.address(), false)
	until(t, "that it is away", func() bool { return l.Link().Fault == FaultAway })
	sayReceiver(t, b.address(), true)
	until(t, "that it is back", func() bool { return l.Link().Fault == "" })
	// An older centre takes its place, which acknowledges and says nothing of itself.
	sayReceiver(t, b.address(), false)
	until(t, "that it is away again", func() bool { return l.Link().Fault == FaultAway })
	l.mu.Lock()
	l.link.acked = time.Now()
	l.mu.Unlock()
	if got := l.Link().Fault; got != "" {
		t.Errorf("acknowledged after it was away, and the fault is %s", got)
	}
}

// forbidding is a broker's hook that lets everybody in and nobody read.
type forbidding struct{ server.HookBase }

func (forbidding) ID() string { return "forbidding" }

func (forbidding) Provides(b byte) bool {
	return b == server.OnConnectAuthenticate || b == server.OnACLCheck
}

func (forbidding) OnConnectAuthenticate(*server.Client, packets.Packet) bool { return true }

func (forbidding) OnACLCheck(*server.Client, string, bool) bool { return false }

// What keeps a box from the broker is named while it is not connected.
func TestTheLinkSaysWhyThereIsNone(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and ends them
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	go func() {
		for {
			conn, err := mute.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(conn, make([]byte, 2))
			_ = conn.Close()
		}
	}()
	refused := &embedded{at: testkit.Address(t), hook: new(refusing)}
	forbidden := &embedded{at: testkit.Address(t), hook: new(forbidding)}
	for _, b := range []*embedded{refused, forbidden} {
		b.start(t)
		t.Cleanup(b.stop)
	}
	password := newMosquitto(t)
	if err := os.WriteFile(password.Config, []byte("listener "+port(t, password.Address)+" 127.0.0.1\nallow_anonymous false\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	password.start(t)
	defer password.stop()
	for broker, want := range map[string]Fault{
		"mqtt://" + testkit.Address(t):    FaultUnreached,
		"mqtt://no-such-name.invalid":     FaultName,
		"mqtt://" + mute.Addr().String():  FaultProtocol,
		"mqtts://" + mute.Addr().String(): FaultProtocol,
		"mqtt://" + refused.at:            FaultLogin,
		"mqtt://" + password.address():    FaultLogin,
		"mqtt://" + forbidden.at:          FaultRead,
	} {
		l, stop := startLinkTo(t, []string{broker}, newKeys(t), newMemory(), AckCentre)
		until(t, broker+": "+string(want), func() bool { return l.Link().Fault == want && l.Link().Err != nil && !l.Link().Connected })
		stop()
	}
}

func port(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Each fault is found by its error, and each has its name once.
func TestFaultsAreDistinct(t *testing.T) {
	seen := make(map[Fault]bool)
	for _, f := range Faults() {
		if seen[f] || f == "" {
			t.Errorf("%q stands twice or is empty", f)
		}
		seen[f] = true
	}
	if got := FaultOf(errors.Join(ErrNoAnswer, ErrNoConfig)); got != FaultNotEnrolled {
		t.Errorf("no answer to a box without a configuration is %q", got)
	}
	if got := FaultOf(io.EOF); got != FaultUnreached {
		t.Errorf("a lost connection is %q", got)
	}
}
