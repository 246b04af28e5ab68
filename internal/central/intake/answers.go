package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"haochaping/internal/central/cases"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// Config names what the door of the channels needs.
type Config struct {
	cases.Door
	Journal *journal.Journal
}

// answer is an answer as a channel writes it.
type answer struct {
	Area      string         `json:"area"`
	ProjectNo string         `json:"project_no"`
	Theme     string         `json:"theme"`
	Level     rating.Level   `json:"level"`
	Channel   rating.Channel `json:"channel"`
	GivenAt   time.Time      `json:"given_at"`
	Reasons   []string       `json:"reasons"`
	Text      string         `json:"text"`
}

// Handler serves POST /v1/answers.
func Handler(c Config) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Answers []answer `json:"answers"`
		}
		who, key, ok := c.Read(w, r, "answers", &in)
		if !ok {
			return
		}
		answers, texts, err := checked(who, in.Answers, c.Journal.Now())
		if err != nil {
			c.Answer(w, http.StatusUnprocessableEntity, cases.Problem{Code: "invalid",
				Message: "评价有误，整批未保存。 Nothing of the request is saved: " + err.Error()})
			return
		}
		receipt, err := c.Journal.Answer(r.Context(), who.Name, key, answers, texts)
		if err != nil {
			c.Fail(w, r, err)
			return
		}
		if !receipt.Entered {
			if same, err := c.same(r.Context(), receipt.Pos, answers, texts); err != nil {
				c.Fail(w, r, err)
				return
			} else if !same {
				c.Reused(w)
				return
			}
		}
		c.Answer(w, http.StatusOK, map[string]any{"accepted": len(answers), "replayed": !receipt.Entered})
	})
}

// same reports whether a row holds these answers. One without a time is the same at any.
func (c Config) same(ctx context.Context, pos int64, answers []journal.Answer, texts []string) (bool, error) {
	e, err := c.Journal.Entry(ctx, pos)
	if err != nil || e.Kind != journal.Answered || len(e.Parts) != len(answers) {
		return false, err
	}
	for i, p := range e.Parts {
		var a journal.Answer
		if err := json.Unmarshal(p, &a); err != nil {
			return false, err
		}
		b := answers[i]
		if a.Case != b.Case || a.Theme != b.Theme || a.Level != b.Level || a.Channel != b.Channel || b.At != 0 && a.At != b.At ||
			!slices.Equal(a.Reasons, b.Reasons) || (len(a.Text) > 0) != (texts[i] != "") {
			return false, nil
		}
		if texts[i] == "" {
			continue
		}
		if said, err := c.Journal.Said(ctx, pos, i, texts[i]); err != nil || !said {
			return false, err
		}
	}
	return true, nil
}

// checked returns answers as the journal takes them, or why one of them cannot be taken.
func checked(who cases.Holder, all []answer, now int64) (out []journal.Answer, texts []string, err error) {
	const ahead = 10 * 60_000            // of another machine's clock, ms
	const oldest = 30 * 24 * 60 * 60_000 // ms
	if len(all) == 0 || len(all) > journal.MaxParts {
		return nil, nil, fmt.Errorf("a request holds 1 to %d answers", journal.MaxParts)
	}
	for i, a := range all {
		x := journal.Answer{Theme: a.Theme, Level: a.Level, Channel: a.Channel, At: a.GivenAt.UnixMilli(), Reasons: a.Reasons}
		if a.Theme == "" || a.Area != "" || a.ProjectNo != "" {
			x.Case = rating.CaseKey{Area: rating.PadArea(a.Area), Project: a.ProjectNo}
		}
		err := x.Check()
		switch {
		case err != nil:
		case !slices.Contains(rating.Channels(), a.Channel): // what phones say comes by the centre's own page
			err = fmt.Errorf("channel %q is unknown", a.Channel)
		case a.GivenAt.IsZero() || x.At > now+ahead || x.At <= 0:
			err = fmt.Errorf("given_at is missing or lies in the future")
		case x.At < now-oldest:
			err = fmt.Errorf("given_at is more than 30 days ago")
		case !who.Has(x.Case.Area):
			err = fmt.Errorf("no such case is known")
		case utf8.RuneCountInString(a.Text) > rating.MaxText || !utf8.ValidString(a.Text):
			err = fmt.Errorf("text: at most %d characters of UTF-8", rating.MaxText)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("answers[%d]: %w", i, err)
		}
		out, texts = append(out, x), append(texts, a.Text)
	}
	return out, texts, nil
}
