package books

import (
	"slices"

	"haochaping/internal/rating"
)

// filter is what of a search an index is not read by.
type filter struct {
	column string
	write  func(*statementText)
}

// filters returns what of the search the index does not say. Of what it says it may lack the column, which then would cost a look at each
// row of the table.
func (f *finder) filters(index string) (all []filter) {
	q := f.q
	add := func(column string, write func(*statementText)) { all = append(all, filter{column, write}) }
	if f.among {
		add("post", func(x *statementText) { x.numbers(f.t.engine, "post", f.posts) })
	}
	if q.Staff != "" && index != "staff" {
		add("staff", func(x *statementText) { x.add("staff = ", x.arg(shortHash(q.Staff))) })
	}
	if q.Task != "" {
		mask := taskBits(q.Task)
		add("tasks", func(x *statementText) { x.add("(tasks & ", x.arg(mask), ") = ", x.arg(mask)) })
	}
	if q.Subject != "" {
		add("subject", func(x *statementText) { x.add("subject = ", x.arg(subjectNumber(q.Subject))) })
	}
	if q.Text && index != "texts" {
		add("texts", func(x *statementText) { x.add("texts = 1") })
	}
	if len(q.Levels) > 0 && (index != "poor" || !slices.Contains(q.Levels, 1) || !slices.Contains(q.Levels, 2)) {
		add("level", among("level", q.Levels, func(l rating.Level) int64 { return int64(l) }))
	}
	if len(q.Channels) > 0 {
		add("channel", among("channel", q.Channels, func(c rating.Channel) int64 { return number(channels(), c) }))
	}
	if len(q.Standings) > 0 {
		add("standing", among("standing", q.Standings, func(s rating.Standing) int64 { return number(standings(), s) }))
	}
	return all
}

// among returns how to write that a column is one of some values, which come from an enumeration.
func among[T any](column string, values []T, number func(T) int64) func(*statementText) {
	return func(x *statementText) {
		x.add(column, " IN (")
		for i, v := range values {
			if i > 0 {
				x.add(", ")
			}
			x.add(x.arg(number(v)))
		}
		x.add(")")
	}
}
