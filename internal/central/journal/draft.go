package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// Bounds of rows.
const (
	maxBody = 16 << 20 // bytes of a row's parts, unpacked
	small   = 4 << 10  // bytes below which packing costs more time than it saves
)

// Receipt says what an appended row has come to, after the commit.
type Receipt struct {
	Pos     int64 // of the row; of a message with a name that was here already, that one's; 0 for a batch that brought nothing new
	Entered bool
	// Ack is what may be acknowledged to the sender of a batch, 0 for nothing: not more than it holds, and only if what it holds of what
	// came before is here. Another box with the same name and key, as a copied card makes one, may have sent the other records under these
	// numbers, and the sender would let go what only it has.
	Ack         uint64
	AckHead     rating.Hash // of record Ack as its sender has it; zero where it was never here
	Quarantined []wire.Quarantined
	Forks       int // records whose number is taken by another one
	// Missing is the first and the last record that the box says it has let go and that is not here; zero if nothing is missing. That is
	// so after the journal was restored from a backup: the box may still hold them.
	Missing [2]uint64
	// Refused is why the batch was neither entered nor acknowledged: its log has too many gaps to bear one more, or too many different
	// records under one number. Neither is an honest box's work. Empty: it was.
	Refused string
}

// draft is a row on its way into the journal.
type draft struct {
	entry   Entry
	header  Header
	leaf    []byte
	body    []byte
	packed  bool
	prev    rating.Hash // which a batch's first record names as the one before it
	secrets [][]byte    // wrapped keys of the parts' texts, nil where there is none
	also    func(ctx context.Context, tx *db.Tx, pos int64) error
	done    func(Receipt, error)

	receipt Receipt // the writer's
	verdict verdict
	log     int64
}

// prepare does what needs no database: hashes, checks and packs.
func (j *Journal) prepare(e Entry) (*draft, error) {
	body := frame(e.Parts)
	if len(body) > maxBody {
		return nil, fmt.Errorf("append a row of %s: %d bytes, at most %d are allowed", e.Source, len(body), maxBody)
	}
	d := &draft{entry: e, body: body}
	if e.Kind == Batch && e.Pos == 0 {
		d.entry.judged = e.judge()
		d.entry.Quarantined, d.prev = d.entry.quarantined()
	} else if e.Kind == Batch {
		d.prev = e.prev() // it was judged when it was entered
	}
	d.header = d.entry.Header()
	leaf := d.header.Leaf()
	d.leaf = leaf[:]
	if len(body) >= small {
		if packed := j.pack.EncodeAll(body, make([]byte, 0, len(body)/3)); len(packed) < len(body) {
			d.body, d.packed = packed, true
		}
	}
	return d, nil
}

// judge reads a batch's records.
func (e Entry) judge() []judged {
	all := make([]judged, len(e.Parts))
	for i := range e.Parts {
		all[i].record, all[i].reason = e.Record(i)
	}
	return all
}

// quarantined returns which of a batch's records cannot be accepted, and why, and which one the first names as the one before it.
func (e Entry) quarantined() (bad []wire.Quarantined, prev rating.Hash) {
	for i, j := range e.judged {
		r, reason := j.record, j.reason
		if reason == "" && e.Until != nil && !e.Until.takes(e.Epoch, e.First+uint64(i), func() rating.Hash { return rating.HashOf(e.Parts[i]) }) {
			reason = Replaced
		}
		if reason != "" {
			bad = append(bad, wire.Quarantined{Seq: e.First + uint64(i), Reason: strings.ToValidUTF8(reason, "?")})
		}
		if i == 0 {
			prev = r.Prev
		}
		if i == 0 && reason != "" {
			prev = e.prev()
		}
	}
	return bad, prev
}

// WasReplaced reports whether a record was not accepted since its box had been replaced. That is no rule of the record's own, by which it
// could be judged anew.
func (e Entry) WasReplaced(seq uint64) bool {
	return slices.Contains(e.Quarantined, wire.Quarantined{Seq: seq, Reason: Replaced})
}

// prev returns which record a batch's first one names as the one before it, also where that one cannot be accepted, zero if it names none.
func (e Entry) prev() rating.Hash {
	var named struct {
		Prev rating.Hash `json:"prev"`
	}
	if len(e.Parts) == 0 || json.Unmarshal(e.Parts[0], &named) != nil {
		return rating.Hash{}
	}
	return named.Prev
}

// maxReason bounds the bytes of a reason, which may repeat what a box has sent.
const maxReason = 300

// shorten cuts a reason to maxReason bytes, between characters.
func shorten(s string) string {
	if len(s) <= maxReason {
		return s
	}
	n := maxReason
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// Record reads a batch's record and returns why it cannot be accepted, if so.
func (e Entry) Record(i int) (rating.Record, string) {
	if i < len(e.judged) {
		return e.judged[i].record, e.judged[i].reason
	}
	r, err := rating.DecodeRecord(e.Parts[i])
	switch {
	case err != nil:
		return r, shorten(err.Error())
	case string(r.Device) != e.Source || r.Epoch != e.Epoch || r.Seq != e.First+uint64(i):
		return r, fmt.Sprintf("it says that it is record %d of device %s, epoch %s", r.Seq, r.Device, r.Epoch)
	case r.Kind == rating.KindSalvaged:
		return r, e.foreign(*r.Salvaged)
	}
	return r, ""
}

// foreign returns why a salvaged record cannot be accepted, if so: a box may only bring back what is its own.
func (e Entry) foreign(s rating.Salvaged) string {
	r, err := rating.DecodeRecord(s.Record)
	switch {
	case err != nil:
		return shorten(err.Error())
	case string(r.Device) != e.Source:
		return fmt.Sprintf("it holds a record of device %s", r.Device)
	case r.Epoch == e.Epoch:
		return "it holds a record of the very file that it is in"
	}
	return ""
}

// Submit appends a row and calls done once it is committed or has failed, from one goroutine that must not be held up. It waits only
// while too much waits already. Rows of one caller are entered in the order in which it submits them.
func (j *Journal) Submit(ctx context.Context, e Entry, done func(Receipt, error)) error {
	d, err := j.prepare(e)
	if err != nil {
		return err
	}
	d.done = done
	return j.enqueue(ctx, d)
}

func (j *Journal) enqueue(ctx context.Context, d *draft) error {
	select {
	case j.queue <- d:
	case <-j.ended:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-j.ended: // perhaps after the writer had looked for the last time
		j.refuseWaiting(errEnded)
	default:
	}
	return nil
}

// errEnded says that nobody writes any more.
var errEnded = fmt.Errorf("%w: the journal is closed", ErrUnavailable)

// refuseWaiting tells what waits that nobody will write it, if the error is ErrUnavailable.
func (j *Journal) refuseWaiting(err error) {
	for errors.Is(err, ErrUnavailable) {
		select {
		case d := <-j.queue:
			d.done(Receipt{}, err)
		default:
			return
		}
	}
}

// Append appends a row and returns after the commit. Also, if not nil, writes in the same transaction; it may run more than once.
func (j *Journal) Append(ctx context.Context, e Entry, also func(ctx context.Context, tx *db.Tx, pos int64) error) (Receipt, error) {
	d, err := j.prepare(e)
	if err != nil {
		return Receipt{}, err
	}
	d.also = also
	return j.await(ctx, d)
}

func (j *Journal) await(ctx context.Context, d *draft) (Receipt, error) {
	type result struct {
		r   Receipt
		err error
	}
	c := make(chan result, 1)
	d.done = func(r Receipt, err error) { c <- result{r, err} }
	if err := j.enqueue(ctx, d); err != nil {
		return Receipt{}, err
	}
	select {
	case x := <-c:
		return x.r, x.err
	case <-ctx.Done():
		return Receipt{}, ctx.Err()
	}
}

// act returns the parts of a row that holds one act.
func act(v any) ([][]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return [][]byte{b}, nil
}

// Enrol returns the row that says that a box is enrolled or serves another window. Its name tells it from the same act later.
func Enrol(e Enrolment, received int64, name string) (Entry, error) {
	parts, err := act(e)
	return Entry{Kind: Device, Source: string(e.Device), Name: name, Received: received, Parts: parts}, err
}
