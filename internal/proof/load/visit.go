package main

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// recordsPerVisit are a visit, an evaluation and an outcome.
const recordsPerVisit = 3

// bodies returns the records of one visit as a box writes them.
func bodies(device rating.DeviceID, n int, id rating.VisitID) []rating.Body {
	at := rating.Stamp{Boot: 1, Mono: 1 + int64(n)*90_000, Wall: time.Now().UnixMilli(), Synced: true}
	window := rating.Window{ID: "A07", Name: "综合受理窗口7号", Hall: "市民中心政务服务大厅", Generation: 1}
	return []rating.Body{
		rating.VisitBody(at, rating.Visit{
			ID: id, Window: window, Staff: rating.Staff{ID: "620123", Name: "王丽"}, Grouping: rating.Single,
			Cases: []rating.Case{{ProjectNo: fmt.Sprintf("620100-%s-%d", device, n), TaskCode: "11620100MB01", TaskName: "身份证换领",
				Completed: true}},
			Subjects: []rating.Subject{rating.StaffSubject, rating.MatterSubject}, Opener: rating.OpenedByPC, WaitSec: 60,
		}),
		rating.EvaluationBody(at.Add(4*time.Second), rating.Evaluation{
			Visit: id, Subject: rating.MatterSubject, Level: level(id), Channel: rating.Keypad, WaitedMS: 4000}),
		rating.OutcomeBody(at.Add(5*time.Second), rating.Closing{Visit: id, Outcome: rating.Rated,
			Rated: []rating.Subject{rating.MatterSubject}}),
	}
}

// level returns how satisfied a visit's citizen is. One in a hundred is not, each of whom has an order opened; cities publish fewer
// than one in a thousand.
func level(id rating.VisitID) rating.Level {
	switch n := id / 2 % 200; {
	case n < 2:
		return rating.Level(1 + n)
	default:
		return rating.Level(3 + n%3)
	}
}

// author writes a box's records without a disk.
type author struct {
	device rating.DeviceID
	key    ed25519.PrivateKey
	epoch  rating.Epoch
	seq    uint64
	head   rating.Hash
	random *rand.Rand
	visits int
}

// newAuthor returns the author of terminal i. Its key follows from the number, so that two runs send alike.
func newAuthor(i int) *author {
	var seed [ed25519.SeedSize]byte
	binary.BigEndian.PutUint64(seed[:], uint64(i)+1)
	a := &author{
		device: rating.DeviceID(fmt.Sprintf("t-%d", i)), key: ed25519.NewKeyFromSeed(seed[:]), epoch: rating.Epoch(i + 1),
		random: rand.New(rand.NewPCG(uint64(i), 7)),
	}
	a.head = rating.Genesis(a.device, a.epoch)
	return a
}

func (a *author) public() ed25519.PublicKey { return a.key.Public().(ed25519.PublicKey) }

// next returns the payload of a batch of the next visits.
func (a *author) next(visits int) ([]byte, error) {
	b := wire.Batch{Device: a.device, Epoch: a.epoch, First: a.seq + 1}
	for range visits {
		for _, body := range bodies(a.device, a.visits, rating.VisitID(a.random.Uint64()|1)) {
			a.seq++
			raw, err := rating.Record{V: rating.RecordVersion, Device: a.device, Epoch: a.epoch, Seq: a.seq, Prev: a.head, Body: body}.Encode()
			if err != nil {
				return nil, err
			}
			a.head = rating.HashOf(raw)
			b.Records = append(b.Records, raw)
		}
		a.visits++
	}
	b.Sign(a.key)
	return b.Encode()
}
