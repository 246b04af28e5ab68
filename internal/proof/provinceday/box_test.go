package provinceday

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// box writes the records of one window without a disk.
type box struct {
	n      int
	city   int
	device rating.DeviceID
	window rating.Window
	key    ed25519.PrivateKey
	epoch  rating.Epoch
	seq    uint64
	head   rating.Hash
}

func newBox(n, cities int) *box {
	var seed [ed25519.SeedSize]byte
	binary.BigEndian.PutUint64(seed[:], uint64(n)+1)
	b := &box{n: n, city: n % cities, device: rating.DeviceID(fmt.Sprintf("p-%05d", n)), key: ed25519.NewKeyFromSeed(seed[:]),
		epoch: rating.Epoch(n + 1)}
	hall := n / cities / perHall
	b.window = rating.Window{ID: windowID(b.city, hall, n/cities%perHall), Name: "综合窗口", Hall: hallName(b.city, hall), Generation: 1}
	b.head = rating.Genesis(b.device, b.epoch)
	return b
}

func (b *box) public() ed25519.PublicKey { return b.key.Public().(ed25519.PublicKey) }

// tally is the recount of a city. Levels are those that count.
type tally struct {
	persons, matters          int64 // that were served; that were completed
	personLevels, matterLevel [6]int64
	silent                    int64 // completed matters that nobody has rated
}

func (t *tally) add(o tally) {
	t.persons, t.matters, t.silent = t.persons+o.persons, t.matters+o.matters, t.silent+o.silent
	for i := range t.personLevels {
		t.personLevels[i] += o.personLevels[i]
		t.matterLevel[i] += o.matterLevel[i]
	}
}

// poor is how many bad ratings count.
func (t tally) poor() int64 {
	return t.personLevels[1] + t.personLevels[2] + t.matterLevel[1] + t.matterLevel[2]
}

// level draws a level, some of them bad.
func level(r *rand.Rand) rating.Level {
	switch k := r.IntN(1000); {
	case k < 5:
		return 1
	case k < 15:
		return 2
	case k < 65:
		return 3
	case k < 265:
		return 4
	}
	return 5
}

// visited is a visit: the batch with its records, and what a phone says of it.
type visited struct {
	payload []byte
	phone   []rating.Evaluation
	counts  tally
}

// visit plays the next visit. Half of the citizens press keys, of whom a few correct themselves; a tenth use their phones.
func (b *box) visit(n int, at time.Time) (visited, error) {
	r := rand.New(rand.NewPCG(uint64(b.n), uint64(n)))
	completed := r.IntN(10) > 0
	v := rating.Visit{ID: rating.VisitID(uint64(b.n)<<20 | uint64(n) + 1), Window: b.window,
		Staff:    rating.Staff{ID: fmt.Sprintf("s%05d", b.n), Name: "某"},
		Grouping: rating.Single, Opener: rating.OpenedByPC, WaitSec: 60, Subjects: []rating.Subject{rating.StaffSubject},
		Cases: []rating.Case{{ProjectNo: fmt.Sprintf("N%05d-%d", b.n, n), TaskCode: "T1", TaskName: "事项", Completed: completed}}}
	out := visited{counts: tally{persons: 1}}
	if completed {
		v.Subjects = append(v.Subjects, rating.MatterSubject)
		out.counts.matters, out.counts.silent = 1, 1
	}
	stamp := rating.Stamp{Boot: 1, Mono: 1 + int64(n)*900_000, Wall: at.UnixMilli(), Synced: true}
	bodies := []rating.Body{rating.VisitBody(stamp, v)}
	outcome := rating.TimedOut
	var rated []rating.Subject
	kind := r.IntN(100)
	for _, s := range v.Subjects {
		e := rating.Evaluation{Visit: v.ID, Subject: s, Level: level(r), Channel: rating.Keypad, WaitedMS: 2500}
		switch {
		case kind < 50:
			bodies = append(bodies, rating.EvaluationBody(stamp.Add(time.Duration(len(bodies))*4*time.Second), e))
			if r.IntN(30) == 0 { // the last one counts
				e.Replaces, e.Level = b.seq+uint64(len(bodies)), level(r)
				bodies = append(bodies, rating.EvaluationBody(stamp.Add(time.Duration(len(bodies))*4*time.Second), e))
			}
			outcome, rated = rating.Rated, append(rated, s)
		case kind < 60:
			e.Channel, e.WaitedMS = rating.Phone, 0
			out.phone = append(out.phone, e)
		default:
			continue
		}
		if s == rating.StaffSubject {
			out.counts.personLevels[e.Level]++
		} else {
			out.counts.matterLevel[e.Level]++
			out.counts.silent = 0
		}
	}
	bodies = append(bodies, rating.OutcomeBody(stamp.Add(40*time.Second), rating.Closing{Visit: v.ID, Outcome: outcome, Rated: rated}))
	var err error
	out.payload, err = b.batch(bodies)
	return out, err
}

func (b *box) batch(bodies []rating.Body) ([]byte, error) {
	w := wire.Batch{Device: b.device, Epoch: b.epoch, First: b.seq + 1}
	for _, body := range bodies {
		b.seq++
		raw, err := rating.Record{V: rating.RecordVersion, Device: b.device, Epoch: b.epoch, Seq: b.seq, Prev: b.head, Body: body}.Encode()
		if err != nil {
			return nil, err
		}
		b.head = rating.HashOf(raw)
		w.Records = append(w.Records, raw)
	}
	w.Sign(b.key)
	return w.Encode()
}
