package uplink

import (
	"errors"
	"os"
	"testing"
	"time"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// The doctor proves that a record reaches the centre and its answer the box, and where it does not, what of the broker's
// rules is wrong: mosquitto grants what it will not deliver, and takes what it will drop.
func TestProbeProvesTheWay(t *testing.T) {
	const all = "topic readwrite #\nuser box-1\ntopic read hcp/1/box-1/config\ntopic read hcp/1/receiver\n"
	const write, read = "topic write hcp/1/box-1/records\n", "topic read hcp/1/box-1/ack\n"
	const tell = "topic write hcp/1/box-1/presence\ntopic write hcp/1/box-1/health\ntopic write hcp/1/box-1/reply\n"
	for name, c := range map[string]struct {
		rules  string
		mode   AckMode
		centre bool // one reads
		said   bool // the broker keeps that one does
		want   error
	}{
		"in order":                      {all + write + read + tell, AckCentre, true, false, nil},
		"no right to tell":              {all + write + read + "topic write hcp/1/box-1/presence\n", AckCentre, true, false, ErrMayNotTell},
		"no right to write":             {all + read, AckCentre, true, false, ErrMayNotWrite},
		"no right to read":              {all + write, AckCentre, true, false, ErrNoAnswer},
		"no centre":                     {all + write + read, AckCentre, false, false, ErrNobodyReads},
		"broker's word":                 {all + write + tell, AckBroker, true, true, nil},
		"broker's word without a right": {all, AckBroker, true, true, ErrMayNotWrite},
		"broker's word, nobody there":   {all + write, AckBroker, false, true, ErrNobodyReads},
		"broker's word, nobody says so": {all + write, AckBroker, true, false, ErrNoReceiver},
	} {
		t.Run(name, func(t *testing.T) {
			b := newMosquitto(t)
			rules := b.Config + ".acl"
			if err := errors.Join(os.WriteFile(rules, []byte(c.rules), 0o600), appendFile(b.Config, "user root\nacl_file "+rules+"\n")); err != nil {
				t.Fatal(err)
			}
			b.start(t)
			defer b.stop()
			k := newKeys(t)
			if c.said {
				sayReceiver(t, b.address(), true)
			}
			if c.centre {
				startCentre(t, b.address(), k.centre, public(k.box))
			}
			payload, err := wire.Seal(k.centre, wire.ConfigPurpose,
				&wire.Config{Device: "box-1", Window: rating.Window{ID: "w1", Name: "1", Hall: "h", Generation: 1}})
			if err != nil {
				t.Fatal(err)
			}
			publishKeptAs(t, b.address(), "", wire.Topic("box-1", wire.ConfigChannel), payload)
			log := newMemory()
			log.append(1)
			p := probeOf(b.address(), public(k.centre))
			p.Limit, p.AckMode = time.Second, c.mode
			p.Sample = &Sample{Key: k.box, Epoch: log.Epoch(), Seq: 1, Record: log.record(1)}
			got, err := Probe(t.Context(), p)
			want := StageAnswer
			switch c.want {
			case nil:
				want = StageDone
			case ErrMayNotTell:
				want = StageTell
			}
			if at := got.At; !errors.Is(err, c.want) || at != want {
				t.Errorf("stage %d, %v; want %v", at, err, c.want)
			}
		})
	}
}

func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
