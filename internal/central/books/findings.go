package books

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// FindingKind says what a Finding is about.
type FindingKind string

// The kinds of findings.
const (
	Gap         FindingKind = "gap"          // records that the box says are gone and that never came
	Fork        FindingKind = "fork"         // a second record with the same number and other bytes
	BrokenChain FindingKind = "broken_chain" // a record that does not follow from the one before it
	Quarantine  FindingKind = "quarantine"   // a record that cannot be accepted
	Damage      FindingKind = "damage"       // a store file of the box that was damaged and set aside
	Reopened    FindingKind = "reopened"     // a second record of a visit that says otherwise
	ForkGap     FindingKind = "fork_gap"     // a record that a fork follows on and that is not here
	Displaced   FindingKind = "displaced"    // an evaluation that counts in place of one that did
	// Contradiction is that a business system says otherwise of a case than was said before, and not as a correction.
	Contradiction FindingKind = "contradiction"
	Crowd         FindingKind = "crowded" // more answers of one device about the same, or cases of one batch, than are looked at
)

// Bounds of findings, since it is boxes that make them.
const (
	maxDetail = 300 // bytes
	maxListed = 100 // rows of one log and kind that stand, and as many that are resolved; more are counted in one
	// maxOfDevice bounds the rows of one device and kind that stand, of however many logs: a box may begin one with each batch.
	maxOfDevice = 1000
)

// Finding is something wrong with what a device has sent. Those that differ in nothing but neighbouring numbers are one.
type Finding struct {
	ID     int64           `json:"id"`
	Device rating.DeviceID `json:"device,omitzero"`  // empty where it is about no box
	Source string          `json:"source,omitempty"` // the business system or channel that it is about, if it is no box
	Epoch  rating.Epoch    `json:"epoch,omitzero"`   // zero by phone
	From   uint64          `json:"from"`             // seqs, both included
	To     uint64          `json:"to"`
	Kind   FindingKind     `json:"kind"`
	// Count is how many records it is about; of one that stands for More, how many findings it stands for.
	Count    int64     `json:"count"`
	More     bool      `json:"more,omitempty"`
	Detail   string    `json:"detail"`
	Found    time.Time `json:"found_at"`
	Resolved time.Time `json:"resolved_at,omitzero"` // zero while it stands
}

// finding is a row of the table.
type finding struct {
	id              int64
	first, last     uint64
	count           int64
	more            bool
	detail          string
	found, resolved int64 // ms since 1970; resolved 0: it stands
	row             row
}

// kindFindings is the findings of one kind about one log.
type kindFindings struct {
	about          about
	open, resolved []*finding // by id
	loaded         int        // how many stood before this chunk
	gone           []*finding // that the table still has
}

func (s *state) findingsOf(a about) (*kindFindings, error) {
	if k := s.findings[a]; k != nil {
		return k, nil
	}
	all, err := s.load.findings(s.ctx, a.device, a.log, a.kind)
	if err != nil {
		return nil, fmt.Errorf("read findings: %w", err)
	}
	k := &kindFindings{about: a}
	for _, f := range all {
		if f.resolved == 0 {
			k.open = append(k.open, f)
		} else {
			k.resolved = append(k.resolved, f)
		}
	}
	k.loaded = len(k.open)
	s.findings[a] = k
	return k, nil
}

// find notes a finding, unless it is known.
func (s *state) find(a about, first, last uint64, detail string) error {
	k, err := s.findingsOf(a)
	if err != nil {
		return err
	}
	f := &finding{first: first, last: last, count: int64(last - first + 1), detail: shorten(detail), found: s.received, row: fresh}
	joins := a.kind != Displaced
	if a.log != 0 && !k.takes(f, joins) {
		n, err := s.rowsOf(a)
		if err != nil {
			return err
		}
		if n >= maxOfDevice {
			return s.countOnly(about{a.device, 0, a.kind}, f)
		}
	}
	before := len(k.open)
	s.enter(k, &k.open, f, joins)
	s.grown(k, before)
	s.counted(k)
	return nil
}

// deviceKind names the findings of a kind about all logs of a device.
type deviceKind struct {
	device int64
	kind   FindingKind
}

// rowsOf returns how many rows of a device and kind stand by now.
func (s *state) rowsOf(a about) (int64, error) {
	of := deviceKind{a.device, a.kind}
	if n, known := s.standing[of]; known {
		return n, nil
	}
	n, err := s.load.standing(s.ctx, a.device, a.kind)
	if err != nil {
		return 0, fmt.Errorf("count findings: %w", err)
	}
	for _, k := range s.findings { // what this chunk has changed before it was asked
		if k.about.device == a.device && k.about.kind == a.kind {
			n += int64(len(k.open) - k.loaded)
		}
	}
	s.standing[of] = n
	return n, nil
}

// grown notes that other rows than before stand.
func (s *state) grown(k *kindFindings, before int) {
	of := deviceKind{k.about.device, k.about.kind}
	if _, known := s.standing[of]; known {
		s.standing[of] += int64(len(k.open) - before)
	}
}

// countOnly counts a finding for which there is no room in the one that stands for more.
func (s *state) countOnly(a about, f *finding) error {
	k, err := s.findingsOf(a)
	if err != nil {
		return err
	}
	for _, o := range k.open {
		if o.more {
			o.first, o.last, o.count = min(o.first, f.first), max(o.last, f.last), o.count+1
			o.row.touch()
			return nil
		}
	}
	f.more, f.count, f.detail = true, 1, fmt.Sprintf(saidMore, strconv.Itoa(maxOfDevice))
	s.counters.findings++
	f.id = s.counters.findings
	k.open = append(k.open, f)
	s.grown(k, len(k.open)-1)
	return nil
}

// enter puts a finding among others: into a neighbour that says the same, or by itself, or where too many stand into the one that
// counts them.
func (s *state) enter(k *kindFindings, list *[]*finding, f *finding, joins bool) {
	if k.join(list, f, joins) {
		k.drop(f)
		return
	}
	if list == &k.open && len(k.open) > maxListed {
		more := k.open[slices.IndexFunc(k.open, func(o *finding) bool { return o.more })]
		more.first, more.last, more.count = min(more.first, f.first), max(more.last, f.last), more.count+1
		more.row.touch()
		k.drop(f)
		return
	}
	if list == &k.open && len(k.open) == maxListed {
		f.more, f.count, f.detail = true, 1, fmt.Sprintf(saidMore, strconv.Itoa(maxListed))
	}
	if f.id == 0 {
		s.counters.findings++
		f.id = s.counters.findings
	}
	*list = append(*list, f)
	slices.SortFunc(*list, byID)
	if len(k.resolved) > maxListed { // the oldest gives way
		k.drop(k.resolved[0])
		k.resolved = k.resolved[1:]
	}
}

// drop notes that the table must not keep a finding.
func (k *kindFindings) drop(f *finding) {
	if f.row != fresh {
		k.gone = append(k.gone, f)
	}
}

// takes reports whether a finding needs no row of its own.
func (k *kindFindings) takes(f *finding, neighbours bool) bool {
	return len(k.open) > maxListed || slices.ContainsFunc(k.open, func(o *finding) bool { return o.says(f, neighbours) })
}

// says reports whether a finding says the same as another one of its numbers or, if that will do, of neighbouring ones.
func (f *finding) says(o *finding, neighbours bool) bool {
	same := f.first == o.first && f.last == o.last
	return !f.more && f.detail == o.detail && (same || neighbours && f.first <= o.last+1 && o.first <= f.last+1)
}

// join takes a finding into the ones that say the same of its numbers or, if it may, of neighbouring ones; several become one by that.
// It reports whether there were any.
func (k *kindFindings) join(list *[]*finding, f *finding, neighbours bool) bool {
	var to *finding
	*list = slices.DeleteFunc(*list, func(o *finding) bool {
		if !o.says(f, neighbours) {
			return false
		}
		if to == nil {
			to = o
			return false
		}
		to.merge(o)
		k.drop(o)
		return true
	})
	if to != nil {
		to.merge(f)
	}
	return to != nil
}

// merge makes a finding one about the numbers of another one too.
func (f *finding) merge(o *finding) {
	if f.first <= o.first && o.last <= f.last {
		return
	}
	f.first, f.last, f.found, f.resolved = min(f.first, o.first), max(f.last, o.last), min(f.found, o.found), max(f.resolved, o.resolved)
	f.count = int64(f.last - f.first + 1)
	f.row.touch()
}

// resolve marks what a finding says of some numbers as resolved; what it says of others stands.
func (s *state) resolve(k *kindFindings, f *finding, first, last uint64) {
	defer s.grown(k, len(k.open))
	k.open = slices.DeleteFunc(k.open, func(o *finding) bool { return o == f })
	rest := func(first, last uint64) *finding {
		return &finding{first: first, last: last, count: int64(last - first + 1), detail: f.detail, found: f.found, row: fresh}
	}
	if f.first < first {
		s.enter(k, &k.open, rest(f.first, first-1), true)
	}
	if last < f.last {
		s.enter(k, &k.open, rest(last+1, f.last), true)
	}
	f.first, f.last, f.resolved = max(f.first, first), min(f.last, last), s.received
	f.count = int64(f.last - f.first + 1)
	f.row.touch()
	s.enter(k, &k.resolved, f, true)
	s.counted(k)
}

// counted keeps how many gaps of a log stand, so that a log without any is not asked about them.
func (s *state) counted(k *kindFindings) {
	if l := s.logsByID[k.about.log]; l != nil && k.about.kind == Gap && l.gaps != int64(len(k.open)) {
		l.gaps = int64(len(k.open))
		l.row.touch()
	}
}

// shorten cuts a detail, which may repeat what a box has sent, between characters.
func shorten(s string) string {
	if len(s) <= maxDetail {
		return s
	}
	n := maxDetail - len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// Filter says which findings are asked for.
type Filter struct {
	Open  bool  // only those that stand
	After int64 // ID of the last one of the page before; 0: from the newest on
	Limit int
}

// Findings returns a page of findings, newest first.
func (b *Books) Findings(ctx context.Context, f Filter) (all []Finding, err error) {
	where := "WHERE f.id < $1"
	if f.After <= 0 {
		f.After = 1 << 62
	}
	if f.Open {
		where += " AND f.resolved_at IS NULL"
	}
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		all, err = db.Query(ctx, tx, scanFinding, t.of(`SELECT f.id, d.name, coalesce(l.epoch, 0), f.kind, f.first, f.last, f.count,
			f.more, f.detail, f.found_at, f.resolved_at
			FROM {finding} f JOIN {device} d ON d.id = f.device LEFT JOIN {log} l ON l.id = f.log `+where+" ORDER BY f.id DESC LIMIT $2"),
			f.After, f.Limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read findings: %w", err)
	}
	return all, nil
}

func scanFinding(s db.Scanner) (f Finding, err error) {
	var epoch, kind, more, found int64
	var from, to int64
	var resolved *int64
	if err := s.Scan(&f.ID, &f.Device, &epoch, &kind, &from, &to, &f.Count, &more, &f.Detail, &found, &resolved); err != nil {
		return f, err
	}
	f.Epoch, f.Kind, f.From, f.To, f.More = rating.Epoch(epoch), kindOf(kind), uint64(from), uint64(to), more == 1
	f.Device, f.Source = senderOf(f.Device)
	f.Found = time.UnixMilli(found)
	if resolved != nil {
		f.Resolved = time.UnixMilli(*resolved)
	}
	return f, nil
}

func byID(a, b *finding) int { return cmp.Compare(a.id, b.id) }
