package rectify

import (
	"context"

	"haochaping/internal/central/journal"
)

// adoption returns what a deed says to the books, nil for most: that a review or an appeal has refused an evaluation, or that it is
// adopted after an appeal. While a claim is under review the evaluation counts.
func (o *Orders) adoption(ctx context.Context, seen Kept, e Event) (*journal.Adoption, error) {
	cases := e.Cases
	switch {
	case seen.Body.Complaint: // which is in no books
		return nil, nil
	case e.Do == Grant && seen.Body.Back == NotAdopted:
		cases = seen.Body.Refused
	case e.Do != Uphold && !refusing(seen.Body, e):
		return nil, nil
	}
	x, err := o.Order(ctx, seen.Order)
	if err != nil {
		return nil, err
	}
	return &journal.Adoption{Evaluation: x.About.Evaluation, Adopted: e.Do == Grant && !refusing(seen.Body, e), Cases: cases}, nil
}

// refusing reports whether an appeal of the side that was rated is granted, so that the rating is not adopted.
func refusing(p Part, e Event) bool { return e.Do == Grant && p.objects() }

// refuses says of a review that upholds a claim what it is about: of an order with several parts the cases that the part's unit handled.
func (o *Orders) refuses(ctx context.Context, seen Kept, e *Event) error {
	x, err := o.Order(ctx, seen.Order)
	if err != nil || len(x.Parts) == 1 {
		return err
	}
	d, found, err := o.cfg.Books.Counted(ctx, x.About.Evaluation)
	if err != nil {
		return err
	}
	if found {
		handled, err := o.handled(ctx, d)
		if err != nil {
			return err
		}
		for _, c := range d.Contests {
			if handled(c).Unit == seen.Body.Origin {
				e.Cases = append(e.Cases, c.Item.Case.String())
			}
		}
	}
	if len(e.Cases) == 0 { // which would say all
		return refuse("该单位现在没有本评价涉及的办件，无从不予采纳；请退回或等待账目更新。", "No case of this rating is the unit's any more; there is nothing to refuse.")
	}
	return nil
}
