package evaluations

import (
	"slices"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/scope"
	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
)

// known is all that somebody may see of one evaluation but texts and identities. Page and API show it, each in their way.
type known struct {
	books.Detail // without rivals that the person may not see
	at           account.Object
	source       source
}

// source is where the sealed journal has an evaluation.
type source struct {
	Pos    int64        `json:"pos"`
	Part   int          `json:"part"`
	Kind   journal.Kind `json:"kind"`
	Hash   string       `json:"hash,omitempty"` // of the part
	Key    string       `json:"key,omitempty"`  // the box's, public, by which the batch was signed
	Signed bool         `json:"signed"`
	First  uint64       `json:"-"` // number in the batch, as Last
	Last   uint64       `json:"-"`
	record []byte       // a box's
}

// known reads the evaluation that the address names.
func (p *pages) known(c *web.Call) (known, error) {
	n, err := id(c)
	if err != nil {
		return known{}, err
	}
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return known{}, err
	}
	d, found, err := p.Books.Evaluation(c.R.Context(), n)
	if err == nil && !found {
		err = web.ErrNotFound
	}
	if err != nil {
		return known{}, err
	}
	d.Text = ""
	for i := range d.Contests {
		x := &d.Contests[i]
		x.Others = slices.DeleteFunc(x.Others, func(o books.Rival) bool { return !c.May(account.SeeEvaluations, scope.Object(a, o.Entry)) })
	}
	v := known{Detail: d, at: scope.Object(a, d.Entry)}
	v.source, err = p.source(c, d.Entry)
	return v, err
}

// source reads what the journal has of an evaluation.
func (p *pages) source(c *web.Call, e books.Entry) (source, error) {
	pos, part := e.Pos()
	j, err := p.Journal.Entry(c.R.Context(), pos)
	if err != nil {
		return source{}, err
	}
	s := source{Pos: pos, Part: part, Kind: j.Kind, Signed: len(j.Signature) > 0}
	if part >= len(j.Parts) {
		return s, nil
	}
	s.Hash = rating.HashOf(j.Parts[part]).String()
	if j.Kind == journal.Batch {
		s.First, s.Last, s.Key, s.record = j.First, j.Last(), recordkey.Text(j.Key), j.Parts[part]
	}
	return s, nil
}
