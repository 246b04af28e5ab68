package ledger

import (
	"errors"
	"fmt"
	"strconv"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// foreign returns why a salvaged record cannot be accepted, if so: a box may only bring back what is its own.
func (w *batchWriter) foreign(s rating.Salvaged) string {
	r, err := rating.DecodeRecord(s.Record)
	switch {
	case err != nil:
		return err.Error()
	case r.Device != w.batch.Device:
		return fmt.Sprintf("it holds a record of device %s", r.Device)
	case r.Epoch == w.batch.Epoch:
		return "it holds a record of the very file that it is in"
	}
	return ""
}

// earlier returns the writer of another epoch of the same device, in the same transaction. What it adds or quarantines is
// not acknowledged: nobody waits for it.
func (w *batchWriter) earlier(epoch rating.Epoch) *batchWriter {
	return &batchWriter{ctx: w.ctx, tx: w.tx, batch: wire.Batch{Device: w.batch.Device, Epoch: epoch}, at: w.at, res: &Result{}, times: w.times}
}

// addSalvaged enters the record that r holds under its own number, as if it had come by itself; if it has, that changes
// nothing.
func (w *batchWriter) addSalvaged(r rating.Record) error {
	inner, err := rating.DecodeRecord(r.Salvaged.Record)
	if err != nil {
		return err
	}
	e := w.earlier(inner.Epoch)
	return errors.Join(e.add(inner.Seq, r.Salvaged.Record), e.resolveGaps())
}

// addEvent notes what a box says of a damaged file: that there was one, and, once it has read that to its end, which
// records are not in the books after all.
func (w *batchWriter) addEvent(r rating.Record) error {
	detail := r.Event.Detail
	switch r.Event.Name {
	case rating.EventDamage:
		return w.find(Damage, r.Seq, r.Seq, fmt.Sprintf("the box has set aside its store file %s: %s", detail["file"], detail["reason"]))
	case rating.EventSalvage:
		epoch, err := rating.ParseEpoch(detail["epoch"])
		first, err1 := strconv.ParseUint(detail["first"], 10, 53)
		last, err2 := strconv.ParseUint(detail["last"], 10, 53)
		if errors.Join(err, err1, err2) != nil || first == 0 || last < first || epoch == w.batch.Epoch {
			return nil // the box does not know what the file held
		}
		return w.earlier(epoch).findGaps(first, last, "the records were in a store file that was damaged, and could not be salvaged")
	}
	return nil
}

// findGaps notes which records from first to last are not in the books.
func (w *batchWriter) findGaps(first, last uint64, detail string) error {
	for first <= last {
		missing, err := w.firstMissing(first)
		if err != nil || missing > last {
			return err
		}
		next, err := w.nextPresent(missing)
		if err != nil {
			return err
		}
		end := last
		if next > 0 {
			end = min(last, next-1)
		}
		if err := w.find(Gap, missing, end, detail); err != nil {
			return err
		}
		first = end + 1
	}
	return nil
}
