package evaluations

import (
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/web"
)

// days returns the bounds of the filter's days, zero where none was said.
func (f filter) days() (from, to time.Time, err error) {
	if f.From != "" {
		d, err := directory.ParseDay(f.From)
		if err != nil {
			return from, to, &web.Refusal{Words: err.Error()}
		}
		from = d.Start()
	}
	if f.To != "" {
		d, err := directory.ParseDay(f.To)
		if err != nil {
			return from, to, &web.Refusal{Words: err.Error()}
		}
		to = (d + 1).Start()
	}
	if f.From != "" && f.To != "" && !from.Before(to) {
		return from, to, &web.Refusal{Words: "开始日期晚于结束日期，请调换。The first day is after the last."}
	}
	return from, to, nil
}
