package upward

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// digits of a task's code (实施清单): the first are the matter's, all of them the matter as it is handled.
const (
	taskDigits = 31
	itemDigits = 33
)

// fields returns a record in the province's fields and codes. Text is what the citizen has written.
func (t *Table) fields(r Record, text string) map[string]string {
	all := t.Evaluation
	if r.kind == Service {
		all = t.Service
	}
	out := make(map[string]string, len(all))
	for _, f := range all {
		value := f.Value
		if f.From != "" {
			value = t.value(f.From, r, text)
		}
		if value != "" || f.Empty {
			out[f.Name] = value
		}
	}
	return out
}

// value returns what a source says of a record, empty if nothing is known.
func (t *Table) value(s Source, r Record, text string) string {
	yes := func(is bool) string { return t.Codes[s][map[bool]string{true: "yes", false: "no"}[is]] }
	x := r.Said
	switch s {
	case "id":
		return r.ID()
	case "version":
		return strconv.FormatInt(r.Version, 10)
	case "operation":
		return t.Codes[s][map[bool]string{false: "put", true: "withdraw"}[r.Gone]]
	case "effective":
		return yes(!r.Gone)
	case "project":
		return r.Project().Project
	case "area":
		return rating.PadArea(x.Area)
	case "task":
		if len(x.TaskCode) == itemDigits {
			return x.TaskCode[:taskDigits]
		}
		return x.TaskCode
	case "task_item":
		return x.TaskCode
	case "task_name", "service_name":
		return x.TaskName
	case "unit":
		return x.Unit
	case "staff":
		return x.Staff
	case "staff_name":
		return x.StaffName
	case "status":
		return t.Codes[s][x.Status]
	case "subject":
		return t.Codes[s][string(x.Subject)]
	case "applicant":
		return t.Codes[s][string(x.Applicant)]
	case "service_number":
		return strconv.FormatInt(r.Number, 10)
	case "service_time":
		return t.clock(x.ServedAt)
	}
	if x.Answer == nil {
		return ""
	}
	return t.answer(s, *x.Answer, text)
}

func (t *Table) answer(s Source, a Answer, text string) string {
	level := strconv.Itoa(int(a.Level))
	switch s {
	case "satisfaction":
		return t.Codes[s][level]
	case "channel":
		return t.Codes[s][string(a.Channel)]
	case "default":
		return t.Codes[s][map[bool]string{true: "yes", false: "no"}[a.Channel == defaultChannel]]
	case "reasons":
		if a.bare() {
			return t.Bare.Reasons[level]
		}
		return strings.Join(a.Reasons, t.Separator)
	case "text":
		if all := []rune(text); t.MaxText > 0 && len(all) > t.MaxText {
			return string(all[:t.MaxText])
		}
		return text
	case "time":
		return t.clock(a.At)
	}
	return ""
}

func (t *Table) clock(ms int64) string {
	return time.UnixMilli(ms).In(rating.Shanghai()).Format(t.Time)
}

// asksText reports whether the province asks for what citizens write.
func (t *Table) asksText() bool {
	for _, f := range t.Evaluation {
		if f.From == "text" {
			return true
		}
	}
	return false
}

// text returns what the citizen has written, empty where it cannot be read any more, is withdrawn, or nobody asks for it.
func (r *Room) text(ctx context.Context, x Record) (string, error) {
	a := x.Said.Answer
	if x.kind != Evaluation || a == nil || !a.Text || x.Gone || !r.cfg.Table.asksText() {
		return "", nil
	}
	e, ok, err := r.cfg.Books.Entry(ctx, a.ID)
	if err != nil || !ok {
		return "", err
	}
	pos, part := e.Pos()
	text, err := r.cfg.Journal.Text(ctx, pos, part)
	if errors.Is(err, journal.ErrErased) {
		return "", nil
	}
	return text, err
}
