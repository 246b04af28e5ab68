package rectify

import (
	"context"

	"haochaping/internal/central/journal"
)

// adoption returns what a deed says to the books, nil for most: that a review has refused an evaluation, or that it is adopted after an appeal. While a claim
// is under review the evaluation counts. Of an order with several parts it is about the cases that the part's unit handled.
func (o *Orders) adoption(ctx context.Context, seen Kept, e Event) (*journal.Adoption, error) {
	if e.Do != Uphold && (e.Do != Grant || seen.Body.Back != NotAdopted) {
		return nil, nil
	}
	x, err := o.Order(ctx, seen.Order)
	if err != nil {
		return nil, err
	}
	a := &journal.Adoption{Evaluation: x.About.Evaluation, Adopted: e.Do == Grant}
	if len(x.Parts) == 1 {
		return a, nil
	}
	d, found, err := o.cfg.Books.Counted(ctx, a.Evaluation)
	if err != nil || !found {
		return nil, err
	}
	handled, err := o.handled(ctx, d)
	if err != nil {
		return nil, err
	}
	for _, c := range d.Contests {
		if handled(c).Unit == seen.Body.Origin {
			a.Cases = append(a.Cases, c.Item.Case.String())
		}
	}
	if len(a.Cases) == 0 { // which would say all
		return nil, nil
	}
	return a, nil
}
