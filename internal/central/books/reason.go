package books

import "haochaping/internal/rating"

// reason is a record of why a citizen has answered so, chosen on the keys. It may come before the evaluation that it names, so the two are
// joined where they are read: of those that explain one evaluation the first in the log holds, as rating.ReasonOf has it.
type reason struct {
	place int64 // row of the journal << 9 | part
	log   *log
	seq   uint64
	said  rating.Reason
}

// reasonOfEvaluation joins an evaluation e of a visit v with its reason, as k.
const reasonOfEvaluation = ` LEFT JOIN {reason} k ON k.log = e.log AND e.log > 0 AND k.seq = (SELECT min(r.seq) FROM {reason} r
	WHERE r.log = e.log AND r.explains = e.seq AND r.seq > e.seq AND r.visit = v.id AND r.subject = e.subject AND r.project = e.project) `

func (w *writer) reason(r reason) {
	w.inserts["reason"] = append(w.inserts["reason"], []any{r.place, r.log.id, int64(r.seq), int64(r.said.Of), int64(r.said.Visit),
		subjectNumber(r.said.Subject), r.said.Case, r.said.Code, int64(r.said.Catalogue)})
}
