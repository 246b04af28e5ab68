package rectify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
)

// Receipt names what a citizen keeps of a rating by its row of the journal, so that they can see what becomes of it, and appeal.
func Receipt(row int64) string { return receipts + strconv.FormatInt(row, 10) }

const receipts = "row "

// Followed is a part of an order as the citizen sees it who has rated or complained. It says neither who was rated nor how.
type Followed struct {
	Part    string // as 412-1
	Unit    string // name, empty while none is known
	State   State
	Due     time.Time // when the next step is too late, zero if nothing is to be done
	Decided bool      // an appeal of the citizen was decided
	Appeals bool      // the citizen may appeal now
}

// Followed returns the parts that a citizen's link is about: of the message that they got, or of the rating or complaint of which they keep
// the receipt. There are none while nothing is to be done. A clue has none.
func (o *Orders) Followed(ctx context.Context, about string) (all []Followed, err error) {
	kept, err := o.followedParts(ctx, about)
	if err != nil {
		return nil, err
	}
	a, err := o.cfg.Directory.Atlas(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range kept {
		p := k.Body
		f := Followed{Part: k.Name(), State: p.State, Decided: p.Appealed && p.State != Appealing,
			Appeals: slices.Contains(p.Sides(), OfCitizen)}
		if u, ok := a.At(directory.Unit, p.Unit, directory.DayOf(o.cfg.Now())); ok {
			f.Unit = u.Name
		}
		if k.Due != 0 {
			f.Due = time.UnixMilli(k.Due)
		}
		all = append(all, f)
	}
	return all, nil
}

func (o *Orders) followedParts(ctx context.Context, about string) (all []Kept, err error) {
	if number, ok := strings.CutPrefix(about, receipts); ok {
		row, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no receipt: %w", about, err)
		}
		first, last := books.Places(row)
		all, err = db.Query(ctx, o.db, scanKept, `SELECT p.order_id, p.part, p.changed, p.due, p.opened, p.body FROM rectify_part p
			JOIN rectify_order r ON r.id = p.order_id WHERE r.evaluation BETWEEN $1 AND $2 ORDER BY p.order_id, p.part`, first, last)
		if err == nil && len(all) == 0 {
			all, err = db.Query(ctx, o.db, scanKept, readKept+"WHERE order_id = $1 AND complaint = 1 ORDER BY part", row)
		}
		if err != nil {
			return nil, fmt.Errorf("read what has become of row %d: %w", row, err)
		}
	} else {
		order, part, _, err := parseAsked(about)
		if err != nil {
			return nil, err
		}
		_, k, err := o.part(ctx, order, part)
		if err != nil {
			return nil, err
		}
		all = []Kept{k}
	}
	return slices.DeleteFunc(all, func(k Kept) bool { return k.Body.Secret }), nil
}

// AppealOf takes an appeal of the citizen against how the work on a part has ended, and reports whether it can be appealed against. It is
// taken once; the same again is taken already.
func (o *Orders) AppealOf(ctx context.Context, about, part, words string) (taken bool, err error) {
	for range attempts {
		kept, err := o.followedParts(ctx, about)
		if errors.Is(err, ErrNoOrder) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(kept, func(k Kept) bool { return k.Name() == part })
		if i < 0 {
			return false, nil
		}
		taken, err = o.byCitizen(ctx, "appeal "+part, kept[i], Event{Do: Appeal, Side: OfCitizen}, words)
		if !errors.Is(err, ErrMeanwhile) {
			return taken, err
		}
	}
	return false, ErrMeanwhile
}

// clippedWords returns what a citizen has written, as much of it as is kept.
func clippedWords(words string) string {
	words = strings.ToValidUTF8(strings.TrimSpace(words), "")
	if r := []rune(words); len(r) > MostWords {
		return string(r[:MostWords])
	}
	return words
}
