package uplink

import (
	"testing"

	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
	"haochaping/sync/wire"
)

// TestABoxInSM2AtAnOlderCentre holds that such a box keeps its records and says why, and that they go through once the centre takes them.
func TestABoxInSM2AtAnOlderCentre(t *testing.T) {
	b, k, log := newMosquitto(t), newKeys(t), newMemory()
	b.start(t)
	t.Cleanup(b.stop)
	var err error
	if k.sm2, err = recordkey.Draw(recordkey.SM2); err != nil {
		t.Fatal(err)
	}
	enrol(t, b.address(), k) // what an older centre says, which names no algorithms
	older := startCentre(t, b.address(), k.centre, recordkey.Public(k.sm2))
	older.set(func(*centre, wire.Batch) {})
	l, _ := startLink(t, b.address(), k, log, AckCentre)
	log.append(3)
	until(t, "the fault", func() bool { return l.Link().Fault == FaultAlgorithm })
	if log.Released() != 0 {
		t.Errorf("released through %d", log.Released())
	}
	newer := wire.Config{Device: "box-1", Window: rating.Window{ID: "w1", Name: "1", Hall: "h", Generation: 1},
		Algorithms: []recordkey.Algorithm{recordkey.Ed25519, recordkey.SM2}}
	publishKeptAs(t, b.address(), "", wire.Topic("box-1", wire.ConfigChannel), sealed(t, k.centre, wire.ConfigPurpose, &newer))
	older.set((*centre).ack)
	until(t, "the release", func() bool { return log.Released() == 3 && l.Link().Fault == "" })
}
