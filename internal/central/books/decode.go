package books

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	strict "github.com/go-json-experiment/json"

	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// decoded is a row of the journal, read.
type decoded struct {
	journal.Entry
	records []record              // of a batch
	answers []journal.PhoneAnswer // of a rating by phone
	failed  []string              // why parts could not be read, empty for those that could
	device  journal.Enrolment

	told       []journal.Told
	channelled []journal.Answer
	deadlines  []journal.Passed
	reminders  []journal.Reminder
	adoption   *journal.Adoption
	erased     *journal.Erased
}

// record is a record as it came, read.
type record struct {
	rating.Record
	hash   rating.Hash
	reason string  // why it goes to quarantine; then Record holds nothing of use
	text   string  // JSON of the visit that it opens
	inner  *record // of a salvaged one
}

// decode reads rows on all cores; nothing of it depends on the tables.
func decode(entries []journal.Entry) ([]decoded, error) {
	all := make([]decoded, len(entries))
	errs := make([]error, len(entries))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(entries)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(entries)); i = next.Add(1) - 1 {
				all[i], errs[i] = decodeEntry(entries[i])
			}
		})
	}
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func decodeEntry(e journal.Entry) (decoded, error) {
	d := decoded{Entry: e}
	switch e.Kind {
	case journal.Batch:
		d.records = make([]record, len(e.Parts))
		for i := range e.Parts {
			r, reason := e.Record(i)
			if reason == "" && e.WasReplaced(e.First+uint64(i)) {
				reason = journal.Replaced
			}
			d.records[i] = newRecord(r, reason, e.Hash(i))
		}
	case journal.Phone:
		d.answers, d.failed = make([]journal.PhoneAnswer, len(e.Parts)), make([]string, len(e.Parts))
		for i, p := range e.Parts {
			err := strict.Unmarshal(p, &d.answers[i])
			if err == nil {
				err = d.answers[i].Evaluation.Check()
			}
			if err != nil {
				d.failed[i] = rating.Steady(err)
			}
		}
	case journal.Cases:
		d.told, d.failed = decodeParts[journal.Told](e)
	case journal.Answered:
		d.channelled, d.failed = decodeParts[journal.Answer](e)
	case journal.Deadlines:
		d.deadlines, d.failed = decodeParts[journal.Passed](e)
	case journal.Reminded:
		d.reminders, d.failed = decodeParts[journal.Reminder](e)
	case journal.Acted:
		a, err := e.Act()
		if err != nil {
			return d, err
		}
		d.adoption = a.Adoption
	case journal.Erasure:
		if all, failed := decodeParts[journal.Erased](e); len(all) == 1 && failed[0] == "" {
			d.erased = &all[0]
		}
	case journal.Device:
		if len(e.Parts) != 1 {
			return d, fmt.Errorf("row %d of the journal: an enrolment of %d parts", e.Pos, len(e.Parts))
		}
		if err := json.Unmarshal(e.Parts[0], &d.device); err != nil {
			return d, fmt.Errorf("row %d of the journal: %w", e.Pos, err)
		}
	}
	d.Parts = nil // what was read of them is enough
	return d, nil
}

func newRecord(r rating.Record, reason string, hash rating.Hash) record {
	out := record{Record: r, hash: hash, reason: reason}
	if reason != "" {
		return out
	}
	switch r.Kind {
	case rating.KindVisit:
		if b, err := json.Marshal(r.Visit); err != nil {
			out.reason = err.Error()
		} else {
			out.text = string(b)
		}
	case rating.KindSalvaged:
		in := journal.Entry{Kind: journal.Batch, Source: string(r.Device), Parts: [][]byte{r.Salvaged.Record}}
		if head, err := rating.DecodeRecord(r.Salvaged.Record); err == nil { // the journal's Record has looked at it already
			in.Epoch, in.First = head.Epoch, head.Seq
		}
		ir, reason := in.Record(0)
		inner := newRecord(ir, reason, rating.HashOf(r.Salvaged.Record))
		inner.Epoch, inner.Seq = in.Epoch, in.First
		out.inner = &inner
	}
	return out
}

func decodeVisit(text string) (*rating.Visit, error) {
	v := new(rating.Visit)
	return v, strict.Unmarshal([]byte(text), v)
}

// itemHash returns the number by which a case is found. Two cases may share it, though nobody can make two that do.
func itemHash(project string) int64 {
	h := sha256.Sum256([]byte("case\n" + project))
	return int64(binary.BigEndian.Uint64(h[:8]))
}

func joinReasons(all []string) string { return strings.Join(all, " ") }

// encodeFile returns a case's file as the table has it.
func encodeFile(f rating.CaseFile) string {
	b, err := json.Marshal(f)
	if err != nil {
		return "" // it has nothing that JSON has not
	}
	return string(b)
}

// decodeParts reads the parts of a row each by itself, and says of which that failed, and why.
func decodeParts[T any](e journal.Entry) (all []T, failed []string) {
	all, failed = make([]T, len(e.Parts)), make([]string, len(e.Parts))
	for i, p := range e.Parts {
		if err := json.Unmarshal(p, &all[i]); err != nil {
			failed[i] = err.Error()
		}
	}
	return all, failed
}
