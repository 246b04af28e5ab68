package uplink

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
	"haochaping/sync/wire"
)

// ProbeConfig says what a Probe tries. All but TLS are needed.
type ProbeConfig struct {
	Broker   string // as in Config
	Username string
	Password string
	TLS      *tls.Config
	Device   rating.DeviceID
	Centre   ed25519.PublicKey
	Suffix   string // up to six letters or digits that make the client's name its own
	Now      func() time.Time
	Synced   func() bool
	Limit    time.Duration // bound of each step
	Sample   *Sample       // nil: StageAnswer is left out
	AckMode  AckMode
}

// Sample is a record of the box's log with what it takes to send it: the last one that was released, or the first if none was.
// The centre knows it, or is to have it next, and acknowledges it in either case.
type Sample struct {
	Key    crypto.Signer // the box's
	Epoch  rating.Epoch
	Seq    uint64
	Record []byte
}

// Probed is what a Probe has seen. At is the stage that failed, StageDone if none did.
type Probed struct {
	At          Stage
	Address     string
	Took        time.Duration     // until the port answered
	Certificate *x509.Certificate // the broker's; nil without TLS
	Window      rating.Window     // of the configuration
}

// probe goes the way for whoever looks from beside.
type probe struct {
	ProbeConfig
	way      way
	kept     chan []byte // the configuration
	acks     chan []byte
	receiver chan []byte
}

// Probe goes the uplink's way to the centre's last word, step by step, and tells at which it fails. It is for looking from
// beside a box that may be connected: it has a client's name of its own and no will, and publishes nothing but a record that the
// box has sent already or is about to, and empty messages where the box says how it is, so that neither the box nor the centre minds.
func Probe(ctx context.Context, c ProbeConfig) (out Probed, err error) {
	out.At = StageReach
	broker, err := brokerURL(c.Broker)
	if err != nil {
		return out, err
	}
	p := &probe{ProbeConfig: c, kept: make(chan []byte, 1), acks: make(chan []byte, 16), receiver: make(chan []byte, 1),
		way: way{broker, c.Device, c.Username, c.Password, c.TLS, &trust{now: c.Now, synced: c.Synced}, c.Limit}}
	out.Address = broker.Host
	conn, seen, err := p.way.open(ctx)
	out.Took, out.Certificate = seen.took, seen.certificate
	if err == nil {
		defer func() { _ = conn.Close() }() // below a client that has been told to end
		var client mqtt.Client
		client, err = p.way.client(ctx, conn, "chk-"+string(c.Device)+"-"+c.Suffix, nil,
			func(o *mqtt.ClientOptions) { o.SetDefaultPublishHandler(p.heard) })
		if err == nil {
			defer client.Disconnect(100)
			out.Window, err = p.ask(ctx, client)
		}
	}
	out.At = StageDone
	if at := new(StageError); errors.As(err, &at) {
		out.At = at.At
	}
	return out, err
}

// heard takes a message. What does not fit is more of the same.
func (p *probe) heard(_ mqtt.Client, m mqtt.Message) {
	to := map[string]chan []byte{
		wire.Topic(p.Device, wire.ConfigChannel): p.kept, wire.Topic(p.Device, wire.AckChannel): p.acks, wire.ReceiverTopic: p.receiver,
	}[m.Topic()]
	select {
	case to <- m.Payload():
	default:
	}
}

// ask waits for the configuration that the broker keeps, and for the answer to the sample.
func (p *probe) ask(ctx context.Context, client mqtt.Client) (window rating.Window, err error) {
	if _, err := p.way.subscribe(ctx, client, nil, wire.ConfigChannel, wire.AckChannel); err != nil {
		return window, err
	}
	payload, err := p.next(ctx, p.kept, ErrNoConfig)
	if err != nil {
		return window, &StageError{StageConfig, err}
	}
	config, err := p.configuration(payload)
	if err == nil && p.Sample != nil {
		if err = p.answer(ctx, client); FaultOf(err) == FaultSilent && !config.Takes(recordkey.Public(p.Sample.Key)) {
			err = ErrAlgorithm
		}
		if err != nil {
			err = &StageError{StageAnswer, err}
		}
	}
	if err == nil {
		err = p.tell(ctx)
	}
	return config.Window, err
}

// tell tries, in MQTT 5, whether the broker takes what the box says of itself. An empty message says nothing, and is not kept. A broker
// that cannot be asked leaves it open.
func (p *probe) tell(ctx context.Context) error {
	asker, _, conn, err := p.way.asker(ctx, p.Suffix)
	if err != nil {
		return nil
	}
	defer func() { _ = conn.Close() }() // nothing more is wanted of it
	var refused []string
	for _, ch := range []wire.Channel{wire.PresenceChannel, wire.HealthChannel, wire.ReplyChannel} {
		topic := wire.Topic(p.Device, ch)
		reason, err := asker.Publish(topic, nil)
		if err != nil {
			return nil
		}
		if errors.Is(judged(reason, 0), ErrMayNotWrite) {
			refused = append(refused, topic)
		}
	}
	if len(refused) > 0 {
		return &StageError{StageTell, fmt.Errorf("%w %s", ErrMayNotTell, strings.Join(refused, ", "))}
	}
	return nil
}

// next waits for a payload, and returns late if none comes within the limit.
func (p *probe) next(ctx context.Context, from <-chan []byte, late error) ([]byte, error) {
	timer := time.NewTimer(p.Limit)
	defer timer.Stop()
	select {
	case payload := <-from:
		return payload, nil
	case <-timer.C:
		return nil, late
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *probe) configuration(payload []byte) (wire.Config, error) {
	if len(p.Centre) != ed25519.PublicKeySize {
		return wire.Config{}, &StageError{StageConfig, errors.New("the centre's key is missing")}
	}
	config, err := wire.OpenConfig(p.Centre, payload)
	if err != nil {
		return config, &StageError{StageConfig, fmt.Errorf("%w: %w", ErrOtherCentre, err)}
	}
	if config.Device != p.Device {
		return config, &StageError{StageConfig, fmt.Errorf("the configuration is for the box %s", config.Device)}
	}
	return config, nil
}

// answer sends the sample and waits for the centre's acknowledgement. If none comes it asks the broker why.
func (p *probe) answer(ctx context.Context, client mqtt.Client) error {
	b := wire.Batch{Device: p.Device, Epoch: p.Sample.Epoch, First: p.Sample.Seq, Records: [][]byte{p.Sample.Record}}
	b.Sign(p.Sample.Key)
	payload, err := b.Encode()
	if err != nil {
		return err
	}
	if p.AckMode == AckBroker {
		return p.proof(ctx, payload)
	}
	client.Publish(wire.Topic(p.Device, wire.RecordsChannel), 1, false, payload) // whether it came shows in the answer
	ctx, cancel := context.WithTimeout(ctx, p.Limit)
	defer cancel()
	for {
		select {
		case answer := <-p.acks:
			a, err := wire.OpenAck(p.Centre, answer)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrOtherCentre, err)
			}
			if a.Device == p.Device && a.Epoch == p.Sample.Epoch && a.Through >= p.Sample.Seq {
				return nil
			} // else it is an answer to the box itself
		case <-ctx.Done():
			return p.why(context.WithoutCancel(ctx), payload)
		}
	}
}

// why says why there is no answer, as the daemon finds it out. A broker that cannot be asked leaves that open.
func (p *probe) why(ctx context.Context, payload []byte) error {
	err := p.way.why(ctx, p.Suffix, payload)
	if onWay(err) {
		return errors.Join(ErrNoAnswer, err)
	}
	return err
}

// proof tries whether the broker's word releases records.
func (p *probe) proof(ctx context.Context, payload []byte) error {
	said, err := p.next(ctx, p.receiver, ErrNoReceiver)
	if err != nil {
		return err
	}
	if r, err := wire.DecodePresence(said); err != nil || !r.Online {
		return errors.Join(ErrNoReceiver, err)
	}
	switch err := p.way.why(ctx, p.Suffix, payload); {
	case errors.Is(err, ErrNoAnswer): // which the broker's word is
		return nil
	case onWay(err):
		return errors.Join(ErrUnproven, err)
	default:
		return err
	}
}
